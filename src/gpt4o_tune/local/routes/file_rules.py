"""What a file must be, however its bytes arrive: one rule a function, in the service's wording."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast, get_args

from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.store.records import FilePurpose

if TYPE_CHECKING:
    from pathlib import Path

    from gpt4o_tune.catalog import Limits

_PURPOSES: tuple[str, ...] = tuple(
    purpose
    for purpose in get_args(FilePurpose)
    if purpose not in ("fine-tune-results", "batch_output")
)
_FIRST_LINE_BYTES = 8 * 1024 * 1024
_NOT_JSONL = "Expected file to have JSONL format, where every line is a JSON dictionary."


def require_purpose(purpose: str | None) -> FilePurpose:
    """Refuse a purpose that clients may not give a file."""
    if purpose in _PURPOSES:
        return cast("FilePurpose", purpose)
    offered = ", ".join(repr(each) for each in _PURPOSES)
    raise ApiError(
        f"Invalid value for 'purpose': {purpose!r}. The local server takes {offered}.",
        param="purpose",
        code="invalid_value",
    )


def require_expiry(seconds: int, limits: Limits) -> int:
    """Refuse a life of a file that is too short or too long."""
    shortest, longest = limits.file_expiry_seconds
    if shortest <= seconds <= longest:
        return seconds
    raise ApiError(
        f"Invalid value: {seconds}. Expected seconds from {shortest} to {longest}.",
        param="expires_after[seconds]",
        code="invalid_value",
    )


def require_jsonl_name(filename: str, *, param: str) -> None:
    """Refuse a fine-tuning file without the extension."""
    if not filename.lower().endswith(".jsonl"):
        raise ApiError("Invalid file format for Fine-Tuning API. Must be .jsonl", param=param)


def require_jsonl_start(path: Path, *, param: str) -> None:
    """Refuse at once what is no JSONL by its first line that is not blank; the job checks the rest."""
    with path.open("rb") as file:
        number, line = 1, file.readline(_FIRST_LINE_BYTES)
        while line and not line.strip():
            number, line = number + 1, file.readline(_FIRST_LINE_BYTES)
    if not line or len(line) == _FIRST_LINE_BYTES:
        return
    try:
        first = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        first = None
    if not isinstance(first, dict):
        raise ApiError(f"{_NOT_JSONL} Line {number} is not a dictionary.", param=param)
