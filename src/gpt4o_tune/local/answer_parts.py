"""From an engine's tokens to the parts of an answer: stop sequences end it, tool calls are read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal

from gpt4o_tune.local.engines import parse_tool_calls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpt4o_tune.local.engines import GeneratedToken

FinishReason = Literal["stop", "length", "tool_calls"]
CallReading = Literal["as text", "checked", "guided"]
"""What becomes of tokens that an engine marks as tool calls: they stay text; or they are calls if
they turn out to be sound ones; or a grammar saw to it that they are."""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer's text, with the tokens that it came from."""

    text: str
    tokens: tuple[GeneratedToken, ...]


@dataclass(frozen=True, slots=True)
class CallStart:
    """The beginning of a call that the model asks for."""

    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """A piece of the arguments of the call that began last."""

    text: str


@dataclass(frozen=True, slots=True)
class End:
    """The end of the answer."""

    reason: FinishReason


Part = Text | CallStart | CallArguments | End


def read_parts(
    tokens: Iterator[GeneratedToken], *, stops: Sequence[str], calls: CallReading
) -> Iterator[Part]:
    """Turn tokens into parts, the last of which is an `End`.

    Args:
        tokens: What the engine generates; read no further than needed.
        stops: Texts that end the answer and do not appear in it. They do not end calls.
        calls: How to read tool calls.
    """
    text, held = "", list["GeneratedToken"]()
    for token in tokens:
        if token.is_tool_call and calls != "as text":
            if held:
                yield Text(text, tuple(held))
            rest = chain([token], tokens)
            yield from _guided(rest) if calls == "guided" else _checked(rest, stops)
            return
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


def _guided(tokens: Iterator[GeneratedToken]) -> Iterator[Part]:
    """Give calls piece by piece as they are written."""
    name: str | None = ""
    for token in tokens:
        for index, line in enumerate(token.text.split("\n")):
            name = "" if index else name
            if name is None:
                arguments = line
            else:
                name, space, arguments = (name + line).partition(" ")
                if not space:
                    continue
                yield CallStart(name)
                name = None
            if arguments:
                yield CallArguments(arguments)
        if token.finish_reason is not None:
            yield End("tool_calls" if token.finish_reason == "stop" else token.finish_reason)
            return


def _checked(tokens: Iterator[GeneratedToken], stops: Sequence[str]) -> Iterator[Part]:
    """Give calls where all of the text is made of sound ones, otherwise the text as it is."""
    held = [*_until_end(tokens)]
    calls = parse_tool_calls("".join(token.text for token in held))
    if not calls or not all(call.name and _is_object(call.arguments) for call in calls):
        yield from read_parts(iter(held), stops=stops, calls="as text")
        return
    for call in calls:
        yield CallStart(call.name)
        yield CallArguments(call.arguments)
    yield End("tool_calls")


def _until_end(tokens: Iterator[GeneratedToken]) -> Iterator[GeneratedToken]:
    for token in tokens:
        yield token
        if token.finish_reason is not None:
            return


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False
