"""One candidate against the baseline over the same rows, and the verdict in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gpt4o_tune.evaluation._student import t_quantile
from gpt4o_tune.evaluation.clusters import clustered_mean, clustered_sign_flip
from gpt4o_tune.evaluation.effect import cohens_h, standardised_difference
from gpt4o_tune.evaluation.power import minimum_detectable_difference
from gpt4o_tune.evaluation.statistics import Interval, holm, mcnemar_exact, tango

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from gpt4o_tune.evaluation.answers import CandidateResult, Measure

__all__ = ["Difference", "Outcome"]

Outcome = Literal["better", "worse", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A candidate against the baseline, paired row by row."""

    candidate: str
    baseline: str
    wins: int
    """Rows on which the candidate did better than the baseline."""

    losses: int
    """Rows on which the candidate did worse than the baseline."""

    ties: int
    difference: float
    """Candidate minus baseline, in shares or in mean score: 0.1 is ten points."""

    interval: Interval
    """Around `difference`: Tango's for shares, Student's t for mean scores and for rows in groups."""

    p: float
    """Two-sided: McNemar's exact test for shares, its sign-flip equivalent for mean scores and for groups."""

    p_adjusted: float
    """The same after Holm's adjustment for the number of candidates, and of graders where there are several."""

    effect_size: float | None
    """Cohen's h for shares; for mean scores the difference over their standard deviation. None where neither
    varies."""

    smallest_detectable: float | None
    """Difference that a comparison like this shows four times in five; None where the rows are too few to show
    any, or differ by the same everywhere."""

    outcome: Outcome
    """Better or worse only where `p_adjusted` is within the level of the test."""

    verdict: str
    """The outcome with its figures, in one sentence."""


