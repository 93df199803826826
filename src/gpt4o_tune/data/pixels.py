"""How an image stores its pixels, and whether its file is whole: read from the bytes, without decoding.

Training takes images in the modes RGB and RGBA. Modes are told as Pillow tells them when it opens a file,
so colour of 16 bits a channel is RGB, while a palette and grey are not.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data.images import read_header

if TYPE_CHECKING:
    from collections.abc import Iterator

COLOUR_MODES = frozenset({"RGB", "RGBA"})

# JPEG puts its frame behind the metadata, which may hold a preview image and a colour profile.
_HEAD_CHARS = 1 << 20
# What may stand behind the end mark of a PNG or JPEG and is ignored by readers.
_TAIL_CHARS = 1 << 16

_PNG_MODES = {0: "grayscale", 2: "RGB", 3: "palette", 4: "grayscale with alpha", 6: "RGBA"}
_JPEG_MODES = {1: "grayscale", 3: "RGB", 4: "CMYK"}
_ALPHA_FLAG, _ANIMATION_FLAG = 0x10, 0x02


class Pixels(NamedTuple):
    """What the head of an image file says of its pixels."""

    mode: str
    """`RGB`, `RGBA`, or the name of another way to store pixels."""
    is_animated: bool


class ImageEnds(NamedTuple):
    """The first and the last bytes of an image; both are the whole of a small one."""

    head: bytes
    tail: bytes
    size: int
    """Bytes of the whole image."""


def decode_ends(payload: str) -> ImageEnds | None:
    """Decode both ends of an image in base64, however large it is; None where it is no base64."""
    start = max(0, len(payload) - _TAIL_CHARS) // 4 * 4
    try:
        # Whole groups of four characters, so that the cut itself is valid base64.
        head = base64.b64decode(payload[:_HEAD_CHARS], validate=True)
        tail = base64.b64decode(payload[start:], validate=True)
    except (binascii.Error, ValueError):
        return None
    return ImageEnds(head, tail, start // 4 * 3 + len(tail))


def read_pixels(head: bytes) -> Pixels | None:
    """Read how the pixels of a JPEG, PNG or WEBP are stored; None where the head does not tell."""
    return _png(head) or _jpeg(head) or _webp(head)


def damage(image: ImageEnds) -> str | None:
    """Say what is broken about a JPEG, PNG or WEBP, as far as both ends show it; None where nothing."""
    if read_header(image.head) is None:
        return "its head cannot be read"
    if image.head.startswith(b"RIFF"):
        # Eight bytes stand before what the size counts.
        is_whole = image.size >= 8 + int.from_bytes(image.head[4:8], "little")
    elif image.head.startswith(b"\x89PNG"):
        is_whole = b"IEND\xaeB`\x82" in image.tail
    else:
        is_whole = _jpeg_ends(image)
    return None if is_whole else "it stops before its end"


def _png(head: bytes) -> Pixels | None:
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or head[12:16] != b"IHDR" or len(head) < 26:
        return None
    mode = _PNG_MODES.get(head[25])
    return Pixels(mode, b"acTL" in _png_chunks(head)) if mode else None


def _png_chunks(head: bytes) -> Iterator[bytes]:
    """Yield the names of the chunks before the pixels."""
    position = 8
    while position + 8 <= len(head) and (name := head[position + 4 : position + 8]) != b"IDAT":
        yield name
        position += 12 + int.from_bytes(head[position : position + 4])


def _webp(head: bytes) -> Pixels | None:
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or len(head) < 30:
        return None
    match head[12:16]:
        case b"VP8X":
            has_alpha, is_animated = head[20] & _ALPHA_FLAG, head[20] & _ANIMATION_FLAG
            return Pixels("RGBA" if has_alpha else "RGB", bool(is_animated))
        case b"VP8L":
            return Pixels("RGBA" if head[24] & _ALPHA_FLAG else "RGB", is_animated=False)
        case b"VP8 ":
            return Pixels("RGB", is_animated=False)
        case _:
            return None


def _jpeg(head: bytes) -> Pixels | None:
    for marker, position in _jpeg_segments(head):
        if _is_frame(marker) and position + 10 <= len(head):
            bits, channels = head[position + 4], head[position + 9]
            mode = _JPEG_MODES.get(channels, f"{channels} channels")
            return Pixels(mode if bits == 8 else f"{mode} of {bits} bits", is_animated=False)
    return None


def _jpeg_segments(head: bytes) -> Iterator[tuple[int, int]]:
    """Yield marker and place of each segment of a JPEG, up to its pixels."""
    position = 2 if head.startswith(b"\xff\xd8") else len(head)
    while position + 4 <= len(head) and head[position] == 0xFF:
        marker = head[position + 1]
        if marker == 0xFF:  # padding before a marker
            position += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # markers that stand alone
            position += 2
        else:
            yield marker, position
            if marker == 0xDA:
                return
            position += 2 + int.from_bytes(head[position + 2 : position + 4])


def _is_frame(marker: int) -> bool:
    return 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)


def _jpeg_ends(image: ImageEnds) -> bool:
    """Tell whether the end mark stands behind the start of the pixels, where nothing can imitate it."""
    scan = next((place for marker, place in _jpeg_segments(image.head) if marker == 0xDA), None)
    if scan is None:
        # Metadata larger than the head that was read hides the start; the end has to speak alone.
        return image.size > len(image.head) and b"\xff\xd9" in image.tail
    before_tail = image.size - len(image.tail)
    return image.tail.find(b"\xff\xd9", max(0, scan - before_tail)) >= 0
