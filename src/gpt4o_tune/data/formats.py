"""Which of the three formats of rows a dataset has, told from the rows."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias

from gpt4o_tune.data.decode import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gpt4o_tune.catalog import Method
    from gpt4o_tune.data.decode import Json

__all__ = ["METHOD_OF_FORMAT", "Format", "detect", "format_of"]

Format: TypeAlias = Literal["chat", "preference", "reinforcement"]

METHOD_OF_FORMAT: Mapping[Format, Method] = {
    "chat": "supervised",
    "preference": "dpo",
    "reinforcement": "reinforcement",
}

_SAMPLE = 20
_PREFERENCE_KEYS = frozenset(
    {"preferred_output", "non_preferred_output", "preferred_completion", "non_preferred_completion"}
)
_CHAT_KEYS = frozenset({"messages", "tools", "functions", "parallel_tool_calls"})


def detect(lines: Iterable[bytes]) -> Format:
    """Return the commonest format among the first rows that tell; chat where none does."""
    told: Counter[Format] = Counter()
    for line in islice(lines, _SAMPLE):
        try:
            row = decode(line)
        except ValueError:
            continue
        if found := format_of(row):
            told[found] += 1
    return told.most_common(1)[0][0] if told else "chat"


def format_of(row: Mapping[str, Json]) -> Format | None:
    """Return the format that a row shows, or None where it shows none.

    A reinforcement row ends with the prompt and carries fields of its own for the grader.
    """
    if not _PREFERENCE_KEYS.isdisjoint(row):
        return "preference"
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        return None
    last = messages[-1]
    ends_with_prompt = isinstance(last, dict) and last.get("role") in ("user", "developer")
    if ends_with_prompt and row.keys() - _CHAT_KEYS:
        return "reinforcement"
    return "chat"
