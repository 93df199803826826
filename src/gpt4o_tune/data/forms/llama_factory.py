"""LLaMA-Factory: its own stricter ShareGPT, and the entry of `dataset_info.json` that describes it.

The user's and the tool's turns stand at odd places and the assistant's at even ones, or LLaMA-Factory
skips the row with no more than a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.forms import sharegpt
from gpt4o_tune.data.forms._reading import Unsayable, objects

if TYPE_CHECKING:
    from pathlib import Path

    from gpt4o_tune.data.decode import JsonObject

_TOOL = "LLaMA-Factory"
_ASKING, _ANSWERING = ("human", "observation"), ("gpt", "function_call")


def write(row: JsonObject) -> JsonObject:
    """Make a record of a row; `tools` is always there, as every record must have the same fields."""
    record = sharegpt.write(row, tool=_TOOL)
    turns = [turn["from"] for turn in objects(record["conversations"], "conversations")]
    turns = turns[turns[:1] == ["system"] :]
    for place, turn in enumerate(turns):
        if turn not in (_ANSWERING if place % 2 else _ASKING):
            raise Unsayable(
                f"{_TOOL} wants questions or results and answers or calls in turn; turn "
                f"{place + 1} is of {turn!r}"
            )
    if len(turns) % 2 != ("chosen" in record):
        raise Unsayable(f"{_TOOL} wants a conversation that ends with the answer")
    return {"tools": ""} | record


def settings(path: Path, *, is_preference: bool) -> JsonObject:
    """Return the entry of `dataset_info.json`, under the name of the file."""
    columns: JsonObject = {"messages": "conversations", "tools": "tools"}
    entry: JsonObject = {"file_name": path.name, "formatting": "sharegpt"}
    if is_preference:
        columns |= {"chosen": "chosen", "rejected": "rejected"}
        entry["ranking"] = True
    return {path.name.partition(".")[0]: {**entry, "columns": columns}}
