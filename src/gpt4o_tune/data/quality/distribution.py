"""How numbers lie: quantiles and a histogram."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Bin", "Distribution"]

_BINS = 24
_LOGARITHMIC_FROM = 20
"""Factor between the smallest and the largest value from which bins grow with the values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """A range of whole numbers and how many values lie in it."""

    low: int
    high: int
    """The last number that belongs to it."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Whole numbers, one or more per row, in summary.

    Quantiles are values that occur: the smallest that at least the share of all values reach (nearest rank).
    """

    count: int
    total: int
    min: int
    p5: int
    p25: int
    median: int
    p75: int
    p95: int
    p99: int
    max: int
    bins: tuple[Bin, ...]
    """Up to 24 ranges, of equal width; or each wider than the one before it, where the largest value is
    more than twenty times the smallest."""

    @classmethod
    def of(cls, values: Sequence[int]) -> Distribution:
        """Summarise values; all figures are 0 where there are none."""
        ranked = sorted(values)

        def quantile(share: float) -> int:
            return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else 0

        return cls(
            count=len(ranked),
            total=sum(ranked),
            min=quantile(0.0),
            p5=quantile(0.05),
            p25=quantile(0.25),
            median=quantile(0.5),
            p75=quantile(0.75),
            p95=quantile(0.95),
            p99=quantile(0.99),
            max=quantile(1.0),
            bins=_bins(ranked),
        )

    @property
    def mean(self) -> float:
        """The mean; 0 without values."""
        return self.total / self.count if self.count else 0.0

    def to_dict(self) -> dict[str, object]:
        """Return the figures as plain values."""
        return {**asdict(self), "mean": self.mean, "bins": [asdict(each) for each in self.bins]}


def _bins(ranked: Sequence[int]) -> tuple[Bin, ...]:
    if not ranked:
        return ()
    starts = _starts(ranked[0], ranked[-1])
    ends = [*starts[1:], ranked[-1] + 1]
    places = [bisect_right(ranked, end - 1) for end in ends]
    return tuple(
        Bin(low=low, high=end - 1, count=place - before)
        for low, end, place, before in zip(starts, ends, places, [0, *places], strict=False)
    )


def _starts(low: int, high: int) -> list[int]:
    if high - low < _BINS:
        return list(range(low, high + 1))
    if high < _LOGARITHMIC_FROM * max(low, 1):
        return [low + (high + 1 - low) * step // _BINS for step in range(_BINS)]
    floor = max(low, 1)
    grown = (floor * ((high + 1) / floor) ** (step / _BINS) for step in range(_BINS))
    return sorted({low, *(round(start) for start in grown)})
