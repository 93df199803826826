"""Which prompts share marks: an index over the leading marks of all prompts, in bounded memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from itertools import compress, groupby
from operator import eq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OURS = 1
THEIRS = 2
"""Sides of a search: pairs have one prompt on each; a prompt may be on both."""

LEADING = 7
"""Marks by which a prompt is looked up. At the threshold of 0.7, one pair in 250 shares fewer than two."""
_FEW = 4
"""Leading marks of which one shared is enough."""
_SHORT = 48
"""Prompts that may share a mark and are all paired."""
_NEIGHBOURS = 3
"""Prompts on either side with which one of more is paired."""

_BUCKET = 1 << 18
"""Entries that are sorted at a time."""
_PROMPT_BITS = 32
_PROMPT_MASK = (1 << _PROMPT_BITS) - 1
_BLOCK_BITS = 16
# A prompt, where those after it in a posting start, and how many these are, in 64 bits.
_START_BITS = 28
_COUNT_BITS = 6
_START_MASK = (1 << _START_BITS) - 1
_COUNT_MASK = (1 << _COUNT_BITS) - 1


class Postings:
    """For every leading mark that several prompts share, these prompts."""

    def __init__(self, leading: Iterable[Sequence[int]]) -> None:
        """Take the leading marks of each prompt."""
        self._leading_ends = array("Q")
        self._leading = array("I")
        for marks in leading:
            self._leading.extend(marks)
            self._leading_ends.append(len(self._leading))
        self._short = array("I")
        self._blocks = [array("Q") for _ in range((len(self._leading_ends) >> _BLOCK_BITS) + 1)]
        self._long: list[array[int]] = []
        self._index()

    def leading(self, prompt: int) -> array[int]:
        """Return the leading marks of a prompt."""
        return self._leading[
            self._leading_ends[prompt - 1] if prompt else 0 : self._leading_ends[prompt]
        ]

    def pairs(self) -> Iterator[tuple[int, list[int]]]:
        """Yield prompts beside those of higher numbers with which they share two of their leading marks.

        One is enough where a prompt has few. Marks that very many prompts share do not count.
        """
        has_few = self._have_few()
        short = self._short
        for block in self._blocks:
            for one, entries in groupby(sorted(block), key=(_START_BITS + _COUNT_BITS).__rrshift__):
                others: list[int] = []
                for entry in entries:
                    start = entry >> _COUNT_BITS & _START_MASK
                    others += short[start : start + (entry & _COUNT_MASK)]
                counts = Counter(others)
                found = [
                    two
                    for two, count in counts.items()
                    if count > 1 or has_few[two] or has_few[one]
                ]
                if found:
                    yield one, found

    def neighbours(self, sides: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield pairs of prompts on different sides that share a mark with very many.

        Of these, only those with similar leading marks are paired.
        """
        for posting in self._long:
            present = [prompt for prompt in posting if sides[prompt]]
            present.sort(key=lambda prompt: (self.leading(prompt).tolist(), prompt))
            leading = [frozenset(self.leading(prompt)) for prompt in present]
            ours = [place for place, prompt in enumerate(present) if sides[prompt] & OURS]
            theirs = [place for place, prompt in enumerate(present) if sides[prompt] & THEIRS]
            for place in ours:
                at = bisect_left(theirs, place)
                for other in theirs[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS + 1]:
                    one, two = leading[place], leading[other]
                    least = 2 if min(len(one), len(two)) > _FEW else 1
                    if other != place and len(one & two) >= least:
                        yield (
                            min(present[place], present[other]),
                            max(present[place], present[other]),
                        )

    def _have_few(self) -> bytearray:
        """Tell for every prompt whether few of its leading marks are shared by not too many."""
        weighed = bytearray(len(self._leading_ends))
        before = 0
        for prompt, end in enumerate(self._leading_ends):
            weighed[prompt] = end - before
            before = end
        for posting in self._long:
            for prompt in posting:
                weighed[prompt] -= 1
        return weighed.translate(bytes(count <= _FEW for count in range(256)))

    def _index(self) -> None:
        """Find the marks that several prompts share, those of one range at a time."""
        buckets = [array("Q") for _ in range(len(self._leading) // _BUCKET + 1)]
        width = (1 << 32) // len(buckets) + 1
        start = 0
        for prompt, end in enumerate(self._leading_ends):
            for mark in self._leading[start:end]:
                buckets[mark // width].append(mark << _PROMPT_BITS | prompt)
            start = end
        buckets.reverse()
        while buckets:
            entries = sorted(buckets.pop())
            marks = [entry >> _PROMPT_BITS for entry in entries]
            same = list(map(eq, marks, marks[1:]))
            shared = compress(entries, map(max, [False, *same], [*same, False]))
            for _, group in groupby(shared, key=_PROMPT_BITS.__rrshift__):
                self._add(array("I", [entry & _PROMPT_MASK for entry in group]))

    def _add(self, posting: array[int]) -> None:
        if len(posting) > _SHORT:
            self._long.append(posting)
            return
        start = len(self._short)
        self._short += posting
        for after, prompt in enumerate(posting[:-1], 1):
            self._blocks[prompt >> _BLOCK_BITS].append(
                (prompt << _START_BITS | start + after) << _COUNT_BITS | len(posting) - after
            )
