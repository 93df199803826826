"""Token counts of a store's rows for one model, kept so that no row is counted twice."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpt4o_tune.catalog import Model
    from gpt4o_tune.data._counting import RowTokens
    from gpt4o_tune.data._store import RowStore
    from gpt4o_tune.data._survey import Gathered

_UNKNOWN = -1


class CountColumns(NamedTuple):
    """Token counts of some rows, column by column."""

    totals: array[int]
    trained: array[int]
    guessed_images: array[int]

    @classmethod
    def of(cls, counts: Iterable[RowTokens]) -> CountColumns:
        """Put counts of rows into columns."""
        columns = [*zip(*counts, strict=True)] or [(), (), ()]
        return cls(*(array("i", column) for column in columns))


class TokenCounts:
    """Three whole numbers per row of a store, some of them still unknown. All for one model."""

    def __init__(self, rows: int) -> None:
        self._total = array("i", [_UNKNOWN]) * rows
        self._trained = array("i", [_UNKNOWN]) * rows
        self._guessed_images = array("i", [_UNKNOWN]) * rows

    def missing(self, numbers: Sequence[int]) -> Sequence[int]:
        """Return those of some rows that are not counted yet."""
        total = self._total
        if isinstance(numbers, range) and total.count(_UNKNOWN) == len(total):
            return numbers
        return array("Q", (number for number in numbers if total[number] == _UNKNOWN))

    def put(self, numbers: Sequence[int], gathered: Gathered) -> None:
        """Remember what a pass counted; rows that it could not count stay unknown."""
        columns = (
            (self._total, gathered.totals),
            (self._trained, gathered.trained),
            (self._guessed_images, gathered.guessed_images),
        )
        for known, counted in columns:
            if isinstance(numbers, range) and numbers.step == 1:
                known[numbers.start : numbers.stop] = counted
                continue
            for number, count in zip(numbers, counted, strict=True):
                known[number] = count

    def of(self, numbers: Sequence[int]) -> CountColumns:
        """Return the counts of rows that are all counted."""
        return CountColumns(
            *(
                column[numbers.start : numbers.stop]
                if isinstance(numbers, range) and numbers.step == 1
                else array("i", map(column.__getitem__, numbers))
                for column in (self._total, self._trained, self._guessed_images)
            )
        )


def counts_of(store: RowStore, *, model: Model) -> TokenCounts:
    """Return what is counted so far of a store's rows for a model."""
    counts = store.token_counts.get(model)
    return counts or store.token_counts.setdefault(model, TokenCounts(len(store)))
