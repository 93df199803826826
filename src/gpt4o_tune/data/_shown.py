"""The rows that a person is shown for review, with what is known of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data._decisions import row_ids
from gpt4o_tune.data.decode import decode
from gpt4o_tune.data.report import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gpt4o_tune.data._selection import Selection
    from gpt4o_tune.data.decode import JsonObject


class ShownRow(NamedTuple):
    """One row for review."""

    number: int
    """In the dataset, from 0."""
    id: str
    line: int
    raw: bytes
    row: JsonObject | None
    """None where the line cannot be read."""
    problems: Sequence[Problem]


def shown_rows(
    data: Selection, rows: Iterable[int | Problem] | None, problems: Iterable[Problem] | None
) -> Iterator[ShownRow]:
    """Yield the rows to review, in order.

    Args:
        data: The rows.
        rows: Which of them, by number or because a problem stands on their line; None means all.
        problems: What to show beside them.

    Raises:
        IndexError: There is no such row.
    """
    lines = data.lines
    chosen = None if rows is None else _chosen(rows, lines)
    by_line: dict[int, list[Problem]] = {}
    for problem in problems or ():
        by_line.setdefault(problem.line, []).append(problem)
    # All rows are counted, also those not shown: a row's id depends on the copies before it.
    for number, row_id in enumerate(row_ids(map(data.raw, range(len(data))))):
        if chosen is None or number in chosen:
            line, raw = lines[number], data.raw(number)
            yield ShownRow(number, row_id, line, raw, _read(raw), by_line.get(line, ()))


def _chosen(rows: Iterable[int | Problem], lines: Sequence[int]) -> set[int]:
    numbers, named = set[int](), set[int]()
    for row in rows:
        if isinstance(row, Problem):
            named.add(row.line)
        else:
            numbers.add(range(len(lines))[row])
    return numbers | {number for number, line in enumerate(lines) if line in named}


def _read(raw: bytes) -> JsonObject | None:
    try:
        return decode(raw)
    except ValueError:
        return None
