"""An immutable store of rows: the bytes of a JSONL file, and where each row lies in them.

A file is mapped and indexed in one pass, never parsed or copied, so a million rows cost two integers
each; a packed one is unpacked to disk first. Rows keep their own line ends, so writing them all gives
the file back byte for byte.
"""

from __future__ import annotations

import os
import stat
import sys
import weakref
from array import array
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from operator import le
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gpt4o_tune.data._compression import packing_of, unpacked
from gpt4o_tune.data.formats import detect
from gpt4o_tune.errors import DatasetError, DatasetNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gpt4o_tune.catalog import Model
    from gpt4o_tune.data._facts import StoredKeys
    from gpt4o_tune.data._sketch import Sketches
    from gpt4o_tune.data._token_counts import TokenCounts
    from gpt4o_tune.data.formats import Format
    from gpt4o_tune.data.report import Problem

BOM = b"\xef\xbb\xbf"

_HEAD_BYTES = 4096
_IN_MEMORY_BYTES = 16 << 20
_RESIDENT_BYTES = 16 << 20
"""Bytes read before mapped pages are given back; they stay in the system's cache, not in the process."""

_ROWS_BETWEEN_FILE_CHECKS = 256
_WHITE_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class _OpenFile:
    """A file as it was when it was mapped, and the descriptor that tells whether it still is."""

    given: Path
    """As messages call it."""
    path: Path
    """Where it is, wherever the process goes."""
    size: int
    mtime_ns: int
    descriptor: int | None = field(compare=False)
    """None where the file was unpacked, so that its own bytes no longer matter."""

    def verify(self) -> None:
        """Raise `DatasetError` where the mapped file was written to: its bytes may be gone."""
        if self.descriptor is None:
            return
        now = os.fstat(self.descriptor)
        if (now.st_size, now.st_mtime_ns) != (self.size, self.mtime_ns):
            raise DatasetError(
                f"{str(self.given)!r} changed after it was opened. "
                "Open it again with Dataset.from_jsonl."
            )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store's file is, for another process that reads rows of it."""

    path: Path
    size: int
    mtime_ns: int

    def open(self) -> SpanReader:
        """Open the file, and insist that it is the same.

        Raises:
            DatasetError: It changed.
        """
        descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        _OpenFile(self.path, self.path, self.size, self.mtime_ns, descriptor).verify()
        return SpanReader(descriptor)


