"""A file of rows that grows line by line, and what is whole of it after a crash."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from gpt4o_tune.data.decode import decode
from gpt4o_tune.errors import DatasetNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("gpt4o_tune")


class Journal:
    """Appends whole lines, each by one write of its own; several processes may append to one file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open or create the file.

        Raises:
            DatasetNotFoundError: It cannot be opened for writing.
        """
        self.path = Path(path).expanduser().absolute()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise DatasetNotFoundError(
                f"{str(path)!r} cannot be written: {error.strerror}. Create the folder, or name a file "
                "that this user may write.",
                path=str(path),
            ) from None
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self._lock = threading.Lock()
        self._is_torn = self._ends_torn()

    def append(self, line: bytes) -> None:
        """Write a line with its end; it is with the system when this returns.

        Raises:
            OSError: It could not be written whole.
            ValueError: The journal is closed.
        """
        with self._lock:
            # The system gives the number of a closed file to another one.
            if not self._close.alive:
                raise ValueError("the journal is closed")
            whole = b"\n" + line if self._is_torn else line
            self._is_torn = True
            written = os.write(self._descriptor, whole)
            if written < len(whole):
                raise OSError(f"only {written} of {len(whole)} bytes could be written")
            self._is_torn = False

    def close(self) -> None:
        """Close the file; nothing can be appended after that."""
        with self._lock:
            self._close()

    def _ends_torn(self) -> bool:
        size = os.fstat(self._descriptor).st_size
        if not size:
            return False
        os.lseek(self._descriptor, size - 1, os.SEEK_SET)
        return os.read(self._descriptor, 1) != b"\n"


def whole_lines(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """Yield the lines that hold a row, each with its end; a line torn by a crash is logged.

    Raises:
        DatasetNotFoundError: There is no readable file.
    """
    try:
        file = Path(path).expanduser().open("rb")
    except OSError as error:
        raise DatasetNotFoundError(
            f"{str(path)!r} cannot be read: {error.strerror}. Give the path= of the recorder.",
            path=str(path),
        ) from None
    with file:
        for number, line in enumerate(file, start=1):
            try:
                decode(line)
            except ValueError:
                if line.strip():
                    log.warning("line %d of %s was written only in part; left out", number, path)
                continue
            yield line if line.endswith(b"\n") else line + b"\n"
