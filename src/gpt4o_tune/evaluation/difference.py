"""One candidate against the baseline over the same rows, and the verdict in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gpt4o_tune.evaluation.bootstrap import paired_bootstrap
from gpt4o_tune.evaluation.power import minimum_detectable_difference
from gpt4o_tune.evaluation.statistics import holm, mcnemar_exact, tango

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpt4o_tune.evaluation.answers import CandidateResult, Measure
    from gpt4o_tune.evaluation.statistics import Interval

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
    """Around `difference`: Tango's for shares, BCa bootstrap for mean scores."""

    p: float
    """Two-sided: McNemar's exact test for shares, its sign-flip equivalent for mean scores."""

    p_adjusted: float
    """The same after Holm's adjustment for the number of candidates."""

    smallest_detectable: float | None
    """Difference that a comparison like this shows four times in five; None for mean scores, and where
    the rows are too few to show any."""

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
) -> tuple[Difference, ...]:
    """Compare each candidate with the baseline."""
    pairs = [_pair(each, baseline, measure, confidence, seed) for each in candidates]
    adjusted = holm([pair.p for pair in pairs])
    return tuple(
        _judge(candidate, baseline, pair, p_adjusted, measure, len(pairs))
        for candidate, pair, p_adjusted in zip(candidates, pairs, adjusted, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    wins: int
    losses: int
    difference: float
    interval: Interval
    p: float


def _pair(
    candidate: CandidateResult,
    baseline: CandidateResult,
    measure: Measure,
    confidence: float,
    seed: int,
) -> _Pair:
    ours, theirs = _values(candidate, measure), _values(baseline, measure)
    wins = sum(x > y for x, y in zip(ours, theirs, strict=True))
    losses = sum(x < y for x, y in zip(ours, theirs, strict=True))
    if measure == "accuracy":
        n = len(ours)
        interval = tango(wins, losses, n, confidence=confidence)
        return _Pair(wins, losses, (wins - losses) / n, interval, mcnemar_exact(wins, losses))
    means = paired_bootstrap(ours, theirs, seed=seed, confidence=confidence)
    return _Pair(wins, losses, means.difference, means.interval, means.p)


def _values(result: CandidateResult, measure: Measure) -> list[float]:
    if measure == "accuracy":
        return [float(grade.passed is True) for grade in result.grades]
    return [grade.score for grade in result.grades]


def _judge(
    candidate: CandidateResult,
    baseline: CandidateResult,
    pair: _Pair,
    p_adjusted: float,
    measure: Measure,
    comparisons: int,
) -> Difference:
    n, confidence = len(candidate.grades), pair.interval.confidence
    outcome: Outcome = "undecided"
    if p_adjusted <= 1 - confidence:
        outcome = "better" if pair.difference > 0 else "worse"
    detectable = None
    if measure == "accuracy":
        discordance = (pair.wins + pair.losses) / n
        # Holm holds the smallest p value against the level divided by the number of comparisons.
        strict = 1 - (1 - confidence) / comparisons
        detectable = minimum_detectable_difference(n, discordance=discordance, confidence=strict)
    figures = _figures(candidate, baseline, pair, measure)
    p_value = _p_value(p_adjusted, comparisons)
    if outcome == "undecided":
        verdict = f"{candidate.name}: no difference can be shown at n={n}: {figures}, {p_value}"
        if measure == "accuracy":
            verdict += f"; {_reach(detectable)}"
        if 0 not in pair.interval:
            verdict += "; the interval leaves out 0, but the test is the stricter judge and decides"
    else:
        verdict = f"{candidate.name} is {outcome}: {figures}, {p_value}"
    return Difference(
        candidate=candidate.name,
        baseline=baseline.name,
        wins=pair.wins,
        losses=pair.losses,
        ties=n - pair.wins - pair.losses,
        difference=pair.difference,
        interval=pair.interval,
        p=pair.p,
        p_adjusted=p_adjusted,
        smallest_detectable=detectable,
        outcome=outcome,
        verdict=verdict,
    )


def _figures(
    candidate: CandidateResult, baseline: CandidateResult, pair: _Pair, measure: Measure
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


def _reach(detectable: float | None) -> str:
    if detectable is None:
        return "so few rows cannot show any difference"
    return f"the smallest detectable is about {100 * detectable:.0f} points"
