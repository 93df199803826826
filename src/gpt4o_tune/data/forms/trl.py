"""TRL's conversational forms: `messages`, or lists `prompt` and `completion`, or `prompt` alone.

TRL computes no loss on a prompt, so its answers read as weight 0; that is also how weights are written.
Arguments are objects there and JSON text here: white space in them is not kept. A tool's message bears
the function's `name`, which is left out on reading, as are fields beside the conversation; those beside
a prompt alone stay, because reinforcement rows carry what their grader needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.forms._reading import (
    CallIds,
    Unsayable,
    an_object,
    call,
    chat,
    listed,
    objects,
    require_unjudged,
    text,
    tools,
    with_tools,
    without_nulls,
)
from gpt4o_tune.data.forms._writing import (
    arguments_of,
    calls_of,
    function_of,
    parts_of,
    require_fields,
    role_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpt4o_tune.data.decode import Json, JsonObject

FIELDS = frozenset({"messages", "prompt", "completion", "tools"})
_TOOL = "TRL"


def matches(record: JsonObject) -> bool:
    """Tell whether a record is a conversation that only TRL writes so."""
    if isinstance(record.get("prompt"), list):
        return "chosen" not in record
    messages = record.get("messages")
    return isinstance(messages, list) and any(map(_has_object_arguments, messages))


def _has_object_arguments(turn: Json) -> bool:
    match turn:
        case {"tool_calls": [{"function": {"arguments": dict()}}, *_]}:
            return True
        case _:
            return False


def read(record: JsonObject) -> JsonObject:
    """Make a row of a record: chat, or reinforcement where there is a prompt alone."""
    ids = CallIds()
    declared = tools(record.get("tools"))
    require_unjudged(record)
    if record.get("prompt") is None:
        return chat(read_messages(record.get("messages"), "messages", ids), declared)
    if record.get("messages") is not None:
        raise Unsayable("it has both 'messages' and 'prompt'; leave one of them out")
    prompt = read_messages(record["prompt"], "prompt", ids)
    if record.get("completion") is None:
        others = {key: value for key, value in record.items() if key not in ("prompt", "tools")}
        return chat(prompt, declared) | others
    completion = read_messages(record["completion"], "completion", ids)
    untrained = [turn | {"weight": 0} if turn["role"] == "assistant" else turn for turn in prompt]
    return chat([*untrained, *completion], declared)


def read_messages(value: Json, path: str, ids: CallIds) -> list[JsonObject]:
    """Make messages of TRL's; calls get ids where they have none."""
    return [_read_message(turn, ids) for turn in objects(value, path)]


def _read_message(given: JsonObject, ids: CallIds) -> JsonObject:
    turn = without_nulls(given)
    role = text(turn, "role")
    if "tool_calls" in turn:
        turn["tool_calls"] = [_read_call(one, ids) for one in calls_of(turn)]
    if role == "tool":
        turn["tool_call_id"] = ids.answered(turn.get("tool_call_id"))
        turn.pop("name", None)
    return turn


def _read_call(given: JsonObject, ids: CallIds) -> JsonObject:
    function = an_object(given.get("function"), "function")
    return call(ids.called(given.get("id")), text(function, "name"), function.get("arguments"))


def write(row: JsonObject, *, weighted: bool) -> JsonObject:
    """Make a record of a chat row.

    Args:
        row: The row.
        weighted: Whether some row of the dataset has an answer of weight 0, so that all are written as
            prompt and completion, of which TRL trains the completion alone.

    Raises:
        Unsayable: An answer before the last is to be trained, though some row has weights.
    """
    messages, declared = parts_of(row, _TOOL)
    written = listed(write_messages(messages))
    if not weighted:
        return with_tools({"messages": written}, declared)
    last = len(messages)
    while last and _is_trained(messages[last - 1]):
        last -= 1
    if last == len(messages) or any(map(_is_trained, messages[:last])):
        raise Unsayable(
            f"{_TOOL} leaves answers out only before the last one, and does so for all rows or none; "
            "give the answers before the last weight 0, or export for axolotl, mistral or together"
        )
    return with_tools({"prompt": written[:last], "completion": written[last:]}, declared)


def write_prompt(row: JsonObject) -> JsonObject:
    """Make a record of a reinforcement row; fields for the grader stay beside the prompt."""
    others = {
        key: value for key, value in row.items() if key not in ("messages", "parallel_tool_calls")
    }
    return {"prompt": listed(write_messages(objects(row["messages"], "messages"))), **others}


def write_messages(messages: Iterable[JsonObject]) -> Iterable[JsonObject]:
    """Make TRL's messages; a tool's bears the name of the function that was called."""
    names: dict[str, Json] = {}
    for turn in messages:
        role = role_of(turn, _TOOL)
        known = {"role", "content", "name", "weight", "tool_calls", "tool_call_id"}
        require_fields(turn, known, f"a message of role {role!r}", _TOOL)
        text_of(turn, _TOOL)
        written = {key: item for key, item in without_nulls(turn).items() if key != "weight"}
        if calls := calls_of(turn):
            written["tool_calls"] = [_write_call(one) for one in calls]
            names |= {str(one.get("id")): function_of(one).get("name") for one in calls}
        if role == "tool":
            written |= without_nulls({"name": names.get(str(turn.get("tool_call_id")))})
        yield written


def _write_call(given: JsonObject) -> JsonObject:
    function = function_of(given)
    return {**given, "function": {**function, "arguments": arguments_of(function, _TOOL)}}


def _is_trained(turn: JsonObject) -> bool:
    return turn.get("role") == "assistant" and turn.get("weight") != 0


def settings(*, weighted: bool) -> JsonObject:
    """Return the fields of `SFTConfig` that make TRL train what a chat row says."""
    return {"completion_only_loss": True} if weighted else {"assistant_only_loss": True}
