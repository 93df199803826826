"""The bytes of a dataset on their way to a service: what was hashed is what is sent, or nothing is."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias

from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from gpt4o_tune.data import Dataset

__all__ = ["Content", "OnProgress", "open_content"]

OnProgress: TypeAlias = "Callable[[int, int], object]"
"""Called with the bytes that were sent so far and with all there are, from any thread, never twice at once.

The first number never falls: bytes that must be sent again count once.
"""

_READ_BYTES = 1 << 20
"""What one read takes from the file; a part in flight holds no more than this."""


class Content:
    """An open file of rows, of which several threads may send stretches at the same time.

    Attributes:
        name: What the service calls the file: hash and size of the content.
        size: In bytes.
    """

    def __init__(
        self, file: io.BufferedReader, *, fingerprint: str, on_progress: OnProgress | None = None
    ) -> None:
        self._file = file
        self._stamp = _stamp(file)
        self._lock = threading.Lock()
        self._sent: dict[int, int] = {}
        self._on_progress = on_progress
        self.size = self._stamp[0]
        self.name = f"gpt4o-tune-{fingerprint[:24]}-{self.size}.jsonl"

    def digest(self, algorithm: Literal["md5", "sha256"]) -> str:
        """Hash the whole content, in hexadecimal.

        Raises:
            DatasetError: The file was written to meanwhile.
        """
        with self._lock:
            self._file.seek(0)
            digest = hashlib.file_digest(
                self._file, lambda: hashlib.new(algorithm, usedforsecurity=False)
            )
            self._require_unchanged()
        return digest.hexdigest()

    def spans(self, part_bytes: int) -> list[range]:
        """Divide the content into stretches of that many bytes; the last may be shorter."""
        starts = range(0, self.size, part_bytes)
        return [range(start, min(start + part_bytes, self.size)) for start in starts]

    def stream(self, span: range | None = None) -> BinaryIO:
        """Open a stretch of the content, or all of it, for one request."""
        return io.BufferedReader(_Stretch(self, span or range(self.size)), _READ_BYTES)

    def read(self, span: range, position: int, count: int) -> bytes:
        """Read bytes of a stretch and count them as sent.

        What is raised here passes through the client and ends the request.

        Raises:
            DatasetError: The file was written to meanwhile.
        """
        with self._lock:
            self._file.seek(span.start + position)
            piece = self._file.read(min(count, len(span) - position))
            self._require_unchanged()
            self._count(span.start, position + len(piece))
        return piece

    def close(self) -> None:
        """Close the file; whatever still sends some of it fails at its next read."""
        with self._lock:
            self._file.close()

    def _require_unchanged(self) -> None:
        if _stamp(self._file) != self._stamp:
            raise DatasetError(
                "the file of the rows was written to while it was sent. Nothing of it counts: open "
                "it again with Dataset.from_jsonl and launch again"
            )

    def _count(self, start: int, reached: int) -> None:
        if self._on_progress is not None and reached > self._sent.get(start, 0):
            self._sent[start] = reached
            self._on_progress(sum(self._sent.values()), self.size)


class _Stretch(io.RawIOBase):
    """A stretch of the content as a file of its own: it must show its own length, so it has no fileno."""

    def __init__(self, content: Content, span: range) -> None:
        self._content = content
        self._span = span
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self._span)}
        self._position = origin[whence] + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader passes
        piece = self._content.read(self._span, self._position, len(buffer))
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


@contextlib.contextmanager
def open_content(rows: Dataset, *, on_progress: OnProgress | None = None) -> Generator[Content]:
    """Open the bytes of a dataset: its own file where that holds just these rows, else a copy.

    Raises:
        DatasetError: The file that the rows come from changed meanwhile.
    """
    fingerprint = rows.fingerprint
    with contextlib.ExitStack() as stack:
        file = _own_file(rows)
        if file is not None:
            content = Content(file, fingerprint=fingerprint, on_progress=on_progress)
            stack.callback(content.close)
            if content.digest("sha256") == fingerprint:
                yield content
                return
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gpt4o-tune-"))
        path = rows.to_jsonl(Path(folder) / "rows.jsonl")
        content = Content(path.open("rb"), fingerprint=fingerprint, on_progress=on_progress)
        stack.callback(content.close)
        yield content


def _own_file(rows: Dataset) -> io.BufferedReader | None:
    """Open the file that the rows come from, where it may hold nothing but these rows in this order."""
    # Rows that were chosen from a file or that follow blank lines end at another line than this.
    if list(rows.lines[-1:]) != [len(rows)]:
        return None
    path = Path(rows.source)
    try:
        return path.open("rb") if path.is_file() else None
    except OSError:
        return None


def _stamp(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns
