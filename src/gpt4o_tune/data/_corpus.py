"""All rows of a comparison: which are alike, by the rules that `similarity` states."""

from __future__ import annotations

from bisect import bisect_right
from hashlib import blake2b
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from gpt4o_tune.data._joining import Groups, Holders, Index, SlotCounts, View
from gpt4o_tune.data._words import exact_key, row_words, shingles

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

DEFAULT_THRESHOLD = 0.7
"""Jaccard index of word 3-grams from which texts are near-duplicates."""

Kind: TypeAlias = Literal["exact", "near", "contained"]


class Match(NamedTuple):
    """How a row is like another."""

    kind: Kind
    row: int
    """The other row."""


class Corpus:
    """Rows in the two views that matter: the prompt alone, and prompt and answer together."""

    def __init__(self, *sources: Sequence[Mapping[str, object]]) -> None:
        """Read rows, numbered through all sources; some are read twice."""
        prompts: list[array[int]] = []
        wholes: list[array[int]] = []
        contexts: list[int] = []
        self.exact_keys: list[bytes] = []
        for row in chain(*sources):
            cut = row_words(row)
            prompts.append(shingles(cut.prompt, images=cut.images))
            wholes.append(shingles(cut.prompt + cut.answer, images=cut.images))
            contexts.append(hash((cut.instructions, cut.prompt, cut.images)))
            self.exact_keys.append(exact_key(row))
        ends = list(accumulate(map(len, sources)))
        for number in _said_by_template_alone(prompts, contexts):
            source = bisect_right(ends, number)
            cut = row_words(sources[source][number - ends[source]])
            if cut.instructions:
                prompts[number] = shingles(cut.instructions + cut.prompt, images=cut.images)
        self.prompt = View(prompts, common=template_limit)
        # The same words may be divided otherwise between prompt and answer.
        divided = list(map(_divided, self.prompt.keys, wholes))
        self.whole = View(wholes, common=stock_limit, keys=divided)

    def __len__(self) -> int:
        return len(self.exact_keys)

    def groups(self, *, threshold: float) -> Groups:
        """Join rows that are alike in any of the three ways, directly or through others."""
        groups = Groups(len(self))
        groups.join_equal(self.prompt.keys)
        groups.join_equal(self.exact_keys)
        for joined in (self._near_prompts, self._near_wholes):
            index = joined(threshold, group=groups.find)
            for row in _first_of_each(index.view.keys):
                for other in index.matches(row):
                    groups.join(row, other)
                index.add(row)
        holders = Holders(self.prompt)
        for row in _first_of_each(self.prompt.keys):
            holders.add_needle(row)
        for row in _first_of_each(self.prompt.keys):
            for other in holders.needles_in(row):
                groups.join(row, other)
        return groups

    def matches(
        self, rows: Sequence[int], others: Sequence[int], *, threshold: float
    ) -> dict[int, Match]:
        """Find for each of `rows` one of `others` that is alike, and how; exact before near."""
        found: dict[int, Match] = {}
        for keys in (self.prompt.keys, self.exact_keys):
            # From the back, so that the first row with a key is the one that stays.
            known = {keys[other]: other for other in reversed(others) if keys[other]}
            for row in rows:
                if keys[row] in known:
                    found.setdefault(row, Match("exact", known[keys[row]]))
        for near in (self._near_prompts, self._near_wholes):
            index = near(threshold, group=int)
            for other in others:
                index.add(other)
            for row in rows:
                if row not in found and (other := next(index.matches(row), None)) is not None:
                    found[row] = Match("near", other)
        for row, other in self._contained(rows, others):
            found.setdefault(row, Match("contained", other))
        return dict(sorted(found.items()))

    def _contained(self, rows: Sequence[int], others: Sequence[int]) -> Iterator[tuple[int, int]]:
        holders = Holders(self.prompt)
        for row in rows:
            holders.add_needle(row)
        for other in others:
            for row in holders.needles_in(other):
                yield row, other
        holders = Holders(self.prompt)
        for other in others:
            holders.add_needle(other)
        for row in rows:
            for other in holders.needles_in(row):
                yield row, other

    def _near_prompts(self, threshold: float, *, group: Callable[[int], int]) -> Index:
        return Index(self.prompt, threshold=threshold, group=group)

    def _near_wholes(self, threshold: float, *, group: Callable[[int], int]) -> Index:
        def alike(row: int, other: int) -> bool:
            return self.prompt.similarity(row, other) >= threshold / 2

        return Index(self.whole, threshold=threshold, group=group, accept=alike)


class SameMessages:
    """Rows that are alike only where their messages are the same."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        """Take the `exact_key` of every row."""
        self.exact_keys = list(keys)

    def groups(self, *, threshold: float) -> Groups:
        """Join rows with the same messages; the threshold plays no part."""
        groups = Groups(len(self.exact_keys))
        groups.join_equal(self.exact_keys)
        return groups

    def matches(
        self, rows: Sequence[int], others: Sequence[int], *, threshold: float
    ) -> dict[int, Match]:
        """Find for each of `rows` the first of `others` with the same messages."""
        keys = self.exact_keys
        known = {keys[other]: other for other in reversed(others)}
        return {row: Match("exact", known[keys[row]]) for row in rows if keys[row] in known}


def _said_by_template_alone(prompts: Sequence[array[int]], contexts: Sequence[int]) -> list[int]:
    """Return the rows whose prompt has no telling shingle, among texts that differ with instructions."""
    distinct = list(dict(zip(contexts, prompts, strict=True)).values())
    template = SlotCounts(distinct).above(template_limit(len(distinct)), distinct)
    return [row for row, prompt in enumerate(prompts) if template.issuperset(prompt)]


def _divided(prompt: bytes, whole: array[int]) -> bytes:
    return blake2b(b"%d:" % len(prompt) + prompt + whole.tobytes(), digest_size=16).digest()


def template_limit(texts: int) -> float:
    """Return in how many distinct prompts a shingle may stand before it is part of a template."""
    return max(texts / 10, stock_limit(texts))


def stock_limit(texts: int, *, share: float = 1.0) -> float:
    """Return in how many distinct rows a shingle may stand before it is a label or a stock phrase.

    Args:
        texts: How many there are, or are known.
        share: The share of all texts that is known.
    """
    return max(3, min(10 * share, texts / 2))


def _first_of_each(keys: Sequence[bytes]) -> Iterator[int]:
    seen: set[bytes] = set()
    for row, key in enumerate(keys):
        if key and key not in seen:
            seen.add(key)
            yield row
