"""Preference pairs: whether the preferred output is simply the longer one, and how alike both are."""

from __future__ import annotations

import math
from array import array
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.data._words import shingles, words

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PairBias", "sign_test"]

NEARLY_IDENTICAL = 0.9
"""Jaccard index of word 3-grams from which both outputs of a pair are nearly the same."""

_NEGLIGIBLE = 1e-18


@dataclass(frozen=True, slots=True, kw_only=True)
class PairBias:
    """Lengths and likeness of the two outputs of every preference pair."""

    pairs: int
    preferred_longer: int
    """Pairs whose preferred output has more tokens."""
    rejected_longer: int
    mean_difference: float
    """Tokens of the preferred output less those of the rejected one, on average."""
    p_value: float
    """Two-sided exact sign test: how often chance alone, with both outputs equally likely to be the longer
    one, gives a share at least as uneven. Pairs of equal length do not count."""
    preferred_tokens: tuple[int, ...]
    """Per row."""
    rejected_tokens: tuple[int, ...]
    identical: tuple[int, ...]
    """Rows whose two outputs are the same: they teach nothing."""
    nearly_identical: tuple[int, ...]
    """Rows whose outputs differ, yet share nine tenths of their word 3-grams."""
    mean_overlap: float
    """Jaccard index of the word 3-grams of both outputs, on average."""

    @property
    def share_longer(self) -> float:
        """Share of pairs with the longer output preferred, among pairs of unequal length; 0.5 without."""
        unequal = self.preferred_longer + self.rejected_longer
        return self.preferred_longer / unequal if unequal else 0.5

    def to_dict(self) -> dict[str, object]:
        """Return the figures as plain values."""
        return {**asdict(self), "share_longer": self.share_longer}


class PairCollector:
    """Looks at preference pairs as they pass by."""

    def __init__(self, count_tokens: Callable[[str], int]) -> None:
        self._count = count_tokens
        self._preferred = array("Q")
        self._rejected = array("Q")
        self._identical: list[int] = []
        self._nearly: list[int] = []
        self._overlap = 0.0

    def add(self, row: int, preferred: str, rejected: str, *, is_same: bool) -> None:
        """Look at the texts of the two outputs of a row, and whether the outputs are the same."""
        self._preferred.append(self._count(preferred))
        self._rejected.append(self._count(rejected))
        alike = _jaccard(preferred, rejected)
        self._overlap += alike
        if is_same:
            self._identical.append(row)
        elif alike >= NEARLY_IDENTICAL:
            self._nearly.append(row)

    def result(self) -> PairBias | None:
        """Sum up; None where no pair was seen."""
        if not self._preferred:
            return None
        both = list(zip(self._preferred, self._rejected, strict=True))
        longer = sum(ours > theirs for ours, theirs in both)
        shorter = sum(ours < theirs for ours, theirs in both)
        return PairBias(
            pairs=len(both),
            preferred_longer=longer,
            rejected_longer=shorter,
            mean_difference=sum(ours - theirs for ours, theirs in both) / len(both),
            p_value=sign_test(longer, shorter),
            preferred_tokens=tuple(self._preferred),
            rejected_tokens=tuple(self._rejected),
            identical=tuple(self._identical),
            nearly_identical=tuple(self._nearly),
            mean_overlap=self._overlap / len(both),
        )


def sign_test(more: int, fewer: int) -> float:
    """Return the two-sided p-value of the exact sign test: a binomial test against one half.

    Raises:
        ValueError: A count is negative.
    """
    if more < 0 or fewer < 0:
        raise ValueError(f"counts must be 0 or more, got {more} and {fewer}")
    trials, extreme = more + fewer, max(more, fewer)
    if 2 * extreme == trials:
        return 1.0
    # The terms are added from the largest on, relative to it, so that none overflows.
    term = total = 1.0
    for successes in range(extreme, trials):
        term *= (trials - successes) / (successes + 1)
        total += term
        if term < _NEGLIGIBLE * total:
            break
    largest = math.lgamma(trials + 1) - math.lgamma(extreme + 1) - math.lgamma(trials - extreme + 1)
    return min(1.0, 2 * total * math.exp(largest - trials * math.log(2)))


def _jaccard(one: str, other: str) -> float:
    ours, theirs = set(shingles(words(one))), set(shingles(words(other)))
    either = len(ours | theirs)
    return len(ours & theirs) / either if either else 1.0
