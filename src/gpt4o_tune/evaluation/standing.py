"""Who leads, and who cannot be told from the leader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.evaluation.difference import judged, pairs
from gpt4o_tune.evaluation.statistics import holm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.evaluation.answers import CandidateResult
    from gpt4o_tune.evaluation.comparison import Comparison
    from gpt4o_tune.evaluation.difference import Difference

__all__ = ["Standing", "standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The candidates of a comparison in order of their estimates, held against the best of them."""

    ranked: tuple[str, ...]
    """All candidates, best estimate first; of equals the one that was named first."""

    differences: Mapping[str, Difference]
    """Each other candidate against the leader."""

    @property
    def leader(self) -> str:
        """The candidate with the best estimate."""
        return self.ranked[0]

    @property
    def tied(self) -> tuple[str, ...]:
        """The leader and all that are not measurably worse, best estimate first."""
        return tuple(
            name
            for name in self.ranked
            if name == self.leader or self.differences[name].outcome != "worse"
        )


def standing(comparison: Comparison, *, seed: int = 0) -> Standing:
    """Find the leader and those that cannot be told from it.

    The leader was chosen by the same rows, so its p values are adjusted as if all candidates had been
    tested in pairs: a leader by chance is not called better.

    Args:
        comparison: What one grader says of the candidates.
        seed: Seed of the resampling, which only mean scores and groups need.
    """
    ranked = sorted(comparison.candidates, key=lambda name: -estimate(comparison, name))
    leader, *others = ranked
    found = pairs(
        [comparison.candidates[name] for name in others],
        comparison.candidates[leader],
        measure=comparison.measure,
        confidence=comparison.confidence,
        seed=seed,
        groups=comparison.groups,
    )
    every = len(ranked) * (len(ranked) - 1) // 2
    # The pairs without the leader are not worked out; a p value of 1 is what they can cost it at most.
    adjusted = holm([*(pair.p for pair in found), *[1.0] * (every - len(found))])
    return Standing(
        ranked=tuple(ranked),
        differences={
            pair.candidate.name: judged(pair, p, comparisons=every)
            for pair, p in zip(found, adjusted, strict=False)
        },
    )


def estimate(comparison: Comparison, name: str) -> float:
    """Give what is compared: the share of right answers, or the mean score."""
    result: CandidateResult = comparison.candidates[name]
    if comparison.measure == "accuracy":
        return result.right / len(result.grades)
    return result.mean_score
