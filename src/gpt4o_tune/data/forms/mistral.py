"""Mistral: messages as OpenAI's, with `weight`, and call ids of exactly nine letters and digits.

Other ids are replaced by the start of their SHA-256, the same in a call and in its result. There is no
form for preferences.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from gpt4o_tune.data.forms._reading import chat, listed, without_nulls
from gpt4o_tune.data.forms._writing import calls_of, parts_of, require_fields, role_of

if TYPE_CHECKING:
    from gpt4o_tune.data.decode import Json, JsonObject

_TOOL = "Mistral"
_ID = re.compile(r"[A-Za-z0-9]{9}")
"""From the README of mistral-finetune."""


def write(row: JsonObject) -> JsonObject:
    """Make a record of a chat row."""
    messages, declared = parts_of(row, _TOOL)
    return chat((_write_message(turn) for turn in messages), declared)


def _write_message(turn: JsonObject) -> JsonObject:
    role = role_of(turn, _TOOL)
    known = {"role", "content", "weight", "tool_calls", "tool_call_id"}
    require_fields(turn, known, f"a message of role {role!r}", _TOOL)
    written = without_nulls(turn)
    if calls := calls_of(turn):
        written["tool_calls"] = listed({**one, "id": _id(one.get("id"))} for one in calls)
    if "tool_call_id" in written:
        written["tool_call_id"] = _id(written["tool_call_id"])
    return written


def _id(identifier: Json) -> str:
    given = str(identifier)
    return given if _ID.fullmatch(given) else hashlib.sha256(given.encode()).hexdigest()[:9]
