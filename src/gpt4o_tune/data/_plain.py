"""Rows of the plainest shape, which most rows have: recognised faster than they could be judged.

A row is plain where it is `{"messages": [...]}`, every message has a role and a text that is not blank, and
nothing else but a `weight`. What the rules say of such a row depends on the roles and weights alone, so they
judge each series of these once and the rest is a look into a dictionary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypeAlias, TypedDict, cast

from jiter import from_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpt4o_tune.data.decode import Json, JsonObject


class Message(TypedDict):
    """A message with nothing but its text, and a weight perhaps."""

    role: str
    content: str
    weight: NotRequired[int]


_Series: TypeAlias = "tuple[str | tuple[str, int], ...]"

_REMEMBERED = 4_096


class PlainReader:
    """Reads the rows that are plain and without fault, and leaves all others to the rules."""

    def __init__(self, judge: Callable[[JsonObject], int]) -> None:
        """Prepare to read.

        Args:
            judge: Returns the marks of a row in which no rule finds anything, 0 for any other; asked once
                per series of roles.
        """
        self._judge = judge
        self._known: dict[_Series, int] = {}

    def read(self, raw: bytes) -> tuple[list[Message], int] | None:
        """Return messages and marks of a row that is plain and without fault, None for any other."""
        try:
            row = cast("Json", from_json(raw, allow_inf_nan=False, catch_duplicate_keys=True))
        except ValueError:
            return None
        if type(row) is not dict or len(row) != 1:
            return None
        messages = row.get("messages")
        if type(messages) is not list:
            return None
        series: list[str | tuple[str, int]] = []
        for message in messages:
            if type(message) is not dict:
                return None
            role, content = message.get("role"), message.get("content")
            if type(role) is not str or type(content) is not str:
                return None
            if not content or content.isspace():
                return None
            if len(message) == 2:
                series.append(role)
                continue
            weight = message.get("weight")
            if len(message) != 3 or type(weight) is not int:
                return None
            series.append((role, weight))
        marks = self._marks_of(tuple(series))
        return (cast("list[Message]", messages), marks) if marks else None

    def _marks_of(self, series: _Series) -> int:
        known = self._known.get(series)
        if known is None:
            known = self._judge(_example(series))
            if len(self._known) < _REMEMBERED:
                self._known[series] = known
        return known


def _example(series: _Series) -> JsonObject:
    messages: list[Json] = [
        {"role": role, "content": "text"}
        if isinstance(role, str)
        else {"role": role[0], "content": "text", "weight": role[1]}
        for role in series
    ]
    return {"messages": messages}