def differences(
    candidates: Sequence[CandidateResult],
    baseline: CandidateResult,
    *,
    measure: Measure,
    confidence: float,
    seed: int,
    groups: Sequence[Hashable] | None = None,
) -> tuple[Difference, ...]:
    """Compare each candidate with the baseline."""
    found = pairs(
        candidates, baseline, measure=measure, confidence=confidence, seed=seed, groups=groups
    )
    adjusted = holm([pair.p for pair in found])
    return tuple(
        judged(pair, p_adjusted, comparisons=len(found))
        for pair, p_adjusted in zip(found, adjusted, strict=True)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What two candidates show over the same rows, before it is known how many questions were asked."""

    candidate: CandidateResult
    baseline: CandidateResult
    measure: Measure
    wins: int
    losses: int
    difference: float
    interval: Interval
    p: float
    effect_size: float | None
    standard_error: float
    """Of the difference."""
    units: int
    """Rows, or groups of rows."""
    is_grouped: bool


def pairs(
    candidates: Sequence[CandidateResult],
    baseline: CandidateResult,
    *,
    measure: Measure,
    confidence: float,
    seed: int,
    groups: Sequence[Hashable] | None,
) -> tuple[Pair, ...]:
    """Hold each candidate against the baseline, row by row."""
    return tuple(_pair(each, baseline, measure, confidence, seed, groups) for each in candidates)


def _pair(
    candidate: CandidateResult,
    baseline: CandidateResult,
    measure: Measure,
    confidence: float,
    seed: int,
    groups: Sequence[Hashable] | None,
) -> Pair:
    ours, theirs = _values(candidate, measure), _values(baseline, measure)
    apart = [x - y for x, y in zip(ours, theirs, strict=True)]
    wins, losses, n = sum(x > 0 for x in apart), sum(x < 0 for x in apart), len(apart)
    error, units = 0.0, n
    if measure == "accuracy" and groups is None:
        difference, p = (wins - losses) / n, mcnemar_exact(wins, losses)
        interval = tango(wins, losses, n, confidence=confidence)
    elif n == 1:
        difference, p, interval = apart[0], 1.0, Interval(apart[0], apart[0], confidence)
    else:
        labels = range(n) if groups is None else groups
        found = clustered_mean(apart, labels, confidence=confidence)
        difference, interval = found.mean, found.interval
        error, units = found.standard_error, found.groups
        p = clustered_sign_flip(apart, labels, seed=seed)
    return Pair(
        candidate=candidate,
        baseline=baseline,
        measure=measure,
        wins=wins,
        losses=losses,
        difference=difference,
        interval=interval,
        p=p,
        effect_size=(
            cohens_h(sum(ours) / n, sum(theirs) / n)
            if measure == "accuracy"
            else standardised_difference(ours, theirs)
        ),
        standard_error=error,
        units=units,
        is_grouped=groups is not None,
    )


def _values(result: CandidateResult, measure: Measure) -> list[float]:
    if measure == "accuracy":
        return [float(grade.passed is True) for grade in result.grades]
    return [grade.score for grade in result.grades]


def judged(pair: Pair, p_adjusted: float, *, comparisons: int) -> Difference:
    """Say what a pair shows, given the p value that holds for so many comparisons."""
    n, name = len(pair.candidate.grades), pair.candidate.name
    outcome: Outcome = "undecided"
    if p_adjusted <= 1 - pair.interval.confidence:
        outcome = "better" if pair.difference > 0 else "worse"
    detectable = _detectable(pair, n, comparisons)
    figures = _figures(pair.candidate, pair.baseline, pair, pair.measure)
    p_value = _p_value(p_adjusted, comparisons)
    if outcome == "undecided":
        where = f"n={n} in {pair.units} groups" if pair.is_grouped else f"n={n}"
        verdict = f"{name}: no difference can be shown at {where}: {figures}, {p_value}"
        if reach := _reach(detectable, pair):
            verdict += f"; {reach}"
        if 0 not in pair.interval:
            verdict += "; the interval leaves out 0, but the test is the stricter judge and decides"
    else:
        verdict = f"{name} is {outcome}: {figures}, {p_value}"
    return Difference(
        candidate=name,
        baseline=pair.baseline.name,
        wins=pair.wins,
        losses=pair.losses,
        ties=n - pair.wins - pair.losses,
        difference=pair.difference,
        interval=pair.interval,
        p=pair.p,
        p_adjusted=p_adjusted,
        effect_size=pair.effect_size,
        smallest_detectable=detectable,
        outcome=outcome,
        verdict=verdict,
    )


def _detectable(pair: Pair, n: int, comparisons: int) -> float | None:
    """Give the true difference that so many rows, as spread as these, show four times in five."""
    # Holm holds the smallest p value against the level divided by the number of comparisons.
    level = (1 - pair.interval.confidence) / comparisons
    if pair.measure == "accuracy" and not pair.is_grouped:
        discordance = (pair.wins + pair.losses) / n
        return minimum_detectable_difference(n, discordance=discordance, confidence=1 - level)
    # Equal differences leave nothing but rounding; no pattern of signs is rarer than 2 in 2 ** units.
    if pair.standard_error < 1e-12 or 2.0 ** (1 - pair.units) > level:
        return None
    df = pair.units - 1
    return (t_quantile(1 - level / 2, df) + t_quantile(0.8, df)) * pair.standard_error


def _figures(
    candidate: CandidateResult, baseline: CandidateResult, pair: Pair, measure: Measure
) -> str:
    level = f"{pair.interval.confidence * 100:g}% CI"
    low, high = pair.interval.low, pair.interval.high
    if measure == "score":
        return (
            f"mean score {candidate.mean_score:.3f} against {baseline.mean_score:.3f}; difference"
            f" {pair.difference:+.3f} ({level} {low:+.3f} to {high:+.3f})"
        )
    n = len(candidate.grades)
    return (
        f"{candidate.right} of {n} right against {baseline.right} of {n}; difference"
        f" {100 * pair.difference:+.1f} points ({level} {100 * low:+.1f} to {100 * high:+.1f})"
    )


def _p_value(p: float, comparisons: int) -> str:
    text = "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"
    return text if comparisons == 1 else f"{text} (adjusted for {comparisons} comparisons)"


def _reach(detectable: float | None, pair: Pair) -> str:
    if detectable is not None:
        size = (
            f"{100 * detectable:.0f} points" if pair.measure == "accuracy" else f"{detectable:.2g}"
        )
        return f"the smallest detectable is about {size}"
    if pair.measure == "accuracy" and not pair.is_grouped:
        return "so few rows cannot show any difference"
    return ""
