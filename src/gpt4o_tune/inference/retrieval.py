"""Finding the examples that are most like a question: BM25 over words.

Source of the formula: Robertson and Zaragoza (2009), Found. Trends Inf. Retr. 3:333, with the idf that stays
above 0 (log(1 + (N - n + 0.5) / (n + 0.5))), as most search engines have it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WordIndex"]

SATURATION = 1.2
"""How soon a further occurrence of a word counts for less (k1)."""
LENGTH_WEIGHT = 0.75
"""How much long texts are held back (b)."""


class WordIndex:
    """Texts, cut into words, that can be searched by words."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        """Index the texts; their numbers are their places."""
        self._lengths = [len(text) for text in texts]
        self._mean_length = sum(self._lengths) / max(len(texts), 1) or 1.0
        self._holders: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, text in enumerate(texts):
            for word, count in Counter(text).items():
                self._holders[word].append((number, count))

    def search(self, words: Sequence[str], *, k: int) -> list[int]:
        """Give the numbers of up to `k` texts that share a word, best first; of equals the earlier."""
        scores: defaultdict[int, float] = defaultdict(float)
        for word, times in Counter(words).items():
            holders = self._holders.get(word, [])
            rarity = math.log1p((len(self._lengths) - len(holders) + 0.5) / (len(holders) + 0.5))
            for number, count in holders:
                scores[number] += times * rarity * self._weight(number, count)
        return sorted(scores, key=lambda number: (-scores[number], number))[:k]

    def _weight(self, number: int, count: int) -> float:
        length = 1 - LENGTH_WEIGHT + LENGTH_WEIGHT * self._lengths[number] / self._mean_length
        return count * (SATURATION + 1) / (count + SATURATION * length)
