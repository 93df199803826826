"""Tool calls as text, so that a language model can learn and write them.

One call a line: the function's name, a space, and the arguments as JSON on that same line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that an assistant asks for."""

    name: str
    arguments: str
    """JSON text, as in the Chat Completions API."""


def render_tool_calls(message: Mapping[str, object]) -> str:
    """Write an assistant message's `tool_calls` and `function_call` as text, empty if none."""
    return "\n".join(
        f"{call.get('name', '')} {_one_line(call.get('arguments'))}" for call in _calls(message)
    )


def parse_tool_calls(text: str) -> tuple[ToolCall, ...]:
    """Read back what `render_tool_calls` wrote; arguments stand as written, valid JSON or not."""
    parts = (line.partition(" ") for line in text.split("\n") if line.strip())
    return tuple(ToolCall(name=name, arguments=arguments or "{}") for name, _, arguments in parts)


def _calls(message: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    for call in cast("list[Mapping[str, object]]", message.get("tool_calls") or []):
        yield cast("Mapping[str, object]", call.get("function") or {})
    if function_call := message.get("function_call"):
        yield cast("Mapping[str, object]", function_call)


def _one_line(arguments: object) -> str:
    """Normalise JSON arguments to one line; text that is not JSON only loses its line breaks."""
    if not isinstance(arguments, str):
        return "{}"
    try:
        return json.dumps(json.loads(arguments), ensure_ascii=False)
    except ValueError:
        return " ".join(arguments.split())
