"""Chat messages as the turns that the tiny model reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from gpt4o_tune.local.engines.tool_calls import render_tool_calls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
INSTRUCTION_ROLES = frozenset({"system", "developer"})


@dataclass(frozen=True, slots=True)
class Turn:
    """One message, reduced to text."""

    role: str
    text: str
    tool_calls: str = ""
    """Calls of an assistant message, one a line; empty if it makes none."""
    trained: bool = False
    """Whether the loss counts this turn."""


def render(messages: Sequence[Mapping[str, object]]) -> list[Turn]:
    """Turn chat messages into turns; assistant messages are trained unless their `weight` is 0."""
    return [_turn(message) for message in messages]


def _turn(message: Mapping[str, object]) -> Turn:
    role = str(message.get("role"))
    text = _text(message.get("content"))
    if role != "assistant":
        return Turn(role=role if role in ROLES else "user", text=text)
    return Turn(
        role=role,
        text=text or _text(message.get("refusal")),
        tool_calls=render_tool_calls(message),
        trained=message.get("weight") != 0,
    )


def _text(content: object) -> str:
    """Join the text of a message's content, with a marker in the place of each other part."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "\n".join(_part_text(part) for part in cast("list[Mapping[str, object]]", content))


def _part_text(part: Mapping[str, object]) -> str:
    kind = str(part.get("type"))
    if kind in ("text", "refusal"):
        return str(part.get(kind) or "")
    return f"[{kind.removeprefix('input_').removesuffix('_url')}]"
