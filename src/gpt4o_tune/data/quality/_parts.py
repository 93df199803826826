"""A row cut into the texts that a profile looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data import _turns

if TYPE_CHECKING:
    from collections.abc import Mapping

_INSTRUCTIONS = frozenset({"system", "developer"})


class RowParts(NamedTuple):
    """The texts of a row by the part that they play, and what else it holds."""

    instructions: str
    """System and developer messages; empty where there are none."""
    prompts: list[str]
    """User messages."""
    answers: list[str]
    """What the model learns to write, or to prefer."""
    rejected: list[str]
    """What the model learns to avoid; preference rows only."""
    messages: int
    images: int
    declares_tools: bool
    calls: bool
    """Whether a learned message calls a function."""
    ignored: int
    """Assistant messages of `weight` 0."""
    refuses: bool
    """Whether a learned message has text in its `refusal` field."""


def row_parts(row: Mapping[str, object]) -> RowParts:
    """Cut a row into parts; what is missing or of the wrong type reads as empty."""
    turns = _turns.turns(row)
    rejected_messages = _turns.items(row.get("non_preferred_output"))
    learned_until = len(turns) - len(rejected_messages)
    instructions: list[str] = []
    prompts: list[str] = []
    answers: list[str] = []
    rejected: list[str] = []
    images = ignored = 0
    calls = refuses = False
    for place, (message, role, is_target) in enumerate(turns):
        said = "\n".join(filter(None, _turns.texts(message)))
        images += sum(1 for _ in _turns.images(message))
        if role in _INSTRUCTIONS:
            instructions.append(said)
        elif role == "user":
            prompts.append(said)
        elif is_target and place >= learned_until:
            rejected.append(said)
        elif is_target:
            answers.append(said)
            calls = calls or any(_turns.calls(message))
            refuses = refuses or _has_refusal(message)
        elif role == "assistant":
            ignored += message.get("weight") == 0
    return RowParts(
        "\n\n".join(instructions),
        prompts,
        answers,
        rejected,
        len(turns) - len(rejected_messages),
        images,
        any(True for _ in _turns.functions(row)),
        calls,
        ignored,
        refuses,
    )


def _has_refusal(message: Mapping[str, object]) -> bool:
    parts = map(_turns.mapping, _turns.items(message.get("content")))
    return any(_turns.text(item.get("refusal")) for item in (message, *parts))
