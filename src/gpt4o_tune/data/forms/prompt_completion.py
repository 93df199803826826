"""Prompt and completion: `prompt`, `completion` and, where there is one, `system`, all of them text.

Text is kept as it stands, separators and leading spaces of older data included. Left out: every other
field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.forms._reading import (
    chat,
    conversation,
    optional_text,
    require_unjudged,
    text,
)

if TYPE_CHECKING:
    from gpt4o_tune.data.decode import JsonObject

FIELDS = frozenset({"prompt", "completion", "system"})


def matches(record: JsonObject) -> bool:
    """Tell whether a record has the fields of the form."""
    return isinstance(record.get("prompt"), str) and isinstance(record.get("completion"), str)


def read(record: JsonObject) -> JsonObject:
    """Make a row of a record.

    Raises:
        Unsayable: A field is missing, or a `label` judges the completion.
    """
    require_unjudged(record)
    asked = ("user", text(record, "prompt"))
    answered = ("assistant", text(record, "completion"))
    return chat(conversation(optional_text(record, "system"), asked, answered), [])
