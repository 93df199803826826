"""Modes and damage are read from the bytes as Pillow finds them by decoding."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest

from gpt4o_tune.data.pixels import COLOUR_MODES, damage, decode_ends, read_pixels

pillow = pytest.importorskip("PIL.Image", reason="Pillow is the oracle")

MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
}
WRITINGS: list[tuple[str, str, dict[str, Any]]] = [
    *((kind, mode, {}) for kind, modes in MODES.items() for mode in modes),
    ("JPEG", "RGB", {"progressive": True, "exif": b"Exif\0\0" + bytes(30_000)}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("WEBP", "RGB", {"lossless": True}),
]


def written(kind: str, mode: str, options: dict[str, Any]) -> bytes:
    """Let Pillow write a picture that does not fold to nothing."""
    file = io.BytesIO()
    picture = pillow.effect_noise((64, 48), 80).convert("RGB").convert(mode)
    if mode == "RGBA":
        picture.putalpha(7)
    picture.save(file, kind, **options)
    return file.getvalue()


def fault(data: bytes) -> str | None:
    """Look for damage as the check does, through base64."""
    ends = decode_ends(base64.b64encode(data).decode())
    assert ends is not None
    assert ends.size == len(data)
    return damage(ends)


@pytest.mark.parametrize(("kind", "mode", "options"), WRITINGS)
def test_modes_are_those_of_pillow(kind: str, mode: str, options: dict[str, Any]) -> None:
    """RGB and RGBA are told apart, and from everything else."""
    data = written(kind, mode, options)
    opened = pillow.open(io.BytesIO(data))
    pixels = read_pixels(data[:100_000])

    assert pixels is not None
    assert not pixels.is_animated
    if opened.mode in COLOUR_MODES:
        assert pixels.mode == opened.mode
    else:
        assert pixels.mode not in COLOUR_MODES


@pytest.mark.parametrize(("kind", "mode", "options"), WRITINGS)
def test_a_file_that_was_cut_is_damaged(kind: str, mode: str, options: dict[str, Any]) -> None:
    """Wherever it stops, while the whole file and what readers ignore behind it are sound."""
    data = written(kind, mode, options)
    assert fault(data) is None
    assert fault(data + bytes(500)) is None
    for end in (*range(30, len(data) - 20, max(1, len(data) // 40)), len(data) - 1):
        assert fault(data[:end]) is not None


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_seen(kind: str) -> None:
    """An animated PNG and an animated WEBP."""
    frames = [pillow.effect_noise((32, 32), 50).convert("RGB") for _ in range(3)]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])

    pixels = read_pixels(file.getvalue())

    assert pixels is not None
    assert pixels.is_animated


def test_a_preview_inside_does_not_pass_for_the_end() -> None:
    """A JPEG's metadata may hold a whole JPEG, with an end mark of its own."""
    preview = written("JPEG", "RGB", {})
    data = written("JPEG", "RGB", {"exif": b"Exif\0\0" + preview})

    assert fault(data) is None
    assert fault(data[:-2]) is not None


@pytest.mark.parametrize(
    "data", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP9 " + bytes(40)]
)
def test_what_is_no_image_has_no_pixels(data: bytes) -> None:
    """Nothing is guessed from a head that does not tell."""
    assert read_pixels(data) is None
    assert decode_ends("no base64!") is None
