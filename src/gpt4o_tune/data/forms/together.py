"""Together AI: OpenAI's own rows, with a weight for every message as soon as one has a weight.

A weight anywhere makes Together train on inputs too, so that a user's message without weight 0 would be
learnt as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.forms._reading import chat, preference, without_nulls
from gpt4o_tune.data.forms._writing import (
    pair_of,
    parts_of,
    require_fields,
    require_weight,
    role_of,
    single,
)

if TYPE_CHECKING:
    from gpt4o_tune.data.decode import JsonObject

_TOOL = "Together"


def write(row: JsonObject, *, weighted: bool) -> JsonObject:
    """Make a record of a chat row.

    Args:
        row: The row.
        weighted: Whether some row of the dataset has a weight of 0.
    """
    messages, declared = parts_of(row, _TOOL)
    return chat((_write_message(turn, weighted) for turn in messages), declared)


def write_preference(row: JsonObject) -> JsonObject:
    """Make a record of a preference row."""
    pair = pair_of(row, _TOOL)
    better, worse = (single(output, _TOOL) for output in pair.outputs)
    for turn in (better, worse):
        require_weight(turn, _TOOL)
    return preference(
        (_write_message(turn, False) for turn in pair.prompt),
        [_write_message(better, False)],
        [_write_message(worse, False)],
        pair.tools,
    )


def _write_message(turn: JsonObject, weighted: bool) -> JsonObject:
    role = role_of(turn, _TOOL)
    known = {"role", "content", "name", "weight", "tool_calls", "tool_call_id"}
    require_fields(turn, known, f"a message of role {role!r}", _TOOL)
    written = without_nulls(turn)
    weight = written.pop("weight", 1)
    return written | ({"weight": weight if role == "assistant" else 0} if weighted else {})
