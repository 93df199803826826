"""Which rows are alike: exact set-similarity joins without looking at every pair.

The join is prefix filtering with rare shingles first (Chaudhuri et al. 2006, Bayardo et al. 2007) and a
bound by position (Xiao et al. 2008). The filters only leave out pairs that cannot reach the threshold; what
remains is compared in full, so the result is exact.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

# 8 words: shorter prompts stand in longer ones by chance.
CONTAINED_SHINGLES = 6
_MAX_SLOTS = 1 << 22
_HASH_BYTES = 8
# Keeps rounding from losing a pair that reaches the threshold exactly.
_SLACK = 1e-9


class Groups:
    """Rows that are joined step by step (union-find); a group goes by its smallest row."""

    def __init__(self, size: int) -> None:
        self._parent = array("Q", range(size))

    def find(self, row: int) -> int:
        """Return the smallest row of the group that a row is in."""
        parent = self._parent
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    def join(self, row: int, other: int) -> None:
        """Make one group of the groups of two rows."""
        small, large = sorted((self.find(row), self.find(other)))
        self._parent[large] = small

    def join_equal(self, keys: Iterable[bytes]) -> None:
        """Join rows with equal keys; an empty key is equal to none."""
        first: dict[bytes, int] = {}
        for row, key in enumerate(keys):
            if key:
                self.join(first.setdefault(key, row), row)

    def several(self) -> list[tuple[int, ...]]:
        """Return the groups of two rows and more, in the order of their smallest row."""
        members: dict[int, list[int]] = {}
        for row in range(len(self._parent)):
            members.setdefault(self.find(row), []).append(row)
        return [tuple(rows) for rows in members.values() if len(rows) > 1]


class View:
    """One way to look at all rows: a series of shingles each, of which the most common do not count."""

    def __init__(
        self,
        series: Sequence[array[int]],
        *,
        common: Callable[[int], float],
        keys: Sequence[bytes] | None = None,
    ) -> None:
        """Take one series per row.

        Args:
            series: The shingles of each row, in the order of the text.
            common: Gives, for a number of texts, how many may share a shingle that still counts.
            keys: What makes two rows the same text; their series where left out.
        """
        self.keys = [one.tobytes() for one in series] if keys is None else list(keys)
        texts = dict(zip(self.keys, series, strict=True))
        distinct = list(texts.values())
        self._counts = SlotCounts(distinct)
        count = self._counts.of
        ignored = self._counts.above(common(len(distinct)), distinct)
        known = {
            key: array(
                "q", sorted(set(one) - ignored, key=lambda shingle: (count(shingle), shingle))
            )
            for key, one in texts.items()
        }
        self.telling: list[array[int]] = [known[key] for key in self.keys]
        """Per row the distinct shingles that count, rare ones first."""

    def is_shared(self, shingle: int) -> bool:
        """Tell whether a shingle may stand in more than one distinct text."""
        return self._counts.of(shingle) > 1

    def similarity(self, row: int, other: int) -> float:
        """Return the Jaccard index of two rows; without a telling shingle only equal texts are alike."""
        one, two = self.telling[row], self.telling[other]
        if not one and not two:
            return float(self.keys[row] == self.keys[other])
        return jaccard(set(one), two)

    def holds(self, row: int, other: int) -> bool:
        """Tell whether the text of `other` is a longer one with the whole text of `row` in it."""
        needle, hay = self.keys[row], self.keys[other]
        if len(needle) >= len(hay):
            return False
        position = hay.find(needle)
        while position % _HASH_BYTES and position >= 0:
            position = hay.find(needle, position + 1)
        return position >= 0


class SlotCounts:
    """In how many texts a shingle stands, counted in bounded memory: never too low, rarely too high."""

    def __init__(self, series: Sequence[array[int]]) -> None:
        total = sum(map(len, series))
        self._mask = min(_MAX_SLOTS, 1 << (8 * total).bit_length()) - 1
        self._slots = array("L", bytes(array("L").itemsize * (self._mask + 1)))
        slots, mask = self._slots, self._mask
        for one in series:
            for shingle in set(one):
                slots[shingle & mask] += 1

    def of(self, shingle: int) -> int:
        return self._slots[shingle & self._mask]

    def above(self, limit: float, series: Sequence[array[int]]) -> set[int]:
        """Return the shingles that stand in more texts than `limit`, counted exactly."""
        if max(self._slots) <= limit:
            return set()
        exact: Counter[int] = Counter()
        for one in series:
            exact.update(shingle for shingle in set(one) if self.of(shingle) > limit)
        return {shingle for shingle, count in exact.items() if count > limit}


class _Entry(NamedTuple):
    row: int
    position: int


class Index:
    """Finds the rows added so far that reach the threshold of similarity in one view."""

    def __init__(
        self,
        view: View,
        *,
        threshold: float,
        group: Callable[[int], int],
        accept: Callable[[int, int], bool] = lambda row, other: True,
    ) -> None:
        self.view = view
        self._threshold = threshold
        self._group = group
        self._accept = accept
        self._entries: dict[int, dict[int, list[_Entry]]] = {}

    def add(self, row: int) -> None:
        """Make a row findable."""
        group = self._group(row)
        for position, shingle in enumerate(self._prefix(row)):
            if self.view.is_shared(shingle):
                by_group = self._entries.setdefault(shingle, {})
                by_group.setdefault(group, []).append(_Entry(row, position))

    def matches(self, row: int) -> Iterator[int]:
        """Yield rows that are alike, each once, and none that is in the group of `row` already."""
        telling = self.view.telling[row]
        whole = set(telling)
        seen: set[int] = set()
        for position, shingle in enumerate(self._prefix(row)):
            for group, entries in self._by_group(shingle):
                for entry in entries:
                    if self._group(group) == self._group(row):
                        break
                    if entry.row in seen:
                        continue
                    seen.add(entry.row)
                    other = self.view.telling[entry.row]
                    if (
                        self._can_reach(len(telling), position, len(other), entry.position)
                        and self._accept(row, entry.row)
                        and jaccard(whole, other) >= self._threshold
                    ):
                        yield entry.row

    def _prefix(self, row: int) -> array[int]:
        """Return the shingles of which two rows that reach the threshold share at least one."""
        telling = self.view.telling[row]
        return telling[: len(telling) - math.ceil(self._threshold * len(telling) - _SLACK) + 1]

    def _by_group(self, shingle: int) -> list[tuple[int, list[_Entry]]]:
        """Return the entries of a shingle by group, after putting together groups that became one."""
        by_group = self._entries.get(shingle, {})
        for group in [group for group in by_group if self._group(group) != group]:
            by_group.setdefault(self._group(group), []).extend(by_group.pop(group))
        return list(by_group.items())

    def _can_reach(self, size: int, position: int, other_size: int, other_position: int) -> bool:
        """Bound the similarity of two rows by what can follow their first common shingle."""
        common = min(size - position, other_size - other_position)
        needed = self._threshold / (1 + self._threshold) * (size + other_size)
        return common >= needed - _SLACK


class Holders:
    """Finds prompts that stand whole inside longer ones."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._by_rarest: dict[int, list[int]] = {}

    def add_needle(self, row: int) -> None:
        """Make a prompt findable, if it is long enough to mean something and not all template."""
        telling = self._view.telling[row]
        long_enough = len(self._view.keys[row]) >= CONTAINED_SHINGLES * _HASH_BYTES
        if long_enough and telling and self._view.is_shared(telling[0]):
            self._by_rarest.setdefault(telling[0], []).append(row)

    def needles_in(self, row: int) -> Iterator[int]:
        """Yield the prompts that a longer prompt holds."""
        for shingle in self._view.telling[row]:
            for needle in self._by_rarest.get(shingle, ()):
                if self._view.holds(needle, row):
                    yield needle


_Member = TypeVar("_Member")


def jaccard(one: frozenset[_Member] | set[_Member], two: Collection[_Member]) -> float:
    """Return the Jaccard index of a set and distinct members of another; one of them is not empty."""
    common = len(one.intersection(two))
    return common / (len(one) + len(two) - common)
