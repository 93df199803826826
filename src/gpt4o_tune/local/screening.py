"""The screening of training files, off by default: a file with flagged rows fails its job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from gpt4o_tune.local.moderation import judge
from gpt4o_tune.local.store.records import JobFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SHOWN_LINES = 10


def screen(path: Path) -> JobFault | None:
    """Judge every text of a training file that was found valid."""
    categories: set[str] = set()
    flagged: list[int] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            verdict = judge(_texts(json.loads(line.decode("utf-8-sig"))))
            if verdict.categories:
                flagged.append(number)
                categories |= verdict.categories
    if not flagged:
        return None
    shown = ", ".join(str(number) for number in flagged[:_SHOWN_LINES])
    more = f" and {len(flagged) - _SHOWN_LINES} more" if len(flagged) > _SHOWN_LINES else ""
    return JobFault(
        code="invalid_training_file",
        message="The job failed due to an invalid training file. This training file was blocked "
        "because too many examples were flagged by our moderation API (here a local stand-in). "
        f"Flagged categories: {', '.join(sorted(categories))}. Lines: {shown}{more}.",
        param="training_file",
    )


def _texts(value: object) -> Iterator[str]:
    """Yield every text inside a row, whatever its form."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, str):
            yield current
        elif isinstance(current, dict):
            waiting += cast("dict[str, object]", current).values()
        elif isinstance(current, list):
            waiting += cast("list[object]", current)
