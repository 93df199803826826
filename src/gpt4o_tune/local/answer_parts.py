"""From an engine's tokens to the parts of an answer: stop sequences end it, tool calls are read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gpt4o_tune.local.engines import ToolCall, parse_tool_calls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpt4o_tune.local.engines import GeneratedToken

FinishReason = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer's text, with the tokens that it came from."""

    text: str
    tokens: tuple[GeneratedToken, ...]


@dataclass(frozen=True, slots=True)
class Calls:
    """The tool calls that the model asks for instead of answering."""

    calls: tuple[ToolCall, ...]
    text: str
    """The same as the model wrote it, for counting."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of the answer."""

    reason: FinishReason


Part = Text | Calls | End


def read_parts(
    tokens: Iterator[GeneratedToken], *, stops: Sequence[str], takes_calls: bool
) -> Iterator[Part]:
    """Turn tokens into parts, the last of which is an `End`.

    Args:
        tokens: What the engine generates; read no further than needed.
        stops: Texts that end the answer and do not appear in it.
        takes_calls: Read what the engine marks as tool calls; otherwise it is text.
    """
    parts = _cut(tokens, stops)
    for part in parts:
        if isinstance(part, Text) and takes_calls and _is_call(part):
            yield from _read_calls([part, *parts])
            return
        yield part


def _is_call(part: Text) -> bool:
    return bool(part.tokens) and part.tokens[0].is_tool_call


def _cut(tokens: Iterator[GeneratedToken], stops: Sequence[str]) -> Iterator[Text | End]:
    text, held = "", list["GeneratedToken"]()
    for token in tokens:
        text += token.text
        held.append(token)
        cut = min((at for stop in stops if (at := text.find(stop)) >= 0), default=None)
        if cut is not None:
            yield Text(text[:cut], _starting_before(held, cut))
            yield End("stop")
            return
        if token.finish_reason is not None:
            yield Text(text, tuple(held))
            yield End(token.finish_reason)
            return
        if text and not any(_may_begin(text, stop) for stop in stops):
            yield Text(text, tuple(held))
            text, held = "", []


def _starting_before(tokens: list[GeneratedToken], cut: int) -> tuple[GeneratedToken, ...]:
    kept: list[GeneratedToken] = []
    start = 0
    for token in tokens:
        if start >= cut:
            break
        kept.append(token)
        start += len(token.text)
    return tuple(kept)


def _may_begin(text: str, stop: str) -> bool:
    """Whether the text ends with something that more text may turn into `stop`."""
    return any(text.endswith(stop[:length]) for length in range(1, len(stop)))


def _read_calls(parts: Sequence[Text | End]) -> Iterator[Part]:
    """Give tool calls where all of the text is made of sound ones, otherwise the text as it is."""
    text = "".join(part.text for part in parts if isinstance(part, Text))
    calls = parse_tool_calls(text)
    if calls and all(call.name and _is_object(call.arguments) for call in calls):
        yield Calls(calls, text)
        yield End("tool_calls")
    else:
        yield from parts


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False
