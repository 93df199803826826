"""axolotl's `chat_template` type: messages whose `train` says whether an answer is learnt.

Its form for preferences (`chat_template.default`) takes role and text of one message each, and no tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.forms._reading import Unsayable, chat, without_nulls
from gpt4o_tune.data.forms._writing import (
    pair_of,
    parts_of,
    plain_text,
    require_fields,
    role_of,
    single,
    text_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gpt4o_tune.data.decode import Json, JsonObject

_TOOL = "axolotl"


def write(row: JsonObject) -> JsonObject:
    """Make a record of a chat row."""
    messages, declared = parts_of(row, _TOOL)
    return chat((_write_message(turn) for turn in messages), declared)


def _write_message(turn: JsonObject) -> JsonObject:
    role = role_of(turn, _TOOL)
    known = {"role", "content", "name", "weight", "tool_calls", "tool_call_id"}
    require_fields(turn, known, f"a message of role {role!r}", _TOOL)
    text_of(turn, _TOOL)
    written = without_nulls(turn)
    weight = written.pop("weight", None)
    return written | ({} if weight is None else {"train": weight != 0})


def write_preference(row: JsonObject) -> JsonObject:
    """Make a record of a preference row.

    Raises:
        Unsayable: There are tools, or more than role and text in a message.
    """
    pair = pair_of(row, _TOOL)
    if pair.tools:
        raise Unsayable(f"{_TOOL} has no place for tools in preference rows")
    chosen, rejected = (_plain(single(output, _TOOL)) for output in pair.outputs)
    prompt: list[Json] = [_plain(turn) for turn in pair.prompt]
    return {"messages": prompt, "chosen": chosen, "rejected": rejected}


def _plain(turn: JsonObject) -> JsonObject:
    role, said = plain_text(turn, _TOOL)
    return {"role": role, "content": said}


def settings(path: Path, *, is_preference: bool, weighted: bool) -> JsonObject:
    """Return the entry of `datasets` in the configuration; preferences also want `rl: dpo`."""
    entry: JsonObject = {"path": str(path), "ds_type": "json"}
    if is_preference:
        return entry | {"type": "chat_template.default"}
    entry |= {"type": "chat_template", "roles_to_train": ["assistant"]}
    return entry | ({"message_field_training": "train"} if weighted else {})
