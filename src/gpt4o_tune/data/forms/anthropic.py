"""Anthropic's Messages API: a request, or a request with its response, as blocks of content.

A record is a request (`system`, `messages`, `tools`), perhaps with the `response`, or has both under
`request` and `response`. Left out: settings of the request, usage, `cache_control`, `citations`, the
mark `is_error` of a result, and thinking, which is never part of an answer. Refused: documents and
tools that run on the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import kind, shown
from gpt4o_tune.data.forms._reading import (
    Unsayable,
    an_object,
    call,
    chat,
    message,
    objects,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune.data.decode import Json, JsonObject

_BLOCKS = ("tool_use", "tool_result", "thinking", "redacted_thinking")
_LEFT_OUT = ("thinking", "redacted_thinking")


def matches(record: JsonObject) -> bool:
    """Tell whether a record has what only this API has."""
    response = record.get("response")
    if isinstance(response, dict) and response.get("type") == "message":
        return True
    messages = record.get("messages")
    if not isinstance(messages, list):
        return False
    declared = record.get("tools")
    is_declaring = isinstance(declared, list) and any(
        isinstance(tool, dict) and "input_schema" in tool for tool in declared
    )
    return "system" in record or is_declaring or any(map(_has_blocks, messages))


def _has_blocks(turn: Json) -> bool:
    content = turn.get("content") if isinstance(turn, dict) else None
    return isinstance(content, list) and any(
        isinstance(block, dict) and (block.get("type") in _BLOCKS or "source" in block)
        for block in content
    )


def read(record: JsonObject) -> JsonObject:
    """Make a row of a record."""
    request = record.get("request", record)
    asked = an_object(request, "request")
    response = record.get("response")
    turns = objects(asked.get("messages"), "messages")
    if response is not None:
        turns = [*turns, an_object(response, "response")]
    messages = [*_system(asked.get("system")), *(part for turn in turns for part in _turn(turn))]
    declared = objects(asked.get("tools") or [], "tools")
    return chat(messages, [_tool(tool) for tool in declared])


def _system(value: Json) -> list[JsonObject]:
    if not value:
        return []
    return [message("system", value if isinstance(value, str) else _texts(value, "system"))]


def _turn(turn: JsonObject) -> Iterator[JsonObject]:
    """Make the messages of a turn: a user's may hold results of tools before what the user says."""
    role, content = text(turn, "role"), turn.get("content")
    if role not in ("user", "assistant"):
        raise Unsayable(f"the role {shown(role)} is not one of this API")
    if isinstance(content, str):
        yield message(role, content)
        return
    blocks = [block for block in objects(content, "content") if block.get("type") not in _LEFT_OUT]
    if role == "assistant":
        yield _assistant(blocks)
        return
    said: list[Json] = []
    for block in blocks:
        if block.get("type") == "tool_result":
            if said:
                raise Unsayable("a tool's result stands after what the user says")
            yield _result(block)
        else:
            said.append(_part(block))
    if said:
        yield message(role, _simplest(said))


def _assistant(blocks: list[JsonObject]) -> JsonObject:
    said: list[Json] = []
    calls: list[Json] = []
    for block in blocks:
        if block.get("type") == "tool_use":
            given = an_object(block.get("input"), "input")
            calls.append(call(text(block, "id"), text(block, "name"), given))
        elif calls:
            raise Unsayable("the assistant says something after a call, which no message can hold")
        else:
            said.append(_text(block))
    if not calls:
        return message("assistant", _simplest(said) if said else "")
    turn: JsonObject = {"role": "assistant", "tool_calls": calls}
    return {**turn, "content": _simplest(said)} if said else turn


def _result(block: JsonObject) -> JsonObject:
    content = block.get("content")
    said = content if isinstance(content, str) else _texts(content or [], "content")
    return {"role": "tool", "tool_call_id": text(block, "tool_use_id"), "content": said}


def _texts(value: Json, path: str) -> Json:
    parts: list[Json] = [_text(block) for block in objects(value, path)]
    return _simplest(parts) if parts else ""


def _simplest(parts: list[Json]) -> Json:
    """Return one part of text as text."""
    match parts:
        case [{"type": "text", "text": said}]:
            return said
        case _:
            return parts


def _part(block: JsonObject) -> JsonObject:
    if block.get("type") == "image":
        return {"type": "image_url", "image_url": {"url": _url(block)}}
    return _text(block)


def _text(block: JsonObject) -> JsonObject:
    if block.get("type") != "text":
        raise Unsayable(f"a block of type {shown(block.get('type'))} has no place in a message")
    return {"type": "text", "text": text(block, "text")}


def _url(block: JsonObject) -> str:
    match block.get("source"):
        case {"type": "base64", "media_type": str(media), "data": str(image)}:
            return f"data:{media};base64,{image}"
        case {"type": "url", "url": str(url)}:
            return url
        case other:
            raise Unsayable(f"the source of an image is {kind(other)} of an unknown type")


def _tool(tool: JsonObject) -> JsonObject:
    if tool.get("type") not in (None, "custom"):
        raise Unsayable(f"the tool of type {shown(tool['type'])} runs on the server")
    function: JsonObject = {"name": text(tool, "name")}
    if tool.get("description") is not None:
        function["description"] = tool["description"]
    function["parameters"] = an_object(tool.get("input_schema"), "input_schema")
    return {"type": "function", "function": function}
