"""How large a difference is, in units that do not depend on the measure."""

from __future__ import annotations

import math
from statistics import fmean, pvariance
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["cohens_h", "standardised_difference"]


def cohens_h(first: float, second: float) -> float:
    """Give Cohen's h of two shares: the difference of their arcsines.

    Ten points near 0 or 1 weigh more than ten points in the middle. Cohen (1988) calls 0.2 small, 0.5
    medium and 0.8 large.

    Raises:
        ValueError: A share is not within 0 to 1.
    """
    if not (0 <= first <= 1 and 0 <= second <= 1):
        raise ValueError(f"shares lie between 0 and 1, got {first!r} and {second!r}")
    return 2 * math.asin(math.sqrt(first)) - 2 * math.asin(math.sqrt(second))


def standardised_difference(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Give the difference of two means over the mean standard deviation of both (Cohen's d, average form).

    The deviations are those of the scores, and not of their differences, so that it means the same
    whether or not the rows were paired. None where neither varies, or there are fewer than two rows.

    Raises:
        ValueError: There are no values.
    """
    if not first or not second:
        raise ValueError("there are no values")
    if min(len(first), len(second)) < 2:
        return None
    # The variance of a sample of n, which divides by n - 1.
    spread = sum(pvariance(each) * len(each) / (len(each) - 1) for each in (first, second)) / 2
    return (fmean(first) - fmean(second)) / math.sqrt(spread) if spread else None
