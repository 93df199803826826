"""How small a difference a comparison of a given size can show, and how many rows it takes.

Both answer in the units of the difference itself: 0.1 is ten percentage points.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from gpt4o_tune.evaluation.statistics import (
    binomial_cdf,
    binomial_pmf,
    mcnemar_exact,
    normal_quantile,
)

__all__ = ["minimum_detectable_difference", "rows_needed"]

_EXACT_UP_TO = 1000
"""Rows up to which power is summed exactly; above, the normal formula is within 0.2 points of it."""


def minimum_detectable_difference(
    n: int, *, discordance: float, confidence: float = 0.95, power: float = 0.8
) -> float | None:
    """Give the smallest true difference that McNemar's exact test would show with the power asked.

    Args:
        n: Rows compared.
        discordance: Share of rows on which exactly one of the two is right, 0 to 1. A difference needs
            at least as much discordance as its own size, so larger differences are weighed with that.
        confidence: One minus the level of the test.
        power: Chance of showing the difference where it is real.

    Returns:
        A difference of shares, or None where not even a difference of 1 could be shown.

    Raises:
        ValueError: An argument is out of range.
    """
    if n < 0 or not 0 <= discordance <= 1:
        raise ValueError(f"need n >= 0 and 0 <= discordance <= 1, got {n!r} and {discordance!r}")
    z, z_power = normal_quantile(confidence), _power_quantile(power)
    if n > _EXACT_UP_TO:
        return _by_formula(n, discordance, z, z_power)
    critical = _critical_counts(n, 1 - confidence)
    if critical[n] < 0:
        return None
    missed, shown = 0.0, 1.0
    while shown - missed > 1e-4:
        middle = (missed + shown) / 2
        if _power(critical, max(discordance, middle), middle) >= power:
            shown = middle
        else:
            missed = middle
    return shown


def rows_needed(
    difference: float, *, discordance: float, confidence: float = 0.95, power: float = 0.8
) -> int:
    """Estimate how many rows show a true difference with the power asked.

    Source: Connor (1987), Biometrics 43:207, for McNemar's test; the exact test wants slightly more.

    Args:
        difference: True difference of shares, either sign.
        discordance: Share of rows on which exactly one of the two is right; at least `difference`.
        confidence: One minus the level of the test.
        power: Chance of showing the difference where it is real.

    Raises:
        ValueError: The difference is zero, or an argument is out of range.
    """
    size = abs(difference)
    if not 0 < size <= 1 or not 0 <= discordance <= 1:
        raise ValueError(
            f"need 0 < |difference| <= 1 and 0 <= discordance <= 1, got {difference!r} and"
            f" {discordance!r}"
        )
    discordance = max(discordance, size)
    errors = normal_quantile(confidence) * math.sqrt(discordance)
    errors += _power_quantile(power) * math.sqrt(discordance - size * size)
    return math.ceil((errors / size) ** 2)


def _by_formula(n: int, discordance: float, z: float, z_power: float) -> float:
    """Solve Connor's formula for the difference; where all discordance must favour one side, iterate."""
    missed, shown = 0.0, 1.0
    while shown - missed > 1e-6:
        middle = (missed + shown) / 2
        spread = max(discordance, middle)
        errors = z * math.sqrt(spread) + z_power * math.sqrt(spread - middle * middle)
        if math.sqrt(n) * middle >= errors:
            shown = middle
        else:
            missed = middle
    return shown


def _power_quantile(power: float) -> float:
    if not 0 < power < 1:
        raise ValueError(f"power must lie strictly between 0 and 1, got {power!r}")
    return NormalDist().inv_cdf(power)


def _critical_counts(n: int, level: float) -> list[int]:
    """For 0 to n discordant rows, the most that may favour the worse side in a significant result."""
    counts = [-1]
    for discordant in range(1, n + 1):
        most = counts[-1]
        if mcnemar_exact(most + 1, discordant - most - 1) <= level:
            most += 1
        counts.append(most)
    return counts


def _power(critical: list[int], discordance: float, difference: float) -> float:
    """Chance that the exact test finds the better side, summed over the number of discordant rows."""
    n = len(critical) - 1
    against = (1 - difference / discordance) / 2
    total = 0.0
    for discordant, most in enumerate(critical):
        if most < 0:
            continue
        weight = binomial_pmf(discordant, n, discordance) if discordance < 1 else discordant == n
        if weight > 1e-9:
            total += weight * (binomial_cdf(most, discordant, against) if against > 0 else 1.0)
    return total
