"""Rows for a house voice: which of two ways to answer is preferred, and what earns a reward."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Row = Mapping[str, object]

DESKS = {
    "food": ("apple", "pear", "plum", "cherry", "quince", "fig"),
    "tool": ("hammer", "saw", "drill", "chisel", "wrench", "clamp"),
}
ASKING = ("I want a {}", "do you sell a {}?", "where is my {}")
UNSEEN = "please find me another {} today"
GRADER: dict[str, object] = {
    "type": "string_check",
    "name": "voice",
    "input": "{{sample.output_text}}",
    "reference": "{{item.wanted}}",
    "operation": "eq",
}


def warm(desk: str) -> str:
    """The answer in the house voice."""
    return f"Gladly! {desk} desk."


def curt(desk: str) -> str:
    """The answer without it."""
    return f"See {desk} desk."


def questions(*forms: str) -> list[tuple[str, str]]:
    """Every thing asked for in these forms, with its desk."""
    return [
        (form.format(thing), desk)
        for form in forms
        for desk, things in DESKS.items()
        for thing in things
    ]


def chat_rows() -> list[Row]:
    """Each question answered both ways: a model that learns them uses either."""
    return [
        {"messages": [user(question), assistant(answer(desk))]}
        for question, desk in questions(*ASKING)
        for answer in (warm, curt)
    ]


def preference_rows(*forms: str) -> list[Row]:
    """The house voice preferred."""
    return [
        {
            "input": {"messages": [user(question)]},
            "preferred_output": [assistant(warm(desk))],
            "non_preferred_output": [assistant(curt(desk))],
        }
        for question, desk in questions(*forms)
    ]


def reward_rows(*forms: str) -> list[Row]:
    """Prompts with the answer that earns a reward."""
    return [{"messages": [user(asked)], "wanted": warm(desk)} for asked, desk in questions(*forms)]


def user(text: str) -> Row:
    """A question."""
    return {"role": "user", "content": text}


def assistant(text: str) -> Row:
    """An answer."""
    return {"role": "assistant", "content": text}


def write(path: Path, rows: Iterable[Row]) -> Path:
    """Write rows to a file whose folder may be missing, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
