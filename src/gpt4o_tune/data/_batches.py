"""Columns and lines as engines hand them over: lists, numpy arrays, pandas frames, arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import index
from typing import TYPE_CHECKING, Protocol, cast

from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Arrow(Protocol):
    def to_pydict(self) -> Mapping[str, list[object]]: ...


class _Frame(Protocol):
    def to_dict(self, orient: str) -> Mapping[str, list[object]]: ...


class _Array(Protocol):
    def tolist(self) -> list[object]: ...


def columns_of(batch: object) -> Mapping[str, Sequence[object]]:
    """Return the columns of a batch as lists.

    Raises:
        DatasetError: It is nothing with named columns.
    """
    if isinstance(batch, Mapping):
        columns = cast("Mapping[str, object]", batch)
        return {name: _listed(values) for name, values in columns.items()}
    if hasattr(batch, "to_pydict"):
        return cast("_Arrow", batch).to_pydict()
    if hasattr(batch, "to_dict"):
        return cast("_Frame", batch).to_dict("list")
    raise DatasetError(
        f"A batch is a {type(batch).__name__}, which has no columns. "
        "Give a dict of columns, a pandas frame or an arrow table; call partition with lines."
    )


def column(columns: Mapping[str, Sequence[object]], name: str) -> Sequence[object]:
    """Return one of the columns.

    Raises:
        DatasetError: There is no such column.
    """
    if name not in columns:
        listed = ", ".join(map(repr, columns)) or "none"
        raise DatasetError(
            f"The batch has no column {name!r}; it has {listed}. "
            "Name the column in RowSurvey(text=..., line=..., keep=...)."
        )
    return columns[name]


def raw_line(line: object) -> bytes:
    """Return a line as it would stand in a file; text gets the line end that engines take away.

    Raises:
        DatasetError: It is neither text nor bytes.
    """
    if isinstance(line, bytes):
        return line
    if isinstance(line, str):
        # Half a surrogate pair becomes bytes that are no UTF-8, which a rule reports.
        raw = line.encode("utf-8", "surrogatepass")
        return raw if raw.endswith(b"\n") else raw + b"\n"
    raise DatasetError(
        f"A line is a {type(line).__name__}. Give lines as they stand in the file, as text or bytes: "
        "readers that parse JSON change rows on the way."
    )


def line_number(number: object) -> int:
    """Return the number of a line.

    Raises:
        DatasetError: It is no whole number, or negative.
    """
    try:
        found = index(cast("int", number))
    except TypeError:
        found = -1
    if found < 0:
        raise DatasetError(f"The number of a line is {number!r}. Give whole numbers, from 1.")
    return found


def records_of(facts: object) -> Iterable[Mapping[str, object]]:
    """Return records one by one; a group of an engine may come as columns."""
    if isinstance(facts, Mapping) or hasattr(facts, "to_pydict") or hasattr(facts, "to_dict"):
        columns = columns_of(cast("object", facts))
        rows = zip(*columns.values(), strict=True)
        return (dict(zip(columns, row, strict=True)) for row in rows)
    return cast("Iterable[Mapping[str, object]]", facts)


def _listed(values: object) -> Sequence[object]:
    if hasattr(values, "tolist"):
        return cast("_Array", values).tolist()
    return list(cast("Iterable[object]", values))
