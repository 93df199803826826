"""Intervals and tests for mean scores, by resampling the rows.

For scores between 0 and 1 with no yes or no behind them; for shares of right answers the closed forms in
`statistics` are better. A bootstrap knows only the values that it was given: from fewer than about twenty
rows its intervals are too short, and from equal values they have no width.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist
from typing import TYPE_CHECKING

from gpt4o_tune.evaluation.statistics import Interval, normal_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PairedMeans", "bootstrap_mean", "paired_bootstrap"]

RESAMPLES = 4000
"""Resamples by default: the Monte Carlo error of a 95 % limit is then about 2 % of the width."""

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class PairedMeans:
    """The difference of two mean scores over the same rows."""

    difference: float
    """Mean of the first minus mean of the second."""

    interval: Interval
    p: float
    """Two-sided p value of the sign-flip test."""


def bootstrap_mean(
    values: Sequence[float],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> Interval:
    """Give the bias-corrected and accelerated (BCa) bootstrap interval of a mean.

    Source: Efron (1987), J. Am. Stat. Assoc. 82:171. Equal seeds give equal intervals on every platform.

    Args:
        values: One score per row, at least one.
        seed: Seed of the resampling.
        resamples: How many resamples to draw.
        confidence: Two-sided confidence level.

    Raises:
        ValueError: There are no values, or fewer than one resample was asked for.
    """
    if not values or resamples < 1:
        raise ValueError(
            f"need values and resamples, got {len(values)} values and resamples={resamples!r}"
        )
    n, z = len(values), normal_quantile(confidence)
    # fsum does not depend on the order of the terms, so equal resamples compare equal.
    mean = math.fsum(values) / n
    if min(values) == max(values):
        return Interval(mean, mean, confidence)
    draw = random.Random(seed)  # noqa: S311 - resampling needs repeatable draws, not secret ones
    means = sorted(math.fsum(draw.choices(values, k=n)) / n for _ in range(resamples))
    bias, acceleration = _bias(means, mean), _acceleration(values, mean)

    def limit(z_limit: float) -> float:
        shifted = bias + z_limit
        return _quantile(means, _NORMAL.cdf(bias + shifted / (1 - acceleration * shifted)))

    return Interval(limit(-z), limit(z), confidence)


def paired_bootstrap(
    a: Sequence[float],
    b: Sequence[float],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> PairedMeans:
    """Compare two mean scores over the same rows.

    The interval is the BCa bootstrap interval of the differences row by row. The p value is that of the
    sign-flip permutation test, which stays valid for few rows, where a bootstrap p value is too small; on
    scores that are all 0 or 1 it is McNemar's exact test.

    Args:
        a: Scores of the first, one per row.
        b: Scores of the second, for the same rows in the same order.
        seed: Seed of the resampling.
        resamples: How many resamples to draw, for the interval and for the test.
        confidence: Two-sided confidence level.

    Raises:
        ValueError: The lengths differ, there are no values, or no resample was asked for.
    """
    differences = [x - y for x, y in zip(a, b, strict=True)]
    interval = bootstrap_mean(differences, seed=seed, resamples=resamples, confidence=confidence)
    return PairedMeans(
        difference=math.fsum(differences) / len(differences),
        interval=interval,
        p=sign_flip(differences, seed=seed, resamples=resamples),
    )


def _bias(means: Sequence[float], mean: float) -> float:
    below = sum(value < mean for value in means) + sum(value == mean for value in means) / 2
    edge = 1 / (2 * len(means))
    return _NORMAL.inv_cdf(min(max(below / len(means), edge), 1 - edge))


def _acceleration(values: Sequence[float], mean: float) -> float:
    """One sixth of the skewness of the jackknifed mean, which is linear in the values."""
    # Relative to the range, so that squares of tiny differences do not vanish.
    reach = max(values) - min(values)
    squares = math.fsum(((value - mean) / reach) ** 2 for value in values)
    cubes = math.fsum(((value - mean) / reach) ** 3 for value in values)
    return cubes / (6 * squares**1.5)


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def sign_flip(differences: Sequence[float], *, seed: int, resamples: int) -> float:
    """Give the share of sign patterns whose sum is at least as far from zero as the observed one."""
    sizes = [abs(value) for value in differences if value]
    observed = abs(math.fsum(differences))
    # Sums of the same terms in another order may differ in the last digits.
    reached = observed - 1e-9 * math.fsum(sizes)
    if 2 ** len(sizes) <= resamples:
        patterns = product((1, -1), repeat=len(sizes))
        sums = (
            sum(sign * size for sign, size in zip(signs, sizes, strict=True)) for signs in patterns
        )
        return sum(abs(value) >= reached for value in sums) / 2 ** len(sizes)
    draw = random.Random(seed)  # noqa: S311 - resampling needs repeatable draws, not secret ones
    counts: dict[float, int] = {}
    for size in sizes:
        counts[size] = counts.get(size, 0) + 1
    extreme = 0
    for _ in range(resamples):
        # Of m equal sizes, the number with a plus sign is the count of ones in m random bits.
        value = sum(
            size * (2 * draw.getrandbits(count).bit_count() - count)
            for size, count in counts.items()
        )
        extreme += abs(value) >= reached
    # The observed pattern counts as one of the draws, so p is never 0.
    return (extreme + 1) / (resamples + 1)
