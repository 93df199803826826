"""Read through gzip and Zstandard, and write them, in bounded memory."""

from __future__ import annotations

import importlib
import zlib
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from gpt4o_tune._extras import import_extra
from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

Packing: TypeAlias = Literal["gzip", "zstd"]

_MARKS: dict[bytes, Packing] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_SUFFIXES: dict[str, Packing] = {".gz": "gzip", ".zst": "zstd"}
_READ_BYTES = 1 << 20
_ZSTD_READ_BYTES = 1 << 14
"""What is unpacked at once: a frame may hold a thousand times more than it takes."""


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Zstd(NamedTuple):
    """What Python's own module and the package `zstandard` have in common."""

    compressor: Callable[[], _Compressor]
    decompressor: Callable[[], _Decompressor]
    error: type[Exception]


def packing_of(file: BinaryIO) -> Packing | None:
    """Tell by its first bytes how a file is packed, and go back to its start."""
    head = file.read(4)
    file.seek(0)
    return next((packing for mark, packing in _MARKS.items() if head.startswith(mark)), None)


def named_packing(path: Path) -> Packing | None:
    """Tell by its name how a file is to be packed."""
    return _SUFFIXES.get(path.suffix.lower())


def unpacked(file: BinaryIO, packing: Packing, *, name: str) -> BinaryIO:
    """Unpack a file into one without a name, which is gone when it is closed.

    Raises:
        DatasetError: The file is damaged or cut short, or there is no room to unpack it.
        MissingExtraError: It is packed with Zstandard, and nothing installed reads that.
    """
    # Both take longer to import than all of this room, and few files are packed.
    import gzip
    import tempfile

    zstd = _zstd() if packing == "zstd" else None
    pieces = _zstd_pieces(file, zstd) if zstd else _gzip_pieces(file)
    damage = (EOFError, zlib.error, gzip.BadGzipFile, *([zstd.error] if zstd else []))
    plain = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
    try:
        plain.writelines(pieces)
        plain.flush()
    except damage as error:
        plain.close()
        raise DatasetError(
            f"{name!r} is packed with {packing}, and damaged or cut short: {error}. "
            "Copy or download it again, or pack it anew."
        ) from None
    except OSError as error:
        plain.close()
        raise DatasetError(
            f"{name!r} cannot be unpacked into {tempfile.gettempdir()!r}: {error.strerror}. "
            "Unpack it elsewhere and open the result, or let TMPDIR name a folder with more room."
        ) from None
    plain.seek(0)
    return plain


def packed(pieces: Iterable[bytes], packing: Packing | None) -> Iterator[bytes]:
    """Pack pieces of a file; equal pieces give equal bytes, as no time is written.

    Raises:
        MissingExtraError: Zstandard is asked for, and nothing installed writes it.
    """
    if packing is None:
        return iter(pieces)
    if packing == "gzip":
        return _compressed(pieces, zlib.compressobj(wbits=zlib.MAX_WBITS | 16))
    return _compressed(pieces, _zstd().compressor())


def _compressed(pieces: Iterable[bytes], compressor: _Compressor) -> Iterator[bytes]:
    for piece in pieces:
        yield compressor.compress(piece)
    yield compressor.flush()


def _gzip_pieces(file: BinaryIO) -> Iterator[bytes]:
    import gzip

    with gzip.GzipFile(fileobj=file) as stream:
        while piece := stream.read(_READ_BYTES):
            yield piece


def _zstd_pieces(file: BinaryIO, zstd: _Zstd) -> Iterator[bytes]:
    """Unpack frame after frame; a reader of streams would take a missing end for the end."""
    frame = zstd.decompressor()
    begun = False
    while data := file.read(_ZSTD_READ_BYTES):
        while data:
            if frame.eof:
                frame = zstd.decompressor()
            yield frame.decompress(data)
            begun, data = not frame.eof, frame.unused_data if frame.eof else b""
    if begun:
        raise EOFError("the last frame has no end")


def _zstd() -> _Zstd:
    """Find Python's own Zstandard (3.14 on), or the package.

    Raises:
        MissingExtraError: There is neither.
    """
    try:
        own = importlib.import_module("compression.zstd")
    except ModuleNotFoundError:
        package = import_extra("zstandard", extra="zstd", feature="Zstandard (.zst)")
        return _Zstd(
            lambda: package.ZstdCompressor().compressobj(),
            lambda: package.ZstdDecompressor().decompressobj(),
            package.ZstdError,
        )
    return _Zstd(own.ZstdCompressor, own.ZstdDecompressor, own.ZstdError)
