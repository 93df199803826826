"""OpenAI's own rows, from a table or a list: nothing changes but what a table did to them.

Left out: fields that are not part of a chat or preference row. Reinforcement rows keep all of theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.structure import ROW_KEYS
from gpt4o_tune.data.formats import format_of
from gpt4o_tune.data.forms._reading import Unsayable, listed, objects, without_nulls

if TYPE_CHECKING:
    from gpt4o_tune.data.decode import JsonObject

FIELDS = frozenset({*ROW_KEYS["chat"], *ROW_KEYS["preference"]})

_PREFERENCE = {"input", "preferred_output", "non_preferred_output"}


def matches(record: JsonObject) -> bool:
    """Tell whether a record has the fields of the form."""
    return record.keys() >= _PREFERENCE or record.get("messages") is not None


def read(record: JsonObject) -> JsonObject:
    """Make a row of a record; lists that a table holds as JSON text are read.

    Raises:
        Unsayable: It has the fields of no row.
    """
    if not matches(record):
        raise Unsayable("it has neither 'messages' nor 'input' with two outputs")
    row: JsonObject = {
        key: listed(objects(value, key)) if isinstance(value, str) and key in FIELDS else value
        for key, value in without_nulls(record).items()
    }
    if format_of(row) == "reinforcement":
        return row
    return {key: value for key, value in row.items() if key in FIELDS}
