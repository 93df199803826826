"""Image sizes are read from the first bytes of the file, whatever the URL claims."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.data.images import ImageHeader, read_data_url, read_header


def riff(chunk: bytes, body: bytes) -> bytes:
    """Make the head of a WEBP file."""
    return b"RIFF\0\0\0\0WEBP" + chunk + struct.pack("<I", len(body)) + body


PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480)
GIF = b"GIF89a" + struct.pack("<HH", 640, 480) + b"\0\0\0"
JPEG = (
    b"\xff\xd8"
    + b"\xff\xe1"
    + struct.pack(">H", 20_002)
    + bytes(20_000)  # metadata with a preview
    + b"\xff\xff\xdb\x00\x04\0\0"  # padded marker
    + b"\xff\xc2"
    + struct.pack(">HBHH", 17, 8, 480, 640)
    + bytes(10)
)
LOSSY = riff(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 640, 480))
LOSSLESS = riff(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14) + bytes(8))
EXTENDED = riff(b"VP8X", bytes(4) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little"))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "PNG"),
        (GIF, "GIF"),
        (JPEG, "JPEG"),
        (LOSSY, "WEBP"),
        (LOSSLESS, "WEBP"),
        (EXTENDED, "WEBP"),
    ],
)
def test_size_of_every_format(data: bytes, kind: str) -> None:
    """Width and height are read from each format, with or without the rest of the file."""
    assert read_header(data) == (kind, 640, 480)
    assert read_header(data + bytes(1_000)) == (kind, 640, 480)
    url = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
    assert read_data_url(url) == (kind, 640, 480)


@pytest.mark.parametrize("data", [b"", b"<svg/>", PNG[:20], GIF[:8], JPEG[:1_000], LOSSY[:20]])
def test_what_cannot_be_read_is_none(data: bytes) -> None:
    """Unknown formats and heads that break off give no size."""
    assert read_header(data) is None


@pytest.mark.parametrize(
    "url",
    ["https://example.com/a.png", "data:image/png,raw", "data:image/png;base64,@@@", "data:", ""],
)
def test_other_urls_are_none(url: str) -> None:
    """Addresses and data URLs that are not base64 give no size."""
    assert read_data_url(url) is None


def test_size_of_zero_is_none() -> None:
    """An image without extent is no image."""
    assert read_header(PNG[:16] + bytes(8)) is None


@given(
    st.sampled_from([PNG, GIF, JPEG, LOSSY, LOSSLESS, EXTENDED]),
    st.integers(min_value=0),
    st.binary(max_size=8),
)
def test_damaged_files_never_raise(data: bytes, place: int, noise: bytes) -> None:
    """Whatever the bytes say, the answer is a size or None."""
    place %= len(data)
    header = read_header(data[:place] + noise + data[place + len(noise) :])
    assert header is None or isinstance(header, ImageHeader)
