"""Alpaca: `instruction`, `input`, `output`, and LLaMA-Factory's `system`, `history`, `chosen`, `rejected`.

`input` follows `instruction` after a line break, as LLaMA-Factory joins them. Left out on reading: every
other field, such as `text` and `id`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import kind
from gpt4o_tune.data.forms._reading import (
    Unsayable,
    chat,
    conversation,
    optional_text,
    preference,
    text,
)
from gpt4o_tune.data.forms._writing import pair_of, plain_text

if TYPE_CHECKING:
    from gpt4o_tune.data.decode import Json, JsonObject

FIELDS = frozenset({"instruction", "input", "output", "system", "history", "chosen", "rejected"})
_TOOL = "Alpaca"


def matches(record: JsonObject) -> bool:
    """Tell whether a record has the fields of the form."""
    return "instruction" in record and (
        "output" in record or ("chosen" in record and "rejected" in record)
    )


def read(record: JsonObject) -> JsonObject:
    """Make a row of a record."""
    asked = text(record, "instruction")
    if more := optional_text(record, "input"):
        asked = f"{asked}\n{more}"
    before = conversation(optional_text(record, "system"), *_history(record.get("history")))
    question = conversation(None, ("user", asked))
    if record.get("output") is not None:
        if record.get("chosen") is not None:
            raise Unsayable("it has both 'output' and 'chosen'; leave one of them out")
        return chat([*before, *question, *_answer(record, "output")], [])
    return preference(
        [*before, *question], _answer(record, "chosen"), _answer(record, "rejected"), []
    )


def _answer(record: JsonObject, key: str) -> list[JsonObject]:
    return conversation(None, ("assistant", text(record, key)))


def _history(value: Json) -> list[tuple[str, str]]:
    turns: list[tuple[str, str]] = []
    if value is None:
        return turns
    if not isinstance(value, list):
        raise Unsayable(f"'history' is {kind(value)}, not a list")
    for place, pair in enumerate(value):
        match pair:
            case [str(asked), str(answered)]:
                turns += ("user", asked), ("assistant", answered)
            case _:
                raise Unsayable(f"history[{place}] is not a pair of question and answer")
    return turns


def write(row: JsonObject) -> JsonObject:
    """Make a record of a row: one question, one answer, text only."""
    pair = pair_of(row, _TOOL)
    asked = [plain_text(turn, _TOOL) for turn in pair.prompt]
    roles = [role for role, _ in asked]
    if pair.tools or roles not in (["user"], ["system", "user"]):
        raise Unsayable(f"{_TOOL} holds one question and one answer, and no tools")
    system = {"system": asked[0][1]} if roles[0] == "system" else {}
    question: JsonObject = {"instruction": asked[-1][1], "input": ""}
    answers = [[plain_text(turn, _TOOL) for turn in output] for output in pair.outputs]
    if any([role for role, _ in output] != ["assistant"] for output in answers):
        raise Unsayable(f"{_TOOL} wants the assistant's answer last")
    keys = ("chosen", "rejected") if len(answers) > 1 else ("output",)
    return (
        question | {key: output[0][1] for key, output in zip(keys, answers, strict=True)} | system
    )
