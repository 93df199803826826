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

__all__ = ["ClusteredMean", "clustered_mean", "clustered_sign_flip", "mean_interval"]


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
    """Give the mean with its cluster-robust standard error and Student's t interval.

    The error is the jackknife over groups, also known as CR3: how much the mean moves when a group is left
    out (Bell and McCaffrey 2002, Surv. Methodol. 28:169). With groups of one size it is the usual
    clustered error. The interval has G - 1 degrees of freedom for G groups.

    Args:
        values: One value per row.
        groups: The group of each row, in the same order.
        confidence: Two-sided confidence level.

    Raises:
        ValueError: The lengths differ, or there are fewer than two groups.
    """
    sums = _sums(values, groups)
    n, count, total = len(values), len(sums), math.fsum(values)
    mean = total / n
    moves = [(total - part) / (n - size) - mean for part, size in sums]
    error = math.sqrt(math.fsum(move * move for move in moves) * (count - 1) / count)
    reach = t_quantile(0.5 + confidence / 2, count - 1) * error
    return ClusteredMean(mean, error, count, Interval(mean - reach, mean + reach, confidence))


def mean_interval(
    values: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    *,
    confidence: float = 0.95,
) -> Interval:
    """Give the interval of a mean of scores, or of a share of rows that come in groups.

    Scores between 0 and 1 get Wilson's interval of a share, with as many rows as these are worth: the number
    that would give a share the standard error of the mean. It stays within 0 and 1 and leans away from
    the ends, where a t interval is too short on one side. The normal quantile gives way to Student's t.
    Source for shares: Dean and Pagano (2015), J. Surv. Stat. Methodol. 3:484; for scores our own, with
    the coverage measured on the page "Statistics". Other values get the t interval of `clustered_mean`.

    Args:
        values: One score per row.
        groups: The group of each row, in the same order; None takes rows for independent.
        confidence: Two-sided confidence level.

    Raises:
        ValueError: The lengths differ, or there are fewer than two rows or groups.
    """
    groups = range(len(values)) if groups is None else groups
    found = clustered_mean(values, groups, confidence=confidence)
    if min(values) < 0 or max(values) > 1:
        return found.interval
    mean = min(1.0, max(0.0, found.mean))
    z = t_quantile(0.5 + confidence / 2, found.groups - 1)
    # Rounding leaves a trace of an error where all groups are equal; then groups count as rows.
    worth = float(found.groups)
    if found.standard_error > 1e-9:
        worth = mean * (1 - mean) / found.standard_error**2
        if all(value in (0, 1) for value in values):
            # Rows of a group may differ from each other by chance, but are worth no more than rows.
            worth = min(worth, float(len(values)))
    return wilson_of_share(mean, worth, z=z, confidence=confidence)


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
