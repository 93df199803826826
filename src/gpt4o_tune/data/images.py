"""Width and height of an image, read from the head of the file without decoding it."""

from __future__ import annotations

import base64
import binascii
from typing import Literal, NamedTuple, TypeAlias

ImageFormat: TypeAlias = Literal["PNG", "JPEG", "WEBP", "GIF"]

# JPEG puts its size behind the metadata, which may hold a preview image and a colour profile.
_HEAD_CHARS = 1 << 20


class ImageHeader(NamedTuple):
    """What the head of an image file states."""

    format: ImageFormat
    width: int
    """In pixels, as stored: a rotation noted in the metadata is not applied."""
    height: int


def read_data_url(url: str) -> ImageHeader | None:
    """Read the image of a `data:...;base64,` URL; None where it is none or cannot be read.

    The type that the URL claims is ignored, only the bytes count.
    """
    head, comma, payload = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    try:
        # Whole groups of four characters, so that the cut itself is valid base64.
        return read_header(base64.b64decode(payload[:_HEAD_CHARS], validate=True))
    except (binascii.Error, ValueError):
        return None


def read_header(data: bytes) -> ImageHeader | None:
    """Read the first bytes of an image file; None where format or size cannot be told."""
    header = _png(data) or _jpeg(data) or _webp(data) or _gif(data)
    return header if header and header.width > 0 and header.height > 0 else None


def _png(data: bytes) -> ImageHeader | None:
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return ImageHeader("PNG", int.from_bytes(data[16:20]), int.from_bytes(data[20:24]))


def _gif(data: bytes) -> ImageHeader | None:
    if data[:6] not in (b"GIF87a", b"GIF89a") or len(data) < 10:
        return None
    return ImageHeader("GIF", _little(data, 6, 2), _little(data, 8, 2))


def _webp(data: bytes) -> ImageHeader | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    match data[12:16]:
        case b"VP8X":
            return ImageHeader("WEBP", 1 + _little(data, 24, 3), 1 + _little(data, 27, 3))
        case b"VP8L":
            bits = _little(data, 21, 4)
            return ImageHeader("WEBP", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        case b"VP8 ":
            return ImageHeader("WEBP", _little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF)
        case _:
            return None


def _jpeg(data: bytes) -> ImageHeader | None:
    if not data.startswith(b"\xff\xd8"):
        return None
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # padding before a marker
            position += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # markers that stand alone
            position += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start of frame
            height = int.from_bytes(data[position + 5 : position + 7])
            return ImageHeader("JPEG", int.from_bytes(data[position + 7 : position + 9]), height)
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return None


def _little(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "little")
