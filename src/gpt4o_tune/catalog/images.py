"""How many tokens an image costs: one formula for tile models, one for patch models."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

Detail: TypeAlias = Literal["low", "high", "auto"]
"""The `detail` of an image part. `auto` is counted as `high`: the service decides, this is the most."""


@dataclass(frozen=True, slots=True)
class TileTokens:
    """A base price per image and a price per tile (GPT-4o, GPT-4.1, GPT-5)."""

    base: int
    """Tokens of every image; the whole price at low detail."""
    tile: int
    """Tokens per tile at high detail."""
    fit_px: int
    """The image is first shrunk to fit a square of this side."""
    shortest_px: int
    """The shorter side is then shrunk to this length."""
    tile_px: int
    """Side of a tile."""

    def count(self, width: int, height: int, *, detail: Detail = "auto") -> int:
        """Count the tokens of one image; sides in pixels. Images are shrunk, never enlarged."""
        if detail == "low":
            return self.base
        fit = min(1.0, self.fit_px / max(width, height))
        scale = fit * min(1.0, self.shortest_px / (min(width, height) * fit))
        tiles = _cells(width * scale, self.tile_px) * _cells(height * scale, self.tile_px)
        return self.base + tiles * self.tile


@dataclass(frozen=True, slots=True)
class PatchTokens:
    """A price per patch of the image (GPT-4.1 mini and nano, o4-mini)."""

    multiplier: float
    """Tokens per patch."""
    patch_px: int
    """Side of a patch."""
    max_patches: int
    """A larger image is shrunk until whole patches cover it within this number."""

    def count(self, width: int, height: int, *, detail: Detail = "auto") -> int:
        """Count the tokens of one image; sides in pixels. Every detail costs the same."""
        del detail  # no source gives patch models a cheaper price for low detail
        columns, rows = _cells(width, self.patch_px), _cells(height, self.patch_px)
        if columns * rows > self.max_patches:
            columns, rows = self._shrunk(width, height)
        return math.ceil(columns * rows * self.multiplier)

    def _shrunk(self, width: int, height: int) -> tuple[int, int]:
        scale = math.sqrt(self.max_patches / (width * height))
        columns, rows = max(1.0, width * scale), max(1.0, height * scale)
        # Cutting one side to whole patches takes the other along, as the picture keeps its shape.
        keep = min(math.floor(columns) / columns, math.floor(rows) / rows)
        patches = _cells(columns * keep, 1), _cells(rows * keep, 1)
        return min(patches[0], self.max_patches), min(patches[1], self.max_patches)


ImageTokens: TypeAlias = TileTokens | PatchTokens


def _cells(length: float, side: int) -> int:
    # Rounding first keeps a side of 1024.0000000001 pixels from costing another cell.
    return max(1, math.ceil(round(length / side, 6)))
