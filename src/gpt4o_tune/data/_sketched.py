"""Many rows: which are alike, by the rules that `similarity` states, among pairs that sketches propose.

Rows fall into *prompts*, each with all its rows. Prompts are numbered by what they say, so that the order of
the rows has no influence on what is found.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from itertools import accumulate, chain, compress, count, groupby
from operator import ne
from typing import TYPE_CHECKING, TypeAlias

from gpt4o_tune.data._corpus import Match, template_limit
from gpt4o_tune.data._joining import Groups
from gpt4o_tune.data._judging import Judge
from gpt4o_tune.data._postings import OURS, THEIRS
from gpt4o_tune.data._proposals import Prompts, Proposals
from gpt4o_tune.data._sketch import Sketches, sketch
from gpt4o_tune.data._verdicts import Bench, Case, Filed, Question, common_of, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gpt4o_tune.data._verdicts import Span, Way

    _Search: TypeAlias = Callable[[Sequence[int]], Iterator[tuple[int, int]]]

SAMPLE = 1_024
"""Rows by which it is judged what is common."""

_COMMON_SHARE = 1 / 256
"""Marks of more prompts than this lead only where there are too few others."""
_PROMPT_BITS = 32
_PROMPT_MASK = (1 << _PROMPT_BITS) - 1
_ROWS_COMPARED = 8
"""Different answers to a prompt that are compared with those to another."""


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
        self._filed = [source for source in sources if isinstance(source, Filed)]
        self._ends = list(accumulate(map(len, sources)))
        self._sketches = sketches or Sketches.of(chain.from_iterable(sources))
        self._read_sample(sample)
        self._compare_instructions()
        self._number_prompts()
        self._proposals: Proposals | None = None

    def __len__(self) -> int:
        return len(self._sketches)

    @property
    def exact_keys(self) -> Iterator[bytes]:
        """The `exact_key` of every row."""
        return map(self._sketches.exact_of, range(len(self)))

    def groups(self, *, threshold: float) -> Groups:
        """Join rows that are alike in any of the three ways, directly or through others."""
        prompts = Groups(len(self._prompts))
        everywhere = bytes([OURS | THEIRS]) * len(self._prompts)
        for way, search in self._searches():
            pairs = (
                (one, two)
                for one, two in search(everywhere)
                if prompts.find(one) != prompts.find(two)
            )
            cases = (
                Case(one, two, self._different_rows(one), self._different_rows(two))
                for one, two in _by_chain(pairs, prompts=len(self._prompts))
            )
            for case in self._alike(cases, Question(way, threshold, in_chains=True)):
                prompts.join(case.one, case.two)
        groups = Groups(len(self))
        for prompt in range(len(self._prompts)):
            first = self._prompts.first(prompts.find(prompt))
            for row in self._prompts.rows(prompt):
                groups.join(first, row)
        return groups

    def matches(
        self, rows: Sequence[int], others: Sequence[int], *, threshold: float
    ) -> dict[int, Match]:
        """Find for each of `rows` one of `others` that is alike, and how; exact before near."""
        side = bytearray(len(self))
        sides = bytearray(len(self._prompts))
        for members, mark in ((rows, OURS), (others, THEIRS)):
            for row in members:
                side[row] = mark
                sides[self._prompts.of[row]] |= mark
        found: dict[int, Match] = {}
        for prompt in compress(count(), map((OURS | THEIRS).__eq__, sides)):
            first = min(row for row in self._prompts.rows(prompt) if side[row] == THEIRS)
            for row in self._prompts.rows(prompt):
                if side[row] == OURS:
                    found[row] = Match("exact", first)

        def cases(pairs: Iterable[tuple[int, int]]) -> Iterator[Case]:
            for one, two in pairs:
                for mine, theirs in ((one, two), (two, one)):
                    if sides[mine] & OURS and sides[theirs] & THEIRS:
                        ours = [
                            row
                            for row in self._prompts.rows(mine)
                            if side[row] == OURS and row not in found
                        ]
                        if ours:
                            candidates = self._different_rows(
                                theirs, among=lambda row: side[row] == THEIRS
                            )
                            yield Case(mine, theirs, ours, candidates)

        for way, search in self._searches():
            question = Question(way, threshold, in_chains=False)
            for case in self._alike(cases(search(sides)), question):
                for row in case.rows:
                    if row not in found:
                        alike = (
                            other
                            for other in case.others
                            if question.asked(self._judge, row, other)
                        )
                        if (other := next(alike, None)) is not None:
                            found[row] = Match(way, other)
        return dict(sorted(found.items()))

    def _searches(self) -> tuple[tuple[Way, _Search], ...]:
        if self._proposals is None:
            self._proposals = Proposals(
                self._sketches, self._prompts, template=self._template, frequent=self._frequent
            )
        return ("near", self._proposals.near), ("contained", self._proposals.contained)

    def _alike(self, cases: Iterable[Case], question: Question) -> Iterator[Case]:
        """Yield the cases that the rules find alike."""
        places = [place for source in self._filed if (place := source.place)]
        bench = None
        if len(places) == len(self._sources):
            bench = Bench(places, list(map(self._span, self._sample)), self._scale)
        yield from verdicts(
            cases, judge=self._judge, question=question, bench=bench, span=self._span
        )
        for source in self._filed:
            source.verify()

    def _span(self, row: int) -> Span:
        number, place = self._place_of(row)
        return number, *self._filed[number].span(place)

    def _place_of(self, row: int) -> tuple[int, int]:
        """Return the source of a row, by number, and its place there."""
        number = bisect_right(self._ends, row)
        return number, row - (self._ends[number - 1] if number else 0)

    # What rows say.

    def _read(self, row: int) -> Mapping[str, object]:
        number, place = self._place_of(row)
        return self._sources[number][place]

    def _read_sample(self, size: int) -> None:
        """Learn from rows drawn by their content what is common: shingles of texts, and marks."""
        sketches = self._sketches
        everything = 1 << 64
        # Contexts are hashes: as many of them lie below a bound as its share of all numbers.
        below = everything * 2 * size // max(len(sketches), 2 * size)
        while True:
            sample: dict[int, int] = {}
            contexts = sketches.contexts
            for row in compress(count(), map(below.__gt__, contexts)):
                known = sample.setdefault(contexts[row], row)
                if sketches.exact_of(row) < sketches.exact_of(known):
                    sample[contexts[row]] = row
            if len(sample) >= size or below >= everything:
                break
            below *= 4
        rows = [sample[context] for context in sorted(sample)[:size]]
        is_all = below >= everything and len(sample) <= size
        self._scale = 1.0 if is_all else len(rows) / len(sketches)
        self._common = common_of(map(self._read, rows), scale=self._scale)
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
        framed = map(ne, old.keys, old.contexts) if template else ()
        for row in compress(count(), framed):
            start = old.ends[row - 1] if row else 0
            if start < old.ends[row] and old.marks[start] not in template:
                continue
            if template.issuperset(old.marks_of(row)):
                key = old.keys[row]
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
        keys = self._sketches.keys
        self._prompts = Prompts(len(keys))
        ordered = sorted(range(len(keys)), key=keys.__getitem__)
        for key, group in groupby(ordered, key=keys.__getitem__):
            rows = list(group)
            for same in [rows] if len(rows) == 1 else self._divide(rows, has_prompt=key > 0):
                self._prompts.add(same)

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

    def _different_rows(
        self, prompt: int, *, among: Callable[[int], bool] = lambda row: True
    ) -> list[int]:
        """Return one row for each of the different answers to a prompt, not too many of them."""
        all_rows = self._prompts.rows(prompt)
        if len(all_rows) == 1:
            return list(all_rows)
        rows: dict[bytes, int] = {}
        for row in filter(among, all_rows):
            rows[self._sketches.exact_of(row)] = row
            if len(rows) == _ROWS_COMPARED:
                break
        return list(rows.values())


def _by_chain(pairs: Iterable[tuple[int, int]], *, prompts: int) -> Iterator[tuple[int, int]]:
    """Put pairs that hang together next to each other."""
    chains, packed = Groups(prompts), array("Q")
    for one, two in pairs:
        chains.join(one, two)
        packed.append(one << _PROMPT_BITS | two)
    for pair in sorted(packed, key=lambda pair: (chains.find(pair >> _PROMPT_BITS), pair)):
        yield pair >> _PROMPT_BITS, pair & _PROMPT_MASK
