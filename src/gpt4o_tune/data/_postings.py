"""Which prompts share marks: an index over the leading marks of all prompts, in bounded memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from itertools import chain, groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OURS = 1
THEIRS = 2
"""Sides of a search: pairs have one prompt on each; a prompt may be on both."""

_BUCKET = 1 << 18
"""Entries that are sorted at a time."""
_SHORT = 48
"""Prompts that may share a mark and are all paired."""
_NEIGHBOURS = 3
"""Prompts on either side with which one of more is paired."""
# At the threshold of 0.7, fewer than 4 of 10 are shared by one pair in a hundred.
_LEAST_SHARED = 0.4
_PROMPT_BITS = 32
_PROMPT_MASK = (1 << _PROMPT_BITS) - 1


class Postings:
    """For every mark that several prompts share, these prompts."""

    def __init__(self, leading: Iterable[Sequence[int]]) -> None:
        """Take the leading marks of each prompt."""
        self._leading_ends = array("Q")
        self._leading = array("I")
        for marks in leading:
            self._leading.extend(marks)
            self._leading_ends.append(len(self._leading))
        self._marks = array("I")
        self._ends = array("Q", [0])
        self._prompts = array("I")
        self._index()

    def pairs(self, sides: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield pairs of prompts on different sides that share two of five of their leading marks.

        Where a mark has very many prompts, only those with similar further marks are paired.
        """
        for one in range(len(self._leading_ends)):
            if sides[one] & OURS:
                yield from self._pairs_of(one, sides)
        for posting in map(self._posting, range(len(self._marks))):
            if len(posting) > _SHORT:
                yield from self._neighbours(posting, sides)

    def _index(self) -> None:
        buckets = [array("Q") for _ in range(len(self._leading) // _BUCKET + 1)]
        width = (1 << 32) // len(buckets) + 1
        start = 0
        for prompt, end in enumerate(self._leading_ends):
            for mark in self._leading[start:end]:
                buckets[mark // width].append(mark << _PROMPT_BITS | prompt)
            start = end
        buckets.reverse()
        while buckets:
            entries = buckets.pop()
            counts = Counter(map(_PROMPT_BITS.__rrshift__, entries))
            shared = sorted(entry for entry in entries if counts[entry >> _PROMPT_BITS] > 1)
            for mark, same in groupby(shared, key=_PROMPT_BITS.__rrshift__):
                self._prompts.extend(entry & _PROMPT_MASK for entry in same)
                self._marks.append(mark)
                self._ends.append(len(self._prompts))

    def _posting(self, number: int) -> array[int]:
        return self._prompts[self._ends[number] : self._ends[number + 1]]

    def leading(self, prompt: int) -> array[int]:
        """Return the leading marks of a prompt."""
        return self._leading[
            self._leading_ends[prompt - 1] if prompt else 0 : self._leading_ends[prompt]
        ]

    def _pairs_of(self, one: int, sides: Sequence[int]) -> Iterator[tuple[int, int]]:
        marks, ends = self._marks, self._ends
        postings: list[array[int]] = []
        leading = self.leading(one)
        weighed = len(leading)
        for mark in leading:
            at = bisect_left(marks, mark)
            if at < len(marks) and marks[at] == mark:
                if ends[at + 1] - ends[at] > _SHORT:
                    weighed -= 1
                else:
                    postings.append(self._posting(at))
        if not postings:
            return
        for two, count in Counter(chain.from_iterable(postings)).items():
            if count >= _LEAST_SHARED * weighed and two != one and sides[two] & THEIRS:
                is_found_from_two = sides[two] & OURS and sides[one] & THEIRS
                if two > one:
                    yield one, two
                elif not is_found_from_two:
                    yield two, one

    def _neighbours(
        self, posting: Iterable[int], sides: Sequence[int]
    ) -> Iterator[tuple[int, int]]:
        present = [prompt for prompt in posting if sides[prompt]]
        present.sort(key=lambda prompt: (self.leading(prompt).tolist(), prompt))
        leading = [frozenset(self.leading(prompt)) for prompt in present]
        ours = [place for place, prompt in enumerate(present) if sides[prompt] & OURS]
        theirs = [place for place, prompt in enumerate(present) if sides[prompt] & THEIRS]
        for place in ours:
            at = bisect_left(theirs, place)
            for other in theirs[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS + 1]:
                least = _LEAST_SHARED * min(len(leading[place]), len(leading[other]))
                if other != place and len(leading[place] & leading[other]) >= least:
                    one, two = sorted((present[place], present[other]))
                    yield one, two
