"""Intervals and tests for rows that come in groups, such as several questions of one customer.

Rows of a group are alike, so they tell less than as many rows of their own would. Here the groups are the
units that were drawn: what varies from group to group sets the width of an interval, and a test flips the
signs of whole groups. With one row in each group, `clustered_mean` is Student's t interval.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.evaluation._student import t_quantile
from gpt4o_tune.evaluation.bootstrap import RESAMPLES, sign_flip
from gpt4o_tune.evaluation.statistics import Interval, wilson_of_share

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

__all__ = ["ClusteredMean", "clustered_mean", "clustered_share", "clustered_sign_flip"]


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean over rows that come in groups."""

    mean: float
    standard_error: float
    groups: int
    interval: Interval


def clustered_mean(
    values: Sequence[float], groups: Sequence[Hashable], *, confidence: float = 0.95
) -> ClusteredMean:
    """Give the mean with its cluster-robust standard error and t interval.

    The error is that of a regression on a constant with errors clustered by group (Liang and Zeger 1986,
    Biometrika 73:13, with the usual correction G / (G - 1)); the interval takes Student's t with G - 1
    degrees of freedom for G groups.

    Args:
        values: One value per row.
        groups: The group of each row, in the same order.
        confidence: Two-sided confidence level.

    Raises:
        ValueError: The lengths differ, or there are fewer than two groups.
    """
    sums = _sums(values, groups)
    n, count = len(values), len(sums)
    mean = math.fsum(values) / n
    residuals = [total - size * mean for total, size in sums]
    error = math.sqrt(math.fsum(each * each for each in residuals) * count / (count - 1)) / n
    reach = t_quantile(0.5 + confidence / 2, count - 1) * error
    return ClusteredMean(mean, error, count, Interval(mean - reach, mean + reach, confidence))


def clustered_share(
    passed: Sequence[bool], groups: Sequence[Hashable], *, confidence: float = 0.95
) -> Interval:
    """Give the interval of a share, as Wilson's but with as many rows as these are worth.

    The number of rows is divided by the design effect, the factor by which grouping raises the variance (at
    least 1), and the normal quantile gives way to Student's t with G - 1 degrees of freedom. Where every
    row is equal, the groups count as the rows. Source: Dean and Pagano (2015), J. Surv. Stat. Methodol.
    3:484.

    Args:
        passed: Whether each row succeeded.
        groups: The group of each row, in the same order.
        confidence: Two-sided confidence level.

    Raises:
        ValueError: The lengths differ, or there are fewer than two groups.
    """
    sums = _sums([float(each) for each in passed], groups)
    n, count = len(passed), len(sums)
    share = sum(passed) / n
    alone = share * (1 - share) / n
    if alone:
        error = clustered_mean([float(each) for each in passed], groups).standard_error
        worth = n / max(1.0, error * error / alone)
    else:
        worth = float(count)
    z = t_quantile(0.5 + confidence / 2, count - 1)
    return wilson_of_share(share, worth, z=z, confidence=confidence)


def clustered_sign_flip(
    differences: Sequence[float],
    groups: Sequence[Hashable],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> float:
    """Test whether the differences of two over the same rows are even, flipping whole groups; give p.

    With one row in each group it is the test of `paired_bootstrap`, and on 0 and 1 McNemar's exact test.

    Args:
        differences: First minus second, row by row.
        groups: The group of each row, in the same order.
        seed: Seed of the draws, which are needed only where there are more patterns than `resamples`.
        resamples: How many patterns of signs to look at.

    Raises:
        ValueError: The lengths differ, or there are fewer than two groups.
    """
    sums = [total for total, _ in _sums(differences, groups)]
    return sign_flip(sums, seed=seed, resamples=resamples)


def _sums(values: Sequence[float], groups: Sequence[Hashable]) -> list[tuple[float, int]]:
    """Add up the values of each group, in the order of the groups' first rows, and count them."""
    members: defaultdict[Hashable, list[float]] = defaultdict(list)
    for value, group in zip(values, groups, strict=True):
        members[group].append(value)
    if len(members) < 2:
        raise ValueError(
            f"rows of {len(members)} groups cannot say how much groups vary; it takes two or more"
        )
    return [(math.fsum(each), len(each)) for each in members.values()]
