"""Student's t distribution, which intervals from few groups need in the place of the normal one."""

from __future__ import annotations

import functools
import math

__all__ = ["t_cdf", "t_quantile"]

_TERMS = 500
_TINY = 1e-300


@functools.lru_cache(maxsize=1024)
def t_quantile(p: float, df: float) -> float:
    """Give the value below which a share `p` of the distribution with `df` degrees of freedom lies.

    Raises:
        ValueError: `p` is not strictly between 0 and 1, or `df` is not positive.
    """
    if not 0 < p < 1 or df <= 0:
        raise ValueError(f"need 0 < p < 1 and df > 0, got {p!r} and {df!r}")
    if p < 0.5:
        return -t_quantile(1 - p, df)
    low, high = 0.0, 1.0
    while t_cdf(high, df) < p:
        low, high = high, 2 * high
    for _ in range(80):
        middle = (low + high) / 2
        if t_cdf(middle, df) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def t_cdf(value: float, df: float) -> float:
    """Give the share of the distribution below a value."""
    tail = _incomplete_beta(df / (df + value * value), df / 2, 0.5) / 2
    return 1 - tail if value > 0 else tail


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Give the regularised incomplete beta function, by the continued fraction that converges faster."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Evaluate the continued fraction from its first term on (Lentz's method)."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
