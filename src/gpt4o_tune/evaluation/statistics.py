"""How sure a share is, and whether two shares over the same rows differ.

Intervals are score intervals: they stay inside the possible range and keep their width when every
answer is right or every answer is wrong, where the textbook normal interval collapses to a point. The
choices are argued, with measured coverage, on the page "Statistics" of the documentation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Interval", "holm", "mcnemar_exact", "tango", "wilson"]

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval.

    Example:
        >>> interval = Interval(low=0.72, high=0.88)
        >>> print(interval.around(0.81))
        0.81 (95% CI 0.72 to 0.88)
    """

    low: float
    high: float
    confidence: float = 0.95
    """Share of repeated experiments whose interval holds the true value."""

    def around(self, estimate: float) -> str:
        """Write an estimate with this interval behind it."""
        return f"{estimate:.2f} ({self})"

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.confidence * 100:g}% CI {self.low:.2f} to {self.high:.2f}"


def normal_quantile(confidence: float) -> float:
    """Give the two-sided standard normal quantile, 1.96 for 0.95.

    Raises:
        ValueError: The confidence is not strictly between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1, got {confidence!r}")
    return _NORMAL.inv_cdf(0.5 + confidence / 2)


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Give Wilson's score interval of a share.

    Source: Wilson (1927), J. Am. Stat. Assoc. 22:209; recommended over the normal interval by Brown,
    Cai and DasGupta (2001), Statist. Sci. 16:101.

    Args:
        successes: How many of the trials succeeded.
        n: How many trials there were; none gives the whole range 0 to 1.
        confidence: Two-sided confidence level.

    Raises:
        ValueError: The counts are negative, or there are more successes than trials.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"need 0 <= successes <= n, got {successes!r} of {n!r}")
    z = normal_quantile(confidence)
    if n == 0:
        return Interval(0.0, 1.0, confidence)
    return wilson_of_share(successes / n, n, z=z, confidence=confidence)


def wilson_of_share(share: float, n: float, *, z: float, confidence: float) -> Interval:
    """Give Wilson's interval of a share seen in so many trials, which need not be a whole number."""
    correction = z * z / n
    centre = (share + correction / 2) / (1 + correction)
    spread = z / math.sqrt(n) * math.sqrt(share * (1 - share) + correction / 4) / (1 + correction)
    return Interval(
        low=0.0 if share == 0 else max(0.0, centre - spread),
        high=1.0 if share == 1 else min(1.0, centre + spread),
        confidence=confidence,
    )


def mcnemar_exact(b: int, c: int) -> float:
    """Test whether two yes/no results over the same rows differ; give the two-sided p value.

    Rows on which both are right or both are wrong say nothing about a difference. Were the two equally
    good, each remaining row would fall to either side like a fair coin, so the test is binomial. It
    assumes no large sample and never claims a difference more often than announced. Source: McNemar
    (1947), Psychometrika 12:153, in its exact conditional form.

    Args:
        b: Rows on which only the first is right.
        c: Rows on which only the second is right.

    Raises:
        ValueError: A count is negative.
    """
    if b < 0 or c < 0:
        raise ValueError(f"counts of rows cannot be negative, got {b!r} and {c!r}")
    if b == c:
        return 1.0
    return min(1.0, 2 * binomial_cdf(min(b, c), b + c, 0.5))


def tango(b: int, c: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Give Tango's score interval of the difference of two shares over the same rows.

    The limits are the differences that a score test would just not reject. Source: Tango (1998), Stat.
    Med. 17:891; among the intervals recommended by Fagerland, Lydersen and Laake (2014), Stat. Med.
    33:2850.

    Args:
        b: Rows on which only the first is right.
        c: Rows on which only the second is right.
        n: All rows, those on which both agree included; none gives the whole range -1 to 1.
        confidence: Two-sided confidence level.

    Raises:
        ValueError: A count is negative, or b and c exceed n.
    """
    if b < 0 or c < 0 or b + c > n:
        raise ValueError(f"need b, c >= 0 and b + c <= n, got {b!r}, {c!r} and {n!r}")
    z = normal_quantile(confidence)
    if n == 0:
        return Interval(-1.0, 1.0, confidence)
    return Interval(-_tango_upper(c, b, n, z), _tango_upper(b, c, n, z), confidence)


def _tango_upper(b: int, c: int, n: int, z: float) -> float:
    """Bisect for the largest difference whose distance from the observed one is within z errors."""
    observed = (b - c) / n
    inside, outside = observed, 1.0
    for _ in range(60):
        middle = (inside + outside) / 2
        if math.sqrt(n) * (middle - observed) <= z * math.sqrt(_tango_variance(b, c, n, middle)):
            inside = middle
        else:
            outside = middle
    return inside


def _tango_variance(b: int, c: int, n: int, difference: float) -> float:
    """Give the variance of one row's difference, fitted under the constraint that it is `difference`.

    The rarer discordant share q maximises the likelihood of (b, c) given the other is q + difference:
    the non-negative root of 2n q^2 + (linear) q - c difference (1 - difference).
    """
    if difference < 0:
        return _tango_variance(c, b, n, -difference)
    linear = (2 * n - b + c) * difference - b - c
    constant = c * difference * (1 - difference)
    root = math.sqrt(linear * linear + 8 * n * constant)
    # The two forms are equal; each avoids subtracting nearly equal numbers on its side.
    rarer = 2 * constant / (root + linear) if linear > 0 else (root - linear) / (4 * n)
    return max(0.0, 2 * rarer + difference * (1 - difference))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for having asked several questions at once, in the order given.

    After the adjustment the chance of one or more false claims among all of them stays below the level
    tested at, whatever their dependence. Source: Holm (1979), Scand. J. Stat. 6:65.
    """
    adjusted = [0.0] * len(p_values)
    floor = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        floor = max(floor, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = floor
    return adjusted


def binomial_pmf(k: int, n: int, p: float) -> float:
    """Give the probability of k successes in n trials, for p strictly between 0 and 1.

    By log-gamma: with a million trials the relative error stays near 1e-9.
    """
    choices = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(choices + k * math.log(p) + (n - k) * math.log1p(-p))


def binomial_cdf(k: int, n: int, p: float) -> float:
    """Give the probability of at most k successes in n trials, for 0 <= k < n and 0 < p < 1."""
    if k > n * p:
        return 1.0 - binomial_cdf(n - k - 1, n, 1 - p)
    total = term = binomial_pmf(k, n, p)
    odds_against = (1 - p) / p
    while k > 0 and term > total * 1e-17:
        term *= k / (n - k + 1) * odds_against
        total += term
        k -= 1
    return total
