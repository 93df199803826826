"""Token counts of a store's rows for one model, kept so that no row is counted twice."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from gpt4o_tune.data._counting import RowCounter, RowTokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gpt4o_tune.catalog import Model
    from gpt4o_tune.data._store import RowStore

_UNKNOWN = -1


class TokenCounts:
    """Three whole numbers per row of a store, some of them still unknown. All for one model."""

    def __init__(self, rows: int) -> None:
        self._total = array("q", [_UNKNOWN]) * rows
        self._trained = array("q", [_UNKNOWN]) * rows
        self._guessed_images = array("q", [_UNKNOWN]) * rows

    def missing(self, numbers: Iterable[int]) -> array[int]:
        """Return those of some rows that are not counted yet."""
        total = self._total
        return array("Q", (number for number in numbers if total[number] == _UNKNOWN))

    def add(
        self, numbers: Sequence[int], rows: Iterable[Mapping[str, object]], *, model: Model
    ) -> None:
        """Count rows and remember the counts under their numbers."""
        count = RowCounter(model).count
        for number, row in zip(numbers, rows, strict=True):
            counted = count(row)
            self._total[number] = counted.total
            self._trained[number] = counted.trained
            self._guessed_images[number] = counted.guessed_images

    def of(self, numbers: Iterable[int]) -> Iterator[RowTokens]:
        """Yield the counts of rows that are all counted."""
        for number in numbers:
            yield RowTokens(
                self._total[number], self._trained[number], self._guessed_images[number]
            )


def counts_of(store: RowStore, *, model: Model) -> TokenCounts:
    """Return what is counted so far of a store's rows for a model."""
    counts = store.token_counts.get(model)
    return counts or store.token_counts.setdefault(model, TokenCounts(len(store)))
