"""A few rows as they are, for a reader to look at."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.data import _turns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SampleMessage", "SampleRow"]

_MAX_CHARS = 6_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMessage:
    """A message of a sample row."""

    role: str
    """Who says it; `preferred` and `rejected` for the outputs of a preference row."""
    text: str
    """Its first 6,000 characters; calls of tools as `name(arguments)`."""
    left_out: int
    """Characters behind these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """A row of the sample."""

    row: int
    messages: tuple[SampleMessage, ...]


def sample_rows(
    rows: Sequence[Mapping[str, object]], *, count: int, seed: int
) -> tuple[SampleRow, ...]:
    """Draw rows, in the order in which they stand."""
    drawn = random.Random(seed).sample(range(len(rows)), min(count, len(rows)))  # noqa: S311  # no secret
    return tuple(_row(number, rows[number]) for number in sorted(drawn))


def _row(number: int, row: Mapping[str, object]) -> SampleRow:
    turns = _turns.turns(row)
    rejected = len(turns) - len(_turns.items(row.get("non_preferred_output")))
    preferred = rejected - len(_turns.items(row.get("preferred_output")))
    is_pair = preferred < len(turns)
    messages: list[SampleMessage] = []
    for place, (message, role, _) in enumerate(turns):
        if is_pair and place >= preferred:
            role = "rejected" if place >= rejected else "preferred"
        text = "\n".join(filter(None, (*_turns.texts(message), *_shown_calls(message))))
        left_out = max(0, len(text) - _MAX_CHARS)
        messages.append(SampleMessage(role=role, text=text[:_MAX_CHARS], left_out=left_out))
    return SampleRow(row=number, messages=tuple(messages))


def _shown_calls(message: Mapping[str, object]) -> list[str]:
    parts = list(_turns.calls(message))
    return [
        f"{name}({arguments})"
        for name, arguments in zip(parts[::2], parts[1::2], strict=True)
        if name
    ]
