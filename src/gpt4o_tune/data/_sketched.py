"""Many rows: which are alike, by the rules that `similarity` states, among pairs that sketches propose.

Rows fall into *prompts*, each with all its rows. Prompts are numbered by what they say, so that the order of
the rows has no influence on what is found.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from functools import lru_cache
from itertools import accumulate, chain, groupby
from math import sqrt
from typing import TYPE_CHECKING, TypeAlias

from gpt4o_tune.data._corpus import DEFAULT_THRESHOLD, Match, stock_limit, template_limit
from gpt4o_tune.data._joining import Groups
from gpt4o_tune.data._judging import Common, Judge
from gpt4o_tune.data._postings import OURS, THEIRS, Postings
from gpt4o_tune.data._sketch import FIRST_PLAIN, MARKS_KEPT, Sketches, sketch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set

    from gpt4o_tune.data._corpus import Kind

    _Search: TypeAlias = Callable[[Sequence[int]], Iterator[tuple[int, int]]]
    _Alike: TypeAlias = Callable[[int, int], bool]
    _Way: TypeAlias = tuple[_Search, _Alike, _Alike]

SAMPLE = 1_024
"""Rows by which it is judged what is common."""

_LEADING = 10
_COMMON_SHARE = 1 / 256
"""Marks of more prompts than this lead only where there are too few others."""
_ROWS_COMPARED = 8
"""Different answers to a prompt that are compared with those to another."""
_KEPT = 4_096
_HAYS = 32
"""Longer prompts that are looked at for each that may stand in them."""


class SketchedCorpus:
    """Rows of which only those are compared that their sketches propose."""

    def __init__(
        self,
        *sources: Sequence[Mapping[str, object]],
        sketches: Sketches | None = None,
        sample: int = SAMPLE,
    ) -> None:
        """Take rows, numbered through all sources.

        Args:
            sources: The rows; those that may be alike are read again.
            sketches: The sketches of all rows; made in one pass where they are not given.
            sample: How many rows tell what is common.
        """
        self._sources = sources
        self._ends = list(accumulate(map(len, sources)))
        self._sketches = sketches or Sketches.of(chain.from_iterable(sources))
        self._read_sample(sample)
        self._compare_instructions()
        self._number_prompts()
        self._postings: Postings | None = None
        self._held: array[int] | None = None
        self._telling = lru_cache(_KEPT)(self._telling_marks)

    def __len__(self) -> int:
        return len(self._sketches)

    @property
    def exact_keys(self) -> Iterator[bytes]:
        """The `exact_key` of every row."""
        return map(self._sketches.exact_of, range(len(self)))

    def groups(self, *, threshold: float) -> Groups:
        """Join rows that are alike in any of the three ways, directly or through others."""
        prompts = Groups(len(self._starts))
        everywhere = bytes([OURS | THEIRS]) * len(self._starts)
        for search, may_be_alike, is_alike in self._searches(threshold):
            refused = set[tuple[int, int]]()
            for one, two in search(everywhere):
                if prompts.find(one) != prompts.find(two) and (one, two) not in refused:
                    if may_be_alike(one, two) and any(
                        is_alike(row, other)
                        for row in self._different_rows(one)
                        for other in self._different_rows(two)
                    ):
                        prompts.join(one, two)
                    else:
                        refused.add((one, two))
        groups = Groups(len(self))
        for prompt in range(len(self._starts)):
            first = self._order[self._starts[prompts.find(prompt)]]
            for row in self._rows(prompt):
                groups.join(first, row)
        return groups

    def matches(
        self, rows: Sequence[int], others: Sequence[int], *, threshold: float
    ) -> dict[int, Match]:
        """Find for each of `rows` one of `others` that is alike, and how; exact before near."""
        side = bytearray(len(self))
        sides = bytearray(len(self._starts))
        for members, mark in ((rows, OURS), (others, THEIRS)):
            for row in members:
                side[row] = mark
                sides[self._prompt_of[row]] |= mark
        found: dict[int, Match] = {}
        for prompt, mark in enumerate(sides):
            if mark == OURS | THEIRS:
                first = min(row for row in self._rows(prompt) if side[row] == THEIRS)
                for row in self._rows(prompt):
                    if side[row] == OURS:
                        found[row] = Match("exact", first)
        kinds: tuple[Kind, ...] = ("near", "contained")
        for kind, (search, may_be_alike, is_alike) in zip(
            kinds, self._searches(threshold), strict=True
        ):
            seen = set[tuple[int, int]]()
            for one, two in search(sides):
                if (one, two) in seen:
                    continue
                seen.add((one, two))
                if not may_be_alike(one, two):
                    continue
                for mine, theirs in ((one, two), (two, one)):
                    if not (sides[mine] & OURS and sides[theirs] & THEIRS):
                        continue
                    candidates = self._different_rows(theirs, among=lambda row: side[row] == THEIRS)
                    for row in self._rows(mine):
                        if side[row] == OURS and row not in found:
                            alike = (other for other in candidates if is_alike(row, other))
                            if (other := next(alike, None)) is not None:
                                found[row] = Match(kind, other)
        return dict(sorted(found.items()))

    def _searches(self, threshold: float) -> tuple[_Way, _Way]:
        def are_near(row: int, other: int) -> bool:
            return self._judge.are_near(row, other, threshold=threshold)

        return (
            (self._index().pairs, self._may_be_near, are_near),
            (self._contained, self._may_be_contained, self._judge.is_contained),
        )

    # What rows say.

    def _read(self, row: int) -> Mapping[str, object]:
        source = bisect_right(self._ends, row)
        return self._sources[source][row - (self._ends[source - 1] if source else 0)]

    def _read_sample(self, size: int) -> None:
        """Learn from rows drawn by their content what is common: shingles of texts, and marks."""
        sketches = self._sketches
        everything = 1 << 64
        # Contexts are hashes: as many of them lie below a bound as its share of all numbers.
        below = everything * 2 * size // max(len(sketches), 2 * size)
        while True:
            sample: dict[int, int] = {}
            for row, context in enumerate(sketches.contexts):
                if context < below:
                    known = sample.setdefault(context, row)
                    if sketches.exact_of(row) < sketches.exact_of(known):
                        sample[context] = row
            if len(sample) >= size or below >= everything:
                break
            below *= 4
        rows = [sample[context] for context in sorted(sample)[:size]]
        is_all = below >= everything and len(sample) <= size
        scale = 1.0 if is_all else len(rows) / len(sketches)
        self._common = Common(
            map(self._read, rows),
            template_limit=template_limit,
            stock_limit=lambda texts: stock_limit(texts, share=scale),
        )
        self._judge = Judge(self._read, self._common)
        self._sample = rows

    def _count_marks(self, rows: Iterable[int]) -> tuple[set[int], set[int]]:
        """Return the marks of some rows that belong to a template, and those that are frequent at all."""
        counts, number = Counter[int](), 0
        for row in rows:
            counts.update(self._sketches.marks_of(row))
            number += 1
        template = template_limit(number)
        frequent = max(3.0, number * _COMMON_SHARE)
        return (
            {mark for mark, count in counts.items() if count > template},
            {mark for mark, count in counts.items() if count > frequent},
        )

    def _compare_instructions(self) -> None:
        """Sketch prompts of nothing but template again, together with their instructions."""
        old = self._sketches
        template, _ = self._count_marks(self._sample)
        known: dict[int, bool] = {}
        again: list[int] = []
        for row, key in enumerate(old.keys):
            if template and key != old.contexts[row] and template.issuperset(old.marks_of(row)):
                if key not in known:
                    known[key] = self._common.is_said_by_template_alone(self._read(row))
                if known[key]:
                    again.append(row)
        if again:
            self._sketches = old.replace(
                (row, sketch(self._read(row), with_instructions=True)) for row in again
            )
        prompts = {self._sketches.keys[row]: row for row in self._sample}
        self._template, self._frequent = self._count_marks(prompts.values())

    def _number_prompts(self) -> None:
        """Put rows in the order of their prompts, and rows of a prompt in the order of their messages."""
        sketches = self._sketches
        self._order = array("I")
        self._starts = array("I")
        self._prompt_of = array("I", bytes(4 * len(sketches)))
        ordered = sorted(range(len(sketches)), key=sketches.keys.__getitem__)
        for key, group in groupby(ordered, key=sketches.keys.__getitem__):
            rows = list(group)
            for same in [rows] if len(rows) == 1 else self._divide(rows, has_prompt=key > 0):
                for row in same:
                    self._prompt_of[row] = len(self._starts)
                self._starts.append(len(self._order))
                self._order.extend(same)

    def _divide(self, rows: list[int], *, has_prompt: bool) -> Iterable[list[int]]:
        """Divide rows of equal keys by the words of their prompts, or by all messages without one."""
        exact = self._sketches.exact_of
        rows.sort(key=lambda row: (exact(row), row))
        prompts: dict[object, list[int]] = {}
        for key, same in groupby(rows, key=exact):
            equal = list(same)
            # Rows with the same messages have the same prompt, so one is read for all.
            prompt: object = key
            if has_prompt and len(equal) < len(rows):
                prompt = self._judge.prompt(equal[0]).key
            prompts.setdefault(prompt, []).extend(equal)
        return prompts.values()

    def _rows(self, prompt: int) -> array[int]:
        start = self._starts[prompt]
        is_last = prompt + 1 == len(self._starts)
        return self._order[start : len(self._order) if is_last else self._starts[prompt + 1]]

    def _different_rows(
        self, prompt: int, *, among: Callable[[int], bool] = lambda row: True
    ) -> list[int]:
        """Return one row for each of the different answers to a prompt, not too many of them."""
        rows: dict[bytes, int] = {}
        for row in filter(among, self._rows(prompt)):
            rows[self._sketches.exact_of(row)] = row
            if len(rows) == _ROWS_COMPARED:
                break
        return list(rows.values())

    # Which pairs may be alike.

    def _marks(self, prompt: int) -> array[int]:
        return self._sketches.marks_of(self._order[self._starts[prompt]])

    def _leading(self, prompt: int) -> Sequence[int]:
        """Return the marks of which near prompts share some: the smallest, rare ones first."""
        marks = self._marks(prompt)
        if self._frequent.isdisjoint(marks):
            return marks[:_LEADING]
        telling = [mark for mark in marks if mark not in self._template]
        telling.sort(key=self._frequent.__contains__)
        return telling[:_LEADING]

    def _index(self) -> Postings:
        if self._postings is None:
            self._postings = Postings(map(self._leading, range(len(self._starts))))
        return self._postings

    def _may_be_near(self, one: int, two: int) -> bool:
        first, second = self._comparable(one, two)
        common = len(first & second)
        size = len(first) + len(second) - common
        # Three and a half standard deviations of a share that is estimated from so many marks.
        return common > 0 and common >= (DEFAULT_THRESHOLD - 3.5 * sqrt(0.21 / size)) * size

    def _comparable(self, one: int, two: int) -> tuple[Set[int], Set[int]]:
        """Return the marks of two prompts that can be compared: none that was only left out of one."""
        (first, first_reach), (second, second_reach) = self._telling(one), self._telling(two)
        if first_reach != second_reach:
            reach = min(first_reach, second_reach)
            first = {mark for mark in first if mark <= reach}
            second = {mark for mark in second if mark <= reach}
        return first, second

    def _telling_marks(self, prompt: int) -> tuple[Set[int], int]:
        """Return the marks of a prompt that count, and up to which hash it has all."""
        marks = self._marks(prompt)
        if marks and marks[-1] < FIRST_PLAIN:
            reach = FIRST_PLAIN - 1
        else:
            reach = marks[-1] if len(marks) == MARKS_KEPT else (1 << 32)
        return frozenset(marks) - self._template, reach

    def _may_be_contained(self, needle: int, hay: int) -> bool:
        own, its = self._comparable(needle, hay)
        return own <= its

    def _contained(self, sides: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield pairs of prompts on different sides of which one may stand in the other."""
        if self._held is None:
            self._held = array("I", chain.from_iterable(chain(self._parts(), self._around_marks())))
        for needle, hay in zip(self._held[::2], self._held[1::2], strict=True):
            if needle != hay and sides[needle] | sides[hay] == OURS | THEIRS:
                yield needle, hay

    def _parts(self) -> Iterator[tuple[int, int]]:
        """Yield prompts beside those that hold them as messages, or up to one."""
        keys = self._sketches.keys
        heads = array("Q", (keys[self._order[start]] for start in self._starts))
        for part, row in zip(self._sketches.parts, self._sketches.part_rows, strict=True):
            at = bisect_left(heads, part)
            while at < len(heads) and heads[at] == part:
                yield at, self._prompt_of[row]
                at += 1

    def _around_marks(self) -> Iterator[tuple[int, int]]:
        """Yield prompts beside those that hold their first two leading marks."""
        count = len(self._starts)
        leading = self._index().leading
        firsts, shared = set[int](), set[int]()
        for mark in (marks[0] for marks in map(leading, range(count)) if marks):
            (shared if mark in firsts else firsts).add(mark)
        holders: dict[int, list[int]] = {}
        for prompt in range(count):
            # Every prompt holds its own first mark, which matters only if it is another's too.
            held = firsts.intersection(self._marks(prompt))
            if len(held) > 1 or held & shared:
                for mark in held:
                    holders.setdefault(mark, []).append(prompt)
        for needle in range(count):
            marks = leading(needle)
            if len(marks) < 2 or marks[0] not in holders:
                continue
            for hay in holders[marks[0]][:_HAYS]:
                if hay != needle and marks[1] in self._marks(hay):
                    yield needle, hay
