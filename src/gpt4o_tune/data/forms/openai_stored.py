"""Stored chat completions of OpenAI, each with its input messages under `messages`.

`client.chat.completions.list()` gives the completions, `.messages.list(id)` what was asked: merge each
completion's `to_dict()` with `messages`, as a list or as the page that the API gives. Left out: ids,
metadata, usage and settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.forms._reading import chat, objects, tools, without_nulls
from gpt4o_tune.data.forms.openai_batch import answer

if TYPE_CHECKING:
    from gpt4o_tune.data.decode import JsonObject


def matches(record: JsonObject) -> bool:
    """Tell whether a record has the fields of the form."""
    return record.get("object") == "chat.completion" and "choices" in record


def read(record: JsonObject) -> JsonObject:
    """Make a row of a record."""
    page = record.get("messages")
    listed = page.get("data") if isinstance(page, dict) else page
    asked = [_message(turn) for turn in objects(listed, "messages")]
    return chat([*asked, answer(record)], tools(record.get("tools")))


def _message(stored: JsonObject) -> JsonObject:
    """Make a message of a stored one, which has its parts in a field of their own."""
    turn = without_nulls(stored)
    turn.pop("id", None)
    parts = turn.pop("content_parts", None)
    return turn | {"content": parts} if parts else turn
