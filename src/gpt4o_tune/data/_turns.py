"""Parsed rows as a plain series of turns, whatever their format and however faulty they are.

Token counts and similarity must not fail on a row that a check would refuse: what is missing or of the
wrong type reads as empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, cast


class Turn(NamedTuple):
    """One message of a row."""

    message: Mapping[str, object]
    role: str
    is_target: bool
    """Whether the model learns to write it, or to prefer or avoid writing it."""


def turns(row: Mapping[str, object]) -> list[Turn]:
    """Return the messages of a chat, preference or reinforcement row, outputs last.

    Targets are the outputs of a preference row, and assistant messages whose `weight` is not 0 in a row
    that ends in an assistant message. A reinforcement row ends otherwise and has no target.
    """
    if "messages" in row:
        messages = [mapping(message) for message in items(row["messages"])]
        is_chat = bool(messages) and text(messages[-1].get("role")) == "assistant"
        return [_turn(message, is_chat=is_chat) for message in messages]
    context = items(mapping(row.get("input")).get("messages"))
    outputs = [*items(row.get("preferred_output")), *items(row.get("non_preferred_output"))]
    return [
        *(_turn(mapping(message), is_chat=False) for message in context),
        *(_turn(mapping(message), is_chat=True) for message in outputs),
    ]


def functions(row: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield the functions that a row declares, in the newer form (`tools`) and the older."""
    source = row if "messages" in row else mapping(row.get("input"))
    for tool in items(source.get("tools")):
        yield mapping(mapping(tool).get("function"))
    for function in items(source.get("functions")):
        yield mapping(function)


def texts(message: Mapping[str, object]) -> Iterator[str]:
    """Yield what a message says: its content, text by text, then a refusal."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in items(content):
        yield text(mapping(part).get("text"))
        yield text(mapping(part).get("refusal"))
    yield text(message.get("refusal"))


def calls(message: Mapping[str, object]) -> Iterator[str]:
    """Yield name and arguments of every function that a message calls."""
    called = [mapping(call).get("function") for call in items(message.get("tool_calls"))]
    for function in (*called, message.get("function_call")):
        yield text(mapping(function).get("name"))
        yield text(mapping(function).get("arguments"))


def images(message: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield the `image_url` object (keys `url` and `detail`) of every image in a message."""
    for part in items(message.get("content")):
        if mapping(part).get("type") == "image_url":
            yield mapping(mapping(part).get("image_url"))


def mapping(value: object) -> Mapping[str, object]:
    """Return an object as it is and anything else as an empty one."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[object]:
    """Return a list as it is and anything else as an empty one."""
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else ()


def text(value: object) -> str:
    """Return a string as it is and anything else as an empty one."""
    return value if isinstance(value, str) else ""


def _turn(message: Mapping[str, object], *, is_chat: bool) -> Turn:
    role = text(message.get("role"))
    is_target = is_chat and role == "assistant" and message.get("weight") != 0
    return Turn(message, role, is_target)
