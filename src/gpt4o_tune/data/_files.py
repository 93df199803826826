"""Records of files: JSON Lines, a JSON array, CSV, TSV and Parquet, packed or not."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune._extras import import_extra
from gpt4o_tune.data._compression import named_packing, packing_of, unpacked
from gpt4o_tune.data._store import RowStore, unreadable
from gpt4o_tune.data._tables import records
from gpt4o_tune.data.decode import decode, decode_value
from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from gpt4o_tune.data.decode import JsonObject

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON = (".jsonl", ".ndjson", ".json")
_SUFFIXES = (*_JSON, *_DELIMITERS, ".parquet")
_MAX_CELL_CHARS = 1 << 30
"""Of CSV; Python's own limit is 131,072, less than a long conversation."""


class File(NamedTuple):
    """Records, and what is known of where they stand."""

    records: Iterable[JsonObject]
    lines: RowStore | None = None
    """The same as rows over the mapped file, where it is JSON Lines."""
    is_table: bool = False
    """Whether all records have the same fields, None where a cell is empty."""


def open_file(path: Path) -> File:
    """Open a file by the end of its name.

    Raises:
        DatasetNotFoundError: No readable file is there.
        DatasetError: The name tells no kind of file, or the file is not of that kind.
        MissingExtraError: It is Parquet or packed with Zstandard, and the extra is not installed.
    """
    suffix = (path.with_suffix("") if named_packing(path) else path).suffix.lower()
    if suffix in _DELIMITERS:
        return File(_separated(path, _DELIMITERS[suffix]), is_table=True)
    if suffix == ".parquet":
        return File(_parquet(path), is_table=True)
    if suffix in _JSON:
        store = RowStore.from_file(path)
        is_array = store.head().lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
        return File(_array(path)) if is_array else File(_lines(store), store)
    raise DatasetError(
        f"{str(path)!r} has no known ending. Let its name end in {', '.join(_SUFFIXES)}; "
        ".gz or .zst may follow."
    )


def _open_plain(path: Path) -> BinaryIO:
    """Open a file for reading, unpacked where it is packed."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from None
    packing = packing_of(file)
    if packing is None:
        return file
    with file:
        return unpacked(file, packing, name=str(path))


def _lines(store: RowStore) -> Iterator[JsonObject]:
    for line, raw in store.numbered(range(len(store))):
        try:
            yield decode(raw)
        except ValueError as error:
            raise DatasetError(
                f"Line {line:,} of {store.name!r} cannot be read as a JSON object: {error}. "
                "Correct or remove it."
            ) from None


def _array(path: Path) -> Iterator[JsonObject]:
    with _open_plain(path) as file:
        content = file.read().removeprefix(b"\xef\xbb\xbf")
    try:
        listed = decode_value(content)
        if not isinstance(listed, list):
            raise ValueError("not an array")
    except ValueError as error:
        raise DatasetError(
            f"{str(path)!r} cannot be read as a JSON array: {error}. "
            "Write one object per line into a .jsonl file instead, if it is that."
        ) from None
    for number, item in enumerate(listed, start=1):
        if not isinstance(item, dict):
            raise DatasetError(
                f"Record {number:,} of {str(path)!r} is no object. Give objects with named fields."
            )
        yield item


def _separated(path: Path, delimiter: str) -> Iterator[JsonObject]:
    """Yield the lines of a CSV or TSV file under the names of its first line."""
    with _open_plain(path) as file, _long_cells():
        # A byte order mark is Excel's way to say UTF-8; line ends inside cells are csv's business.
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            names = next(reader, list[str]())
            _require_names(names, path, delimiter)
            for cells in reader:
                if cells:
                    yield _record(names, cells, f"Line {reader.line_num:,} of {str(path)!r}")
        except UnicodeDecodeError as error:
            raise DatasetError(
                f"{str(path)!r} is not UTF-8 ({error.reason}). Save it as UTF-8, or convert it: "
                "iconv -f LATIN1 -t UTF-8."
            ) from None
        except csv.Error as error:
            raise DatasetError(
                f"Line {reader.line_num:,} of {str(path)!r} is not well-formed: {error}. "
                "Put text with quotes or line breaks into double quotes, and double those inside."
            ) from None


@contextmanager
def _long_cells() -> Generator[None]:
    before = csv.field_size_limit(_MAX_CELL_CHARS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _require_names(names: list[str], path: Path, delimiter: str) -> None:
    others = [mark for mark in ",;\t|" if mark != delimiter and names and mark in names[0]]
    if len(names) == 1 and others:
        raise DatasetError(
            f"The first line of {str(path)!r} is one column, {names[0]!r}, which {others[0]!r} seems "
            f"to separate. Save the file with {delimiter!r}, or read it with pandas.read_csv(sep=...) "
            "and give the table."
        )
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise DatasetError(
            f"{str(path)!r} has the column {min(twice)!r} twice. Rename one of them."
        )


def _record(names: list[str], cells: list[str], where: str) -> JsonObject:
    if len(cells) != len(names):
        raise DatasetError(
            f"{where} has {len(cells)} cells; the first line names {len(names)} columns. "
            "Put cells with commas or tabs into double quotes."
        )
    return {name: cell or None for name, cell in zip(names, cells, strict=True)}


def _parquet(path: Path) -> Iterator[JsonObject]:
    parquet = import_extra("pyarrow.parquet", extra="parquet", feature="Parquet")
    pyarrow = import_extra("pyarrow", extra="parquet", feature="Parquet")
    try:
        with _open_plain(path) as opened, parquet.ParquetFile(opened) as file:
            for batch in file.iter_batches():
                yield from records(batch)
    except pyarrow.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(
            f"{str(path)!r} cannot be read as Parquet: {reason} Write or download it again."
        ) from None
