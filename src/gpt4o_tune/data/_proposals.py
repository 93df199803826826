"""Which prompts may be alike, as far as their sketches tell."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from functools import lru_cache
from itertools import chain, compress, count
from math import sqrt
from typing import TYPE_CHECKING

from gpt4o_tune.data._corpus import DEFAULT_THRESHOLD
from gpt4o_tune.data._postings import LEADING, OURS, THEIRS, Postings
from gpt4o_tune.data._sketch import FIRST_PLAIN, MARKS_KEPT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence, Set

    from gpt4o_tune.data._sketch import Sketches

_KEPT = 4_096
_HAYS = 32
"""Longer prompts that are looked at for each that may stand in them."""
_DEVIATIONS = 3
"""How far from the threshold the share of all marks may lie, in standard deviations."""
_PROMPT_BITS = 32
_PROMPT_MASK = (1 << _PROMPT_BITS) - 1


class Prompts:
    """Rows by prompt; prompts are numbered in an order of their own."""

    def __init__(self, rows: int) -> None:
        self.order = array("I")
        """All rows, those of one prompt together."""
        self.starts = array("I")
        """Per prompt where its rows start."""
        self.of = array("I", bytes(4 * rows))
        """Per row its prompt."""

    def add(self, rows: Iterable[int]) -> None:
        """Append a prompt by its rows."""
        number = len(self.starts)
        self.starts.append(len(self.order))
        self.order.extend(rows)
        for row in self.order[self.starts[number] :]:
            self.of[row] = number

    def __len__(self) -> int:
        return len(self.starts)

    def first(self, prompt: int) -> int:
        """Return the row that stands for a prompt."""
        return self.order[self.starts[prompt]]

    def rows(self, prompt: int) -> array[int]:
        """Return all rows of a prompt."""
        is_last = prompt + 1 == len(self.starts)
        return self.order[self.starts[prompt] : None if is_last else self.starts[prompt + 1]]


class Proposals:
    """Pairs of prompts that may be alike; which are proposed depends on no order of rows."""

    def __init__(
        self, sketches: Sketches, prompts: Prompts, *, template: Set[int], frequent: Set[int]
    ) -> None:
        """Index prompts by their marks.

        Args:
            sketches: The sketches of all rows.
            prompts: The prompts of these rows.
            template: Marks that do not count.
            frequent: Marks that many prompts have.
        """
        self._sketches = sketches
        self._prompts = prompts
        self._template = template
        self._frequent = frequent
        self._telling = lru_cache(_KEPT)(self._telling_marks)
        self._postings = Postings(map(self._leading, range(len(prompts))))
        self._short = array("Q")
        for one, others in self._postings.pairs():
            self._short.extend(
                one << _PROMPT_BITS | two for two in others if self._may_be_near(one, two)
            )
        self._held = array(
            "I", chain.from_iterable(sorted({*self._parts(), *self._around_marks()}))
        )

    def near(self, sides: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield pairs of prompts on different sides of which marks say that they may be near."""
        for pair in self._short:
            one, two = pair >> _PROMPT_BITS, pair & _PROMPT_MASK
            if sides[one] | sides[two] == OURS | THEIRS:
                yield one, two
        seen = set[tuple[int, int]]()
        for pair in self._postings.neighbours(sides):
            if pair not in seen:
                seen.add(pair)
                if self._may_be_near(*pair):
                    yield pair

    def contained(self, sides: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield pairs of prompts on different sides of which one may stand in the other."""
        for needle, hay in zip(self._held[::2], self._held[1::2], strict=True):
            if sides[needle] | sides[hay] == OURS | THEIRS:
                yield needle, hay

    def _marks(self, prompt: int) -> array[int]:
        return self._sketches.marks_of(self._prompts.first(prompt))

    def _leading(self, prompt: int) -> Sequence[int]:
        """Return the marks of which near prompts share some: the smallest, rare ones first."""
        marks = self._marks(prompt)
        telling = [mark for mark in marks if mark not in self._frequent]
        if len(telling) < LEADING:
            telling += [
                mark for mark in marks if mark in self._frequent and mark not in self._template
            ]
        return telling[:LEADING]

    def _may_be_near(self, one: int, two: int) -> bool:
        (first, first_reach), (second, second_reach) = self._telling(one), self._telling(two)
        if first_reach != second_reach:
            first, second = _up_to(min(first_reach, second_reach), first, second)
        common = len(first & second)
        size = len(first) + len(second) - common
        return common > 0 and common >= (DEFAULT_THRESHOLD - _DEVIATIONS * sqrt(0.21 / size)) * size

    def _may_be_contained(self, needle: int, hay: int) -> bool:
        return _may_hold(*self._telling(hay), *self._telling(needle))

    def _telling_marks(self, prompt: int) -> tuple[Set[int], int]:
        """Return the marks of a prompt that count, and up to which hash it has all."""
        marks = self._marks(prompt)
        if marks and marks[-1] < FIRST_PLAIN:
            reach = FIRST_PLAIN - 1
        else:
            reach = marks[-1] if len(marks) == MARKS_KEPT else (1 << 32)
        return frozenset(marks) - self._template, reach

    def _parts(self) -> Iterator[tuple[int, int]]:
        """Yield prompts beside those that hold them as messages, or up to one."""
        keys = self._sketches.keys
        heads = array(
            "Q", map(keys.__getitem__, map(self._prompts.first, range(len(self._prompts))))
        )
        for part, row in zip(self._sketches.parts, self._sketches.part_rows, strict=True):
            at = bisect_left(heads, part)
            while at < len(heads) and heads[at] == part:
                hay = self._prompts.of[row]
                if at != hay and self._may_be_contained(at, hay):
                    yield at, hay
                at += 1

    def _around_marks(self) -> Iterator[tuple[int, int]]:
        """Yield prompts beside those that hold their first two leading marks."""
        needles: dict[int, list[int]] = {}
        for prompt in range(len(self._prompts)):
            marks = self._postings.leading(prompt)
            if len(marks) > 1:
                needles.setdefault(marks[0], []).append(prompt)
        holders: dict[int, list[int]] = {}
        for mark, prompt in self._holding(needles.keys()):
            # Every prompt holds its own first mark, which matters only if it is another's too.
            if needles[mark] != [prompt]:
                holders.setdefault(mark, []).append(prompt)
        for mark, holding in holders.items():
            hays = [(hay, *self._telling(hay)) for hay in sorted(holding)[:_HAYS]]
            for needle in needles[mark]:
                second = self._postings.leading(needle)[1]
                own, reach = self._telling(needle)
                for hay, its, its_reach in hays:
                    if second in its and hay != needle and _may_hold(its, its_reach, own, reach):
                        yield needle, hay

    def _holding(self, wanted: Set[int]) -> Iterator[tuple[int, int]]:
        """Yield all marks of a set beside the prompts that have them."""
        marks, ends = self._sketches.marks, self._sketches.ends
        row = 0
        for place in compress(count(), map(wanted.__contains__, marks)):
            while ends[row] <= place:
                row += 1
            prompt = self._prompts.of[row]
            if self._prompts.first(prompt) == row:
                yield marks[place], prompt


def _may_hold(its: Set[int], its_reach: int, own: Set[int], reach: int) -> bool:
    return own <= its or (
        its_reach < reach and all(mark in its or mark > its_reach for mark in own)
    )


def _up_to(reach: int, first: Set[int], second: Set[int]) -> tuple[Set[int], Set[int]]:
    """Leave out the marks that may only be missing from the other of two prompts."""
    return {mark for mark in first if mark <= reach}, {mark for mark in second if mark <= reach}
