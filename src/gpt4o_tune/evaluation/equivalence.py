"""Is one as good as the other? Equivalence within a margin, which a missing difference does not show."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

from gpt4o_tune._display import html_text, paragraph, plural
from gpt4o_tune.evaluation._cautions import FEW_ROWS
from gpt4o_tune.evaluation.bootstrap import paired_bootstrap
from gpt4o_tune.evaluation.statistics import Interval, mcnemar_exact, tango

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Equivalence", "EquivalenceOutcome", "equivalence"]

EquivalenceOutcome = Literal["equivalent", "worse", "better", "not shown"]

_LEVEL = 0.05
"""Of every test: the chance of a false claim that each of them admits."""
_POWER = 0.8
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """Whether two differ by no more than a margin, over the same rows."""

    outcome: EquivalenceOutcome
    difference: float
    """New minus old, in shares or in mean score: 0.1 is ten points."""
    interval: Interval
    """Around `difference`, at 95 %."""
    test_interval: Interval
    """At 90 %: it lies within the margin exactly where two one-sided tests at 5 % both succeed."""
    margin: float
    rows: int
    p: float
    """Two-sided p value of there being any difference."""
    is_one_sided: bool
    """Whether only being worse counts."""
    rows_needed: int | None
    """About how many rows show equivalence four times in five where there is no difference at all; None
    where it is shown, or where the new one is shown to be worse or better."""

    @property
    def rule(self) -> str:
        """The rule that gave the outcome, with its figures."""
        level, points = f"{self.test_interval.confidence * 100:g}% CI", _points(self.margin)
        seen = _span(self.test_interval)
        if self.is_one_sided:
            test = f"non-inferiority at 5%: the {level} ({seen}) must lie above -{points} points"
        else:
            test = f"two one-sided tests at 5%: the {level} ({seen}) must lie within +/-{points} points"
        if self.outcome == "equivalent":
            return f"{test}, and does"
        p_value = "p < 0.0001" if self.p < 0.0001 else f"p = {self.p:.2g}"
        met = (
            f"does, but scores by degrees take {FEW_ROWS} rows" if self._lies_within else "does not"
        )
        return f"{test}, and {met}; a difference takes p of 0.05 or less, and {p_value}"

    @property
    def _lies_within(self) -> bool:
        return within(self.test_interval, self.margin, one_sided=self.is_one_sided)

    @property
    def verdict(self) -> str:
        """The outcome with its figures, in one sentence."""
        figures = f"difference {100 * self.difference:+.1f} points ({_span(self.interval)}, 95% CI)"
        within = f"within {_points(self.margin)} points"
        if self.outcome == "equivalent":
            word = "no worse" if self.is_one_sided else "equivalent"
            return f"{word} {within}: {figures}"
        if self.outcome != "not shown":
            return f"{self.outcome}: {figures}"
        needed = "" if self.rows_needed is None else f" (need about {self.rows_needed:,})"
        what = "to be no worse" if self.is_one_sided else "equivalence"
        return f"{what} {within} is not shown with {plural(self.rows, 'row')}{needed}: {figures}"

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes."""
        return {**asdict(self), "verdict": self.verdict, "rule": self.rule}

    def __str__(self) -> str:
        return f"{paragraph(self.verdict)}\n{paragraph(f'rule: {self.rule}', indent='  ')}"

    def _repr_html_(self) -> str:
        return html_text(str(self))


def equivalence(
    new: Sequence[float],
    old: Sequence[float],
    *,
    margin: float = 0.05,
    one_sided: bool = False,
    seed: int = 0,
) -> Equivalence:
    """Test whether two score alike over the same rows, to within a margin.

    Shares of 0 and 1 get Tango's interval and McNemar's exact test; other scores the BCa bootstrap and the
    sign-flip test, and then at least thirty rows before equivalence may be claimed. Source of the two
    one-sided tests: Schuirmann (1987), J. Pharmacokinet. Biopharm. 15:657.

    Args:
        new: One score from 0 to 1 per row.
        old: Scores of the same rows in the same order.
        margin: The largest difference that does not matter, in the units of the scores.
        one_sided: Ask only whether the new one is no worse.
        seed: Seed of the resampling.

    Raises:
        ValueError: There are no rows, the lengths differ, or the margin does not lie between 0 and 1.
    """
    if not 0 < margin < 1:
        raise ValueError(f"margin must lie between 0 and 1, such as 0.05, not {margin!r}")
    differences = [a - b for a, b in zip(new, old, strict=True)]
    if not differences:
        raise ValueError("there are no rows to compare")
    wide, narrow, p, is_exact = _intervals(new, old, differences, seed)
    n, mean = len(differences), math.fsum(differences) / len(differences)
    enough = is_exact or n >= FEW_ROWS
    outcome: EquivalenceOutcome = "not shown"
    if enough and within(narrow, margin, one_sided=one_sided):
        outcome = "equivalent"
    elif p <= _LEVEL and mean:
        outcome = "better" if mean > 0 else "worse"
    return Equivalence(
        outcome=outcome,
        difference=mean,
        interval=wide,
        test_interval=narrow,
        margin=margin,
        rows=n,
        p=p,
        is_one_sided=one_sided,
        rows_needed=_rows_needed(differences, margin, one_sided)
        if outcome == "not shown"
        else None,
    )


def within(interval: Interval, margin: float, *, one_sided: bool) -> bool:
    """Say whether an interval lies within the margin, on the lower side or on both."""
    return interval.low > -margin and (one_sided or interval.high < margin)


def _intervals(
    new: Sequence[float], old: Sequence[float], differences: Sequence[float], seed: int
) -> tuple[Interval, Interval, float, bool]:
    """Give the 95 % and the 90 % interval, the p value, and whether few rows are enough for them."""
    n, levels = len(differences), (1 - _LEVEL, 1 - 2 * _LEVEL)
    if {*new, *old} <= {0.0, 1.0}:
        wins, losses = differences.count(1.0), differences.count(-1.0)
        wide, narrow = (tango(wins, losses, n, confidence=level) for level in levels)
        return wide, narrow, mcnemar_exact(wins, losses), True
    found = [paired_bootstrap(new, old, seed=seed, confidence=level) for level in levels]
    wide, narrow = (_with_width(each.interval, n) for each in found)
    return wide, narrow, found[0].p, False


def _with_width(interval: Interval, n: int) -> Interval:
    """Give the interval of equal differences the width of as many equal pairs of yes and no."""
    if interval.low < interval.high:
        return interval
    reach = tango(0, 0, n, confidence=interval.confidence).high
    low, high = max(-1.0, interval.low - reach), min(1.0, interval.high + reach)
    return Interval(low, high, interval.confidence)


def _rows_needed(differences: Sequence[float], margin: float, one_sided: bool) -> int:
    """Estimate the rows by the normal formula, and never fewer than rows without any difference take."""
    mean = math.fsum(differences) / len(differences)
    variance = math.fsum((each - mean) ** 2 for each in differences) / len(differences)
    z = _NORMAL.inv_cdf(1 - _LEVEL)
    z_power = _NORMAL.inv_cdf(_POWER if one_sided else (1 + _POWER) / 2)
    by_spread = variance * ((z + z_power) / margin) ** 2
    # Tango's limits of no discordant row are z squared by n plus z squared.
    least = z * z * (1 - margin) / margin
    return math.ceil(max(by_spread, least, FEW_ROWS))


def _points(share: float) -> str:
    return f"{100 * share:g}"


def _span(interval: Interval) -> str:
    return f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}"
