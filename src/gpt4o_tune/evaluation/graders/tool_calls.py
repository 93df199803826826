"""Answers that are to call tools: the right ones, with the right arguments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from gpt4o_tune.evaluation.graders._shape import is_mapping, is_sequence
from gpt4o_tune.evaluation.graders.grader import Grade, parse_json
from gpt4o_tune.evaluation.graders.json_answers import same_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpt4o_tune.evaluation.graders.grader import Item, Sample

__all__ = ["ToolCallMatch"]

_EXHAUSTIVE = 10
"""Up to so many calls, the best pairing is searched; beyond, the best pairs are taken one by one."""


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    arguments: object
    """Parsed JSON; None where the text is not JSON."""

    text: str


@dataclass(frozen=True, kw_only=True)
class ToolCallMatch:
    """Right where the answer makes the calls of the reference: same names, same arguments as JSON, no others.

    The reference is the calls of the row's last assistant message, or those in a field of the row. The score
    gives credit for a part: a call of the right name earns a half, and the other half by its share of equal
    arguments; the sum is divided by the number of calls on the longer side.
    """

    field: str | None = None
    """Field of the row that holds the calls, for rows that do not end in them."""

    arguments: bool = True
    """Compare arguments; False looks at names alone."""

    in_order: bool = False
    """The calls must come in the order of the reference."""

    @property
    def name(self) -> str:
        """Short name for tables."""
        return "tool calls"

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Pair the calls as well as can be, and add up their credit.

        Raises:
            ValueError: The reference is not a list of tool calls.
        """
        wanted, given = _calls(self._reference(item)), _calls(sample.output_tools)
        if not wanted and not given:
            return Grade(1.0, passed=True)
        credit = [[self._credit(want, have) for have in given] for want in wanted]
        pairs = _aligned(credit) if self.in_order else _paired(credit)
        whole = max(len(wanted), len(given))
        earned = sum(credit[row][column] for row, column in pairs)
        if earned == whole:
            return Grade(1.0, passed=True)
        return Grade(
            earned / whole, passed=False, reason=self._reason(wanted, given, credit, pairs)
        )

    def _reference(self, item: Item) -> object:
        if self.field is not None:
            if self.field not in item.row:
                raise ValueError(
                    f"the row has no field {self.field!r} with the calls that are wanted"
                )
            return item.row[self.field]
        messages = item.row.get("messages")
        last = messages[-1] if is_sequence(messages) and messages else None
        if not is_mapping(last) or last.get("role") != "assistant":
            raise ValueError(
                "the row does not end in an assistant's message; name the field that holds the"
                " wanted calls by field="
            )
        return last.get("tool_calls") or ()

    def _credit(self, wanted: _Call, given: _Call) -> float:
        if wanted.name != given.name:
            return 0.0
        if not self.arguments:
            return 1.0
        return 0.5 + 0.5 * _equal_share(wanted, given)

    def _reason(
        self,
        wanted: Sequence[_Call],
        given: Sequence[_Call],
        credit: Sequence[Sequence[float]],
        pairs: Sequence[tuple[int, int]],
    ) -> str:
        rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
        missing = [call.name for row, call in enumerate(wanted) if row not in rows]
        extra = [call.name for column, call in enumerate(given) if column not in columns]
        differing = [wanted[row].name for row, column in pairs if credit[row][column] < 1]
        parts = {"missing": missing, "not wanted": extra, "other arguments": differing}
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts.items() if names)


def _calls(value: object) -> list[_Call]:
    if not is_sequence(value):
        raise ValueError(f"tool calls must be a list, got {str(value)[:60]!r}")
    return [_call(each) for each in value]


def _call(value: object) -> _Call:
    function = value.get("function", value) if is_mapping(value) else None
    if not is_mapping(function) or not isinstance(function.get("name"), str):
        raise ValueError(f"a tool call has a function with a name, got {str(value)[:60]!r}")
    given = function.get("arguments", "{}")
    if not isinstance(given, str):  # written out in the row, for people's sake
        return _Call(str(function["name"]), given, str(given))
    try:
        return _Call(str(function["name"]), parse_json(given or "{}"), given)
    except ValueError:
        return _Call(str(function["name"]), None, given)


def _equal_share(wanted: _Call, given: _Call) -> float:
    """Share of arguments, of either side, that are equal on both."""
    ours, theirs = wanted.arguments, given.arguments
    if not (is_mapping(ours) and is_mapping(theirs)):
        return float(wanted.text == given.text)
    names = {*ours, *theirs}
    equal = [
        name in ours and name in theirs and same_json(ours[name], theirs[name]) for name in names
    ]
    return sum(equal) / len(names) if names else 1.0


def _paired(credit: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pair rows with columns, each once, for the highest sum; pairs without credit are left out."""
    if len(credit) > _EXHAUSTIVE or (credit and len(credit[0]) > _EXHAUSTIVE):
        return _greedy(credit)

    @cache
    def best(row: int, taken: int) -> tuple[float, tuple[tuple[int, int], ...]]:
        if row == len(credit):
            return 0.0, ()
        found = best(row + 1, taken)
        for column, value in enumerate(credit[row]):
            if value > 0 and not taken >> column & 1:
                rest, pairs = best(row + 1, taken | 1 << column)
                if value + rest > found[0]:
                    found = value + rest, ((row, column), *pairs)
        return found

    return list(best(0, 0)[1])


def _greedy(credit: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    ranked = sorted(
        (-value, row, column)
        for row, values in enumerate(credit)
        for column, value in enumerate(values)
        if value > 0
    )
    rows, columns, pairs = set[int](), set[int](), list[tuple[int, int]]()
    for _, row, column in ranked:
        if row not in rows and column not in columns:
            rows.add(row)
            columns.add(column)
            pairs.append((row, column))
    return pairs


def _aligned(credit: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pair rows with columns without crossing, for the highest sum."""
    width = len(credit[0]) if credit else 0
    sums = [[0.0] * (width + 1) for _ in range(len(credit) + 1)]
    for row in range(len(credit) - 1, -1, -1):
        for column in range(width - 1, -1, -1):
            paired = credit[row][column] + sums[row + 1][column + 1]
            sums[row][column] = max(paired, sums[row + 1][column], sums[row][column + 1])
    pairs: list[tuple[int, int]] = []
    row = column = 0
    while row < len(credit) and column < width:
        value = credit[row][column]
        if value > 0 and sums[row][column] == value + sums[row + 1][column + 1]:
            pairs.append((row, column))
            row, column = row + 1, column + 1
        elif sums[row][column] == sums[row + 1][column]:
            row += 1
        else:
            column += 1
    return pairs
