"""ShareGPT: `conversations` of turns with `from` and `value`, and what LLaMA-Factory adds to it.

Calls are turns of `function_call` and results turns of `observation`; both are without ids, so results
must stand in the order of their calls, and reading numbers the calls `call_1` on. Left out on reading:
fields beside the conversation, such as `id` and `source`. Not kept: white space in arguments.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import shown
from gpt4o_tune.data.forms._reading import (
    CallIds,
    Unsayable,
    an_object,
    call,
    chat,
    listed,
    message,
    objects,
    optional_text,
    parsed,
    preference,
    text,
    tools,
    without_nulls,
)
from gpt4o_tune.data.forms._writing import (
    arguments_of,
    calls_of,
    function_of,
    is_preference,
    pair_of,
    require_fields,
    require_weight,
    role_of,
    single,
    text_of,
)

if TYPE_CHECKING:
    from gpt4o_tune.data.decode import Json, JsonObject

FIELDS = frozenset({"conversations", "system", "tools", "chosen", "rejected"})

_ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "function_call": "call",
    "observation": "tool",
    "tool": "tool",
    "function_response": "tool",
}
_NAMES = {"system": "system", "user": "human", "assistant": "gpt"}


def matches(record: JsonObject) -> bool:
    """Tell whether a record has the fields of the form."""
    return "conversations" in record


def read(record: JsonObject) -> JsonObject:
    """Make a row of a record."""
    ids = CallIds()
    system = optional_text(record, "system")
    opening = [message("system", system)] if system else []
    turns = objects(record.get("conversations"), "conversations")
    messages = [*opening, *(_read_turn(turn, ids) for turn in turns)]
    declared = tools(record.get("tools"))
    if record.get("chosen") is None:
        return chat(messages, declared)
    better, worse = (
        _read_turn(an_object(record.get(key), key), ids) for key in ("chosen", "rejected")
    )
    return preference(messages, [better], [worse], declared)


def _read_turn(turn: JsonObject, ids: CallIds) -> JsonObject:
    given = without_nulls(turn)
    who, says = ("from", "value") if "from" in given else ("role", "content")
    if extra := given.keys() - {who, says}:
        raise Unsayable(
            f"a turn has the field {shown(min(extra))}, which has no place in a message"
        )
    name = text(given, who)
    role = _ROLES.get(name.lower())
    if role is None:
        raise Unsayable(f"a turn is from {name!r}; known are {', '.join(_ROLES)}")
    said = text(given, says) if says in given else ""
    if role == "call":
        return {"role": "assistant", "tool_calls": _read_calls(said, ids)}
    if role == "tool":
        return {"role": "tool", "tool_call_id": ids.answered(), "content": said}
    return message(role, said)


def _read_calls(said: str, ids: CallIds) -> list[Json]:
    value = parsed(said, "function_call")
    calls = objects(value if isinstance(value, list) else [value], "function_call")
    return [call(ids.called(), text(one, "name"), one.get("arguments")) for one in calls]


def write(row: JsonObject, *, tool: str = "ShareGPT") -> JsonObject:
    """Make a record of a row."""
    pair = pair_of(row, tool)
    ids: list[Json] = []
    prompt = [_write_turn(turn, ids, tool) for turn in pair.prompt]
    outputs = [_write_turn(single(output, tool), ids, tool) for output in pair.outputs]
    conversation = listed(prompt) if is_preference(row) else listed([*prompt, *outputs])
    record: JsonObject = {"conversations": conversation}
    if is_preference(row):
        record |= {"chosen": outputs[0], "rejected": outputs[1]}
    if pair.tools:
        record["tools"] = _text([function_of(declared) for declared in pair.tools])
    return record


def _write_turn(turn: JsonObject, ids: list[Json], tool: str) -> JsonObject:
    require_weight(turn, tool)
    role = role_of(turn, tool)
    known = {"role", "content", "weight", "tool_calls", "tool_call_id"}
    require_fields(turn, known, f"a message of role {role!r}", tool)
    said = text_of(turn, tool)
    if role == "tool":
        if not ids or ids.pop(0) != turn.get("tool_call_id"):
            raise Unsayable(
                f"{tool} has no call ids, so results must follow the order of the calls"
            )
        return {"from": "observation", "value": said}
    calls = calls_of(turn)
    if not calls:
        return {"from": _NAMES[role], "value": said}
    if said:
        raise Unsayable(f"{tool} has no place for text beside a call")
    ids += [one.get("id") for one in calls]
    said = [_write_call(function_of(one), tool) for one in calls]
    return {"from": "function_call", "value": _text(said if len(said) > 1 else said[0])}


def _write_call(called: JsonObject, tool: str) -> JsonObject:
    return {"name": text(called, "name"), "arguments": arguments_of(called, tool)}


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
