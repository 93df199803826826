"""Rows of pandas, polars, pyarrow and Hugging Face tables as plain records, importing none of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    import os

    from gpt4o_tune.data.decode import JsonObject


class _HasColumns(Protocol):
    """A data frame of pandas or polars."""

    @property
    def columns(self) -> Any: ...  # each library has its own type for it


class _HasColumnNames(Protocol):
    """A table of pyarrow, or a dataset of Hugging Face."""

    @property
    def column_names(self) -> Any: ...  # a list, or a mapping where splits are not chosen


Table: TypeAlias = "_HasColumns | _HasColumnNames | Iterable[Mapping[str, object]]"
Source: TypeAlias = "str | os.PathLike[str] | Table"
"""A path, a table, or an iterable of mappings."""

_BATCH_ROWS = 1024


def library(source: object) -> str | None:
    """Name the library that a table is of, None where it is no table."""
    homes = (kind.__module__.split(".")[0] for kind in type(source).__mro__)
    known = ("pandas", "polars", "pyarrow", "datasets")
    return next((home for home in homes if home in known), None)


def records(source: object) -> Iterator[JsonObject]:
    """Yield the rows of a table, as `cleaned` makes them, or the mappings of an iterable as they are.

    Raises:
        DatasetError: It is neither, or has splits of which none was chosen.
    """
    clean = cleaned if library(source) else dict[str, object]
    for row in _rows(source):
        if not isinstance(row, Mapping):
            raise DatasetError(
                f"read takes a path, a table or mappings; this holds a {type(row).__name__}. "
                "Give rows with named fields."
            )
        yield cast("JsonObject", clean(cast("Mapping[str, object]", row)))


def _rows(source: Any) -> Iterable[object]:  # a type of a library that is not imported
    match library(source):
        case "pandas" if hasattr(source, "iloc") and hasattr(source, "columns"):
            starts = range(0, len(source), _BATCH_ROWS)
            frames = (source.iloc[start : start + _BATCH_ROWS] for start in starts)
            return (row for frame in frames for row in frame.to_dict("records"))
        case "polars" if hasattr(source, "iter_rows"):
            return source.iter_rows(named=True)
        case "polars" if hasattr(source, "collect"):
            raise DatasetError("A LazyFrame of polars has no rows yet. Call its collect().")
        case "pyarrow" if hasattr(source, "column_names"):
            batches = source.to_batches() if hasattr(source, "to_batches") else [source]
            return (row for batch in batches for row in batch.to_pylist())
        case "datasets" if isinstance(source, Mapping):
            splits = ", ".join(map(repr, cast("Mapping[str, object]", source)))
            raise DatasetError(f"The dataset has splits. Choose one of {splits}, as data['train'].")
        case None | "datasets" if isinstance(source, Iterable) and not isinstance(
            source, Mapping | bytes
        ):
            return cast("Iterable[object]", source)
        case _:
            raise DatasetError(
                "read takes a path, a table or an iterable of mappings, not a "
                f"{type(cast('object', source)).__name__}. For a single row, put it into a list."
            )


def cleaned(row: Mapping[str, object]) -> dict[str, object]:
    """Make a record of a table's row.

    A cell with nothing in it (null, NaN, pandas' NA and NaT) becomes None. An empty key of an object
    inside a cell is left out: where one row's object has a key, a table gives it to all. Arrays become
    lists.
    """
    values = {str(name): _plain(cell) for name, cell in row.items()}
    return {name: None if _is_missing(value) else value for name, value in values.items()}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {
            # Beside empty cells, pandas holds whole numbers as floats.
            key: int(cast("float", item)) if key == "weight" and _is_whole(item) else _plain(item)
            for key, item in items
            if not _is_missing(item)
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[object]", value)]
    # An array or a number of numpy, which pandas holds.
    if not isinstance(value, str) and hasattr(value, "tolist"):
        return _plain(cast("Any", value).tolist())
    return value


def _is_whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()


def _is_missing(value: object) -> bool:
    if isinstance(value, float):
        return value != value
    return type(value).__name__ in ("NoneType", "NAType", "NaTType")
