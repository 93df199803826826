"""The journal of many calls: what is answered is on disk, so that a crash costs no second call.

A text file of JSON lines: first what the calls are, then one line for each finished row.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gpt4o_tune.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Journal"]

FORMAT = "gpt4o-tune map 1"
SYNC_EVERY = 1.0
"""Seconds between two demands that the system put the file on disk."""


class Journal:
    """A journal that is open for this run alone.

    A line is handed to the system as soon as its row is finished: a crash or `kill -9` of the process
    loses none. The system is told to write to disk once a second and at the end: a loss of power can cost
    the rows of the last second.
    """

    def __init__(self, path: str | os.PathLike[str], bodies: Iterable[bytes]) -> None:
        """Open or begin the journal of calls with these bodies.

        Raises:
            JournalError: The file is the journal of other calls or no journal, or a run holds it.
            OSError: It cannot be read or written.
        """
        self.path = Path(path)
        self._keys = [hashlib.sha256(body).hexdigest()[:32] for body in bodies]
        self._about = {
            "journal": FORMAT,
            "rows": len(self._keys),
            "inputs": hashlib.sha256("".join(self._keys).encode()).hexdigest(),
        }
        # One descriptor for reading and appending, so that the lock holds for both.
        self._file = self.path.open("a+b", buffering=0)
        self._synced_at = time.monotonic()
        try:
            self._lock()
            self.finished = self._read()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """End the journal, with all of it on disk."""
        os.fsync(self._file.fileno())
        self._file.close()

    def write(self, row: int, record: Mapping[str, object]) -> None:
        """Note that a row is finished."""
        self._append({"row": row, "key": self._keys[row], **record})

    def sync(self) -> None:
        """Have the system put the file on disk, once a second at most."""
        now = time.monotonic()
        if now - self._synced_at >= SYNC_EVERY:
            self._synced_at = now
            os.fsync(self._file.fileno())

    def _read(self) -> dict[int, Mapping[str, object]]:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        # What stands behind the last line end was cut off by a crash in the middle of writing.
        self._file.truncate(whole)
        lines = content[:whole].splitlines()
        if not lines:
            self._append(self._about)
            return {}
        self._require_same(self._parse(lines[0], 1))
        finished: dict[int, Mapping[str, object]] = {}
        for number, line in enumerate(lines[1:], start=2):
            record = self._parse(line, number)
            row = record.get("row")
            if not isinstance(row, int) or record.get("key") not in self._keys[row : row + 1]:
                raise JournalError(
                    f"line {number} of {str(self.path)!r} is of other inputs than its first line, so "
                    "the file is damaged. Nothing was sent; name another file as journal=",
                    path=str(self.path),
                )
            finished[row] = record
        return finished

    def _parse(self, line: bytes, number: int) -> Mapping[str, object]:
        try:
            record: object = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise JournalError(
                f"line {number} of {str(self.path)!r} is no JSON object, so this is no journal of "
                "map(), or it is damaged. Nothing was sent or written; name another file as journal=",
                path=str(self.path),
            )
        return cast("Mapping[str, object]", record)

    def _require_same(self, about: Mapping[str, object]) -> None:
        if about == self._about:
            return
        if about.get("journal") != FORMAT:
            fault = "is no journal of map()"
        elif about.get("rows") != self._about["rows"]:
            fault = f"is of {about.get('rows')} inputs, and these are {self._about['rows']}"
        else:
            fault = "is of other inputs, another model or other parameters"
        raise JournalError(
            f"{str(self.path)!r} {fault}. Nothing was sent or written; name another file as journal=, "
            "or go on with the inputs and parameters that it was begun with",
            path=str(self.path),
        )

    def _append(self, record: Mapping[str, object]) -> None:
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        if self._file.write(line) != len(line):
            raise OSError(f"{str(self.path)!r} could not be written; is the disk full?")

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows has no such locks
            return
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JournalError(
                f"{str(self.path)!r} is in use by another run, which would pay for the same rows. Wait "
                "for it, or name another file as journal=",
                path=str(self.path),
            ) from error
