"""TRL's preference forms: `prompt`, `chosen` and `rejected`, as messages or as text, prompt included or not.

Where there is no prompt, or it is text beside whole conversations, the prompt is what both conversations
begin with. `system`, which TRL does not know but many such datasets have, comes before it. Left out on reading: fields beside these, such as scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.forms._reading import (
    CallIds,
    Unsayable,
    conversation,
    listed,
    message,
    optional_text,
    preference,
    text,
    tools,
    with_tools,
)
from gpt4o_tune.data.forms._writing import pair_of, require_weight
from gpt4o_tune.data.forms.trl import read_messages, write_messages

if TYPE_CHECKING:
    from gpt4o_tune.data.decode import JsonObject

FIELDS = frozenset({"system", "prompt", "chosen", "rejected", "tools"})
_TOOL = "TRL"


def matches(record: JsonObject) -> bool:
    """Tell whether a record has the fields of the form."""
    return (
        "chosen" in record
        and "rejected" in record
        and record.keys().isdisjoint({"instruction", "conversations"})
    )


def read(record: JsonObject) -> JsonObject:
    """Make a row of a record."""
    prompt, outputs = _prompt(record), (_output(record, "chosen"), _output(record, "rejected"))
    if prompt is None or _starts_with(outputs[0], prompt):
        shared = _shared(*outputs)
        prompt, outputs = outputs[0][:shared], (outputs[0][shared:], outputs[1][shared:])
    if not prompt:
        raise Unsayable("there is no 'prompt', and none can be told from 'chosen' and 'rejected'")
    if not outputs[0] or not outputs[1]:
        raise Unsayable("'chosen' and 'rejected' are the same, or one is the start of the other")
    if any(output[0]["role"] != "assistant" for output in outputs):
        raise Unsayable("'chosen' and 'rejected' do not both go on from the prompt")
    opening = conversation(optional_text(record, "system"))
    return preference([*opening, *prompt], *outputs, tools(record.get("tools")))


def _prompt(record: JsonObject) -> list[JsonObject] | None:
    value = record.get("prompt")
    if value is None:
        return None
    if isinstance(value, str):
        return [message("user", value)]
    return read_messages(value, "prompt", CallIds())


def _output(record: JsonObject, key: str) -> list[JsonObject]:
    value = record.get(key)
    if isinstance(value, list):
        return read_messages(value, key, CallIds())
    return [message("assistant", text(record, key))]


def _starts_with(messages: list[JsonObject], prompt: list[JsonObject]) -> bool:
    """Tell whether an output repeats the prompt, perhaps after instructions."""
    said = [turn for turn in messages if turn["role"] != "system"]
    return len(messages) > len(prompt) and said[: len(prompt)] == prompt


def _shared(one: list[JsonObject], other: list[JsonObject]) -> int:
    """Count the messages with which both begin."""
    return next(
        (
            place
            for place, (left, right) in enumerate(zip(one, other, strict=False))
            if left != right
        ),
        min(len(one), len(other)),
    )


def write(row: JsonObject) -> JsonObject:
    """Make a record of a preference row."""
    pair = pair_of(row, _TOOL)
    for turn in (*pair.outputs[0], *pair.outputs[1]):
        require_weight(turn, _TOOL)
    chosen, rejected = (listed(write_messages(output)) for output in pair.outputs)
    record: JsonObject = {
        "prompt": listed(write_messages(pair.prompt)),
        "chosen": chosen,
        "rejected": rejected,
    }
    return with_tools(record, pair.tools)