class SpanReader:
    """Reads spans of an open file, neighbours together."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    def spans(self, starts: Sequence[int], ends: Sequence[int]) -> Iterator[bytes]:
        """Yield the bytes between bounds."""
        ascending = all(map(le, starts, starts[1:]))
        if starts and ascending and ends[-1] - starts[0] <= 2 * (sum(ends) - sum(starts)):
            first = starts[0]
            block = self._read(first, ends[-1])
            for start, end in zip(starts, ends, strict=True):
                yield block[start - first : end - first]
            return
        yield from map(self._read, starts, ends)

    def _read(self, start: int, end: int) -> bytes:
        os.lseek(self._descriptor, start, os.SEEK_SET)
        return os.read(self._descriptor, end - start)


class RowStore:
    """Rows as byte spans over one buffer; nothing in it changes after construction but caches."""

    __slots__ = (
        "__weakref__",
        "_buffer",
        "_ends",
        "_file",
        "_format",
        "_starts",
        "blank_lines",
        "has_bom",
        "keys",
        "lines",
        "problems",
        "sketches",
        "token_counts",
    )

    def __init__(self, buffer: bytes | mmap, *, file: _OpenFile | None = None) -> None:
        self._buffer = buffer
        self._file = file
        self._format: Format | None = None
        self.has_bom = buffer[: len(BOM)] == BOM
        self._starts, self._ends, self.lines, self.blank_lines = _index(
            buffer, start=len(BOM) if self.has_bom else 0
        )
        self.token_counts: dict[Model, TokenCounts] = {}
        """Caches that all datasets over the store share: this, and the three below."""
        self.sketches: Sketches | None = None
        self.keys: StoredKeys | None = None
        self.problems: dict[tuple[str, ...], tuple[Problem, ...]] = {}

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Map a file and find its rows, through gzip or Zstandard where its first bytes show one.

        Raises:
            DatasetNotFoundError: No regular file that may be read is at `path`.
            DatasetError: The file is packed, and damaged or cut short.
            MissingExtraError: The file is packed with Zstandard, and nothing installed reads that.
        """
        place = Path(path).expanduser()
        try:
            descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise unreadable(place, error) from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise unreadable(place, None)
            buffer = _unpack(descriptor, name=str(place))
            is_packed = buffer is not None
            if buffer is None:
                buffer = _map(descriptor)
            file = _OpenFile(
                place,
                place.absolute(),
                status.st_size,
                status.st_mtime_ns,
                None if is_packed else descriptor,
            )
            store = cls(buffer, file=file)
        except BaseException:
            os.close(descriptor)
            raise
        if is_packed:
            os.close(descriptor)
        else:
            weakref.finalize(store, os.close, descriptor)
        return store

    @classmethod
    def from_lines(cls, lines: Iterable[bytes]) -> Self:
        """Keep rows that were made here: in memory, from 16 MiB on in a file without a name.

        The system removes that file with the last dataset over it.

        Args:
            lines: Rows that end their lines.

        Raises:
            OSError: There is no room for the file; `TMPDIR` names another folder for it.
        """
        import tempfile

        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
            file.writelines(lines)
            size = file.tell()
            if size <= _IN_MEMORY_BYTES:
                file.seek(0)
                return cls(file.read())
            file.flush()
            return cls(_map(file.fileno()))

    @property
    def path(self) -> Path | None:
        """The file behind the store, or None where the rows came from memory."""
        return self._file.path if self._file else None

    @property
    def name(self) -> str:
        """What messages call the store: the path, or `records`."""
        return str(self._file.given) if self._file else "records"

    def __len__(self) -> int:
        return len(self._starts)

    def __reduce__(self) -> tuple[object, ...]:
        if self._file is None:
            # A mapping without a name cannot be opened again elsewhere, so its bytes travel.
            return type(self), (self._buffer[:],)
        return _reopen, (self._file.path, self._file.size, self._file.mtime_ns)

    def detected_format(self) -> Format:
        """Tell the format of the rows, the same for every dataset over the store."""
        if self._format is None:
            self._format = detect(self.iterate(range(len(self))))
        return self._format

    def verify(self) -> None:
        """Raise `DatasetError` where the file behind the store was written to."""
        if self._file is not None:
            self._file.verify()

    def head(self) -> bytes:
        """Return the first bytes of the buffer as they stand, a byte order mark included."""
        self.verify()
        return self._buffer[:_HEAD_BYTES]

    def raw(self, row: int) -> bytes:
        """Return one row with its line end, if it has one."""
        self.verify()
        return self._buffer[self._starts[row] : self._ends[row]]

    def iterate(self, rows: Iterable[int]) -> Iterator[bytes]:
        """Yield rows as `raw` does, looking after the file every few hundred rows."""
        buffer, starts, ends = self._buffer, self._starts, self._ends
        read = 0
        for count, row in enumerate(rows):
            if count % _ROWS_BETWEEN_FILE_CHECKS == 0:
                self.verify()
            raw = buffer[starts[row] : ends[row]]
            read += len(raw)
            if read > _RESIDENT_BYTES:
                _give_back(buffer)
                read = 0
            yield raw

    def numbered(self, rows: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Yield line number and bytes of rows."""
        return zip(map(self.lines.__getitem__, rows), self.iterate(rows), strict=True)

    @property
    def place(self) -> Place | None:
        """Where another process finds the bytes; None where this one alone has them."""
        if self._file is None or self._file.descriptor is None:
            return None
        return Place(self._file.path, self._file.size, self._file.mtime_ns)

    def span(self, row: int) -> tuple[int, int]:
        """Return where a row starts and ends in the buffer."""
        return self._starts[row], self._ends[row]

    def bounds(self, rows: Sequence[int]) -> tuple[array[int], array[int], Sequence[int]]:
        """Return where rows start and end in the buffer, and their line numbers."""
        lines = self.lines_of(rows)
        if isinstance(rows, range) and rows.step == 1:
            part = slice(rows.start, rows.stop)
            return self._starts[part], self._ends[part], lines
        starts, ends = self._starts, self._ends
        return (
            array("Q", map(starts.__getitem__, rows)),
            array("Q", map(ends.__getitem__, rows)),
            lines,
        )

    def spans(self, starts: Sequence[int], ends: Sequence[int]) -> Iterator[bytes]:
        """Yield the bytes between bounds, looking after the file once."""
        self.verify()
        buffer, read = self._buffer, 0
        for start, end in zip(starts, ends, strict=True):
            read += end - start
            yield buffer[start:end]
        if read:
            _give_back(buffer)

    def lines_of(self, rows: Sequence[int]) -> Sequence[int]:
        """Return the line numbers of rows."""
        if isinstance(rows, range):
            return self.lines[rows.start : rows.stop : rows.step]
        return array("Q", map(self.lines.__getitem__, rows))

    def size_of(self, rows: Sequence[int]) -> int:
        """Count the bytes of rows, without touching them."""
        if rows == range(len(self)):
            return sum(self._ends) - sum(self._starts)
        return sum(self.sizes(rows))

    def sizes(self, rows: Iterable[int]) -> Iterator[int]:
        """Yield the bytes that each row takes, without touching the rows."""
        for row in rows:
            yield self._ends[row] - self._starts[row]


def _map(descriptor: int) -> bytes | mmap:
    # An empty file cannot be mapped.
    return mmap(descriptor, 0, access=ACCESS_READ) if os.fstat(descriptor).st_size else b""


def _unpack(descriptor: int, *, name: str) -> bytes | mmap | None:
    """Map the unpacked bytes of a file, or return None where it is not packed."""
    with open(descriptor, "rb", closefd=False) as file:
        packing = packing_of(file)
        if packing is None:
            return None
        # The mapping keeps the bytes of the nameless file.
        with unpacked(file, packing, name=name) as plain:
            return _map(plain.fileno())


def _index(
    buffer: bytes | mmap, *, start: int
) -> tuple[array[int], array[int], Sequence[int], array[int]]:
    """Find where rows start and end, their line numbers from 1, and the lines that are blank."""
    starts, ends, blank = array("Q"), array("Q"), array("Q")
    position, size, find, append = start, len(buffer), buffer.find, ends.append
    while position < size:
        first, enough = len(ends), min(position + _RESIDENT_BYTES, size)
        starts.append(position)
        while position < enough:
            position = find(b"\n", position) + 1 or size
            append(position)
        starts += ends[first:-1]
        heads = bytes(map(buffer.__getitem__, starts[first:]))
        # Only a line that opens with white space can be blank, and hardly any does.
        if len(heads.translate(None, _WHITE_SPACE)) < len(heads):
            blank.extend(
                line + 1
                for line in range(first, len(ends))
                if not buffer[starts[line] : ends[line]].strip()
            )
        _give_back(buffer)
    if not blank:
        return starts, ends, range(1, len(ends) + 1), blank
    empty = set(blank)
    lines = array("Q", (line for line in range(1, len(ends) + 1) if line not in empty))
    return (
        array("Q", (starts[line - 1] for line in lines)),
        array("Q", (ends[line - 1] for line in lines)),
        lines,
        blank,
    )


def _give_back(buffer: bytes | mmap) -> None:
    """Let go of the pages of a mapping that were read, where the system can."""
    if isinstance(buffer, mmap) and sys.platform == "linux":
        from mmap import MADV_DONTNEED

        buffer.madvise(MADV_DONTNEED)


def _reopen(path: Path, size: int, mtime_ns: int) -> RowStore:
    """Map a file again in the process that unpickles, and insist that it is the same."""
    store = RowStore.from_file(path)
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) != (size, mtime_ns):
        raise DatasetError(
            f"{str(path)!r} changed since the dataset was pickled. "
            "Open it again with Dataset.from_jsonl."
        )
    return store


def unreadable(path: Path, error: OSError | None) -> DatasetNotFoundError:
    """Say why a file cannot be opened, and what may be meant; no error means that it is no file."""
    if path.is_dir():
        inside = _names(sorted(path.glob("*.jsonl")))
        hint = f"It holds {inside}." if inside else "It holds no .jsonl file."
        message = f"{str(path)!r} is a folder. Name one file. {hint}"
    elif error is None:
        message = f"{str(path)!r} is not a regular file. Write it to a .jsonl file first."
    elif isinstance(error, PermissionError):
        message = f"{str(path)!r} may not be read by this user. Change its permissions."
    elif isinstance(error, FileNotFoundError):
        message = f"There is no file {str(path)!r}. {_nearby(path)}"
    else:
        message = f"{str(path)!r} cannot be opened: {error.strerror}."
    return DatasetNotFoundError(message, path=str(path))


def _nearby(path: Path) -> str:
    import difflib

    folder = path.parent
    if not folder.is_dir():
        return f"The folder {str(folder.absolute())!r} does not exist either."
    names = [entry.name for entry in folder.iterdir() if entry.is_file()]
    if close := difflib.get_close_matches(path.name, names, n=3):
        return f"Did you mean {_names([folder / name for name in close])}?"
    if rows := sorted(folder.glob("*.jsonl")):
        return f"The folder holds {_names(rows)}."
    return f"The folder {str(folder.absolute())!r} holds no .jsonl file."


def _names(paths: Sequence[Path]) -> str:
    listed = ", ".join(repr(str(path)) for path in paths[:5])
    return f"{listed} and {len(paths) - 5} more" if len(paths) > 5 else listed
