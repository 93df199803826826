"""Rows chosen from a store: the sequence that every dataset is."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self, get_args, overload

from gpt4o_tune._display import html_text, plural
from gpt4o_tune.data._compression import named_packing, packed
from gpt4o_tune.data._store import RowStore
from gpt4o_tune.data._writing import replace_file
from gpt4o_tune.data.formats import Format

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from gpt4o_tune.data._reading import Records
    from gpt4o_tune.data.decode import Json
    from gpt4o_tune.data.rows import Row
    from gpt4o_tune.data.verbs.arguments import Group


class Selection(Sequence["Row"]):
    """Row numbers over a store that all selections share; nothing changes one after construction.

    Rows are parsed when they are asked for and written as they stand.
    """

    __slots__ = ("__weakref__", "_format", "_numbers", "_store")

    def __init__(self, store: RowStore, numbers: Sequence[int], *, format: Format | None) -> None:  # noqa: A002  # the public argument's name
        """Choose rows of a store by number, in order.

        Raises:
            ValueError: There is no such format.
        """
        if format is not None and format not in get_args(Format):
            known = ", ".join(map(repr, get_args(Format)))
            raise ValueError(f"format must be one of {known}, got {format!r}")
        self._store = store
        self._numbers = numbers
        self._format: Format | None = format

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Row | Self:
        """Parse one row into its model, or take a slice as a new dataset.

        Raises:
            IndexError: There is no such row.
            DatasetError: The row cannot be read; its faults are in `.problems`.
        """
        if isinstance(index, slice):
            return self._with(self._numbers[index])
        return self._parse(self._numbers[index])

    def __iter__(self) -> Iterator[Row]:
        """Parse the rows into their models, one at a time; as `dataset[i]` in errors."""
        return map(self._parse, self._numbers)

    def records(self) -> Iterator[dict[str, Json]]:
        """Parse the rows into plain dicts, one at a time.

        Raises:
            DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
        """
        return iter(self._records("read the rows"))

    def raw(self, index: int) -> bytes:
        """Return the bytes of one row as they stand in the file, without its line end."""
        return self._store.raw(self._numbers[index]).rstrip(b"\r\n")

    @property
    def lines(self) -> Sequence[int]:
        """The line of the file, or number of the record, that each row comes from; from 1."""
        if self._is_whole:
            return self._store.lines
        return array("Q", map(self._store.lines.__getitem__, self._numbers))

    @property
    def format(self) -> Format:
        """What the rows are: `chat`, `preference` or `reinforcement`."""
        return self._format or self._store.detected_format()

    @property
    def source(self) -> str:
        """The name of the file that the rows come from, or `records`."""
        return self._store.name

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of the bytes that `to_jsonl` writes."""
        digest = hashlib.sha256()
        for piece in self._pieces():
            digest.update(piece)
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Selection):
            return NotImplemented
        if self._store is other._store and self._numbers == other._numbers:
            return True
        return len(self) == len(other) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self._store, self._numbers, self._format)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __repr__(self) -> str:
        name = self._store.path.name if self._store.path else "records"
        size = sum(self._store.sizes(self._numbers))
        return f"{type(self).__name__}({name!r}, {plural(len(self), 'row')}, {self.format}, {size:,} bytes)"

    def _repr_html_(self) -> str:
        return html_text(repr(self))

    def select(self, rows: Iterable[int]) -> Self:
        """Take rows by number, in the order given; a negative number counts from the end.

        Raises:
            IndexError: There is no such row.
        """
        return self._with(array("Q", map(self._numbers.__getitem__, rows)))

    def filter(self, keep: Callable[[Row], bool]) -> Self:
        """Take the rows for which `keep` is true.

        Raises:
            DatasetError: A row cannot be read; its faults are in `.problems`.
        """
        return self._with(
            array("Q", (number for number in self._numbers if keep(self._parse(number))))
        )

    def to_jsonl(self, path: str | os.PathLike[str]) -> Path:
        """Write the rows as they stand, one per line, and return the path.

        An untouched dataset is written byte for byte, but for a byte order mark and blank lines. The
        file appears at once and whole: rows go to a temporary file beside it, which then takes its
        name, so a dataset may be written over the very file that it was opened from. A path that ends
        in `.gz` or `.zst` is packed; equal rows give equal bytes.

        Raises:
            DatasetNotFoundError: The folder does not exist.
            DatasetError: The file that the rows come from changed meanwhile.
            MissingExtraError: The path ends in `.zst`, and the extra `zstd` is not installed.
        """
        place = Path(path).expanduser()
        return replace_file(place, packed(self._pieces(), named_packing(place)))

    def _rewritten(self, rows: Sequence[int], written: Mapping[int, bytes]) -> Self:
        """Take rows by number, some of them with bytes of their own that end a line."""
        if not written:
            return self.select(rows)
        numbers = array("Q", map(self._numbers.__getitem__, rows))
        pieces = zip(rows, self._store.iterate(numbers), strict=True)
        ended = (
            written.get(row) or (raw if raw.endswith(b"\n") else raw + b"\n") for row, raw in pieces
        )
        store = RowStore.from_lines(ended)
        return type(self)(store, range(len(store)), format=self.format)

    def _pieces(self) -> Iterator[bytes]:
        """Yield the rows; where they were chosen or moved, each ends its line."""
        rows = self._store.iterate(self._numbers)
        if self._is_whole:
            return rows
        return (row if row.endswith(b"\n") else row + b"\n" for row in rows)

    @property
    def _is_whole(self) -> bool:
        return self._numbers == range(len(self._store))

    def _with(self, numbers: Sequence[int]) -> Self:
        return type(self)(self._store, numbers, format=self._format)

    def _parse(self, number: int) -> Row:
        from gpt4o_tune.data._reading import read_row

        return read_row(self._store, number, format=self.format)

    def _records(self, doing: str, numbers: Sequence[int] | None = None) -> Records:
        from gpt4o_tune.data._reading import Records

        chosen = self._numbers if numbers is None else numbers
        return Records(self._store, chosen, format=self.format, doing=doing)

    def _values(self, of: Group | None) -> Iterator[object] | None:
        """Return what each row holds in a field, or what a function says of it."""
        from gpt4o_tune.data._dividing import field

        if of is None:
            return None
        if isinstance(of, str):
            return field(self._records("read the rows"), of, lines=self.lines)
        return map(of, self)


def _restore(
    kind: type[Selection],
    store: RowStore,
    numbers: Sequence[int],
    format: Format | None,  # noqa: A002
) -> Selection:
    return kind(store, numbers, format=format)
