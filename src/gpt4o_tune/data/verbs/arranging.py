"""Choose rows, compare them, and divide them into parts."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Self

from gpt4o_tune.data._selection import Selection
from gpt4o_tune.data.report import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpt4o_tune.data.similarity import AnyCorpus, OverlapReport
    from gpt4o_tune.data.split import Split
    from gpt4o_tune.data.verbs.arguments import Group


class Arranging(Selection):
    """Choose rows, compare them, and divide them into parts."""

    __slots__ = ()

    def drop(self, rows: Iterable[int | Problem]) -> Self:
        """Leave rows out, by number or because a problem stands on their line.

        Problems of the whole file name no row, so they drop none.

        Example:
            >>> sound = data.drop(data.check().errors)

        Raises:
            IndexError: There is no such row.
        """
        numbers, lines = set[int](), set[int]()
        for row in rows:
            if isinstance(row, Problem):
                lines.add(row.line)
            else:
                numbers.add(range(len(self))[row])
        return self.select(
            row for row, line in enumerate(self.lines) if row not in numbers and line not in lines
        )

    def duplicates(self, *, near: bool = True) -> list[tuple[int, ...]]:
        """Group rows that are alike, directly or through others; see `gpt4o_tune.data.similarity`.

        Args:
            near: Whether rows whose words are nearly the same count too; else only equal messages.

        Returns:
            Row numbers of each group of two and more, ascending.

        Raises:
            DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
        """
        from gpt4o_tune.data.similarity import DEFAULT_THRESHOLD

        corpus = self._corpus(near=near, doing="look for duplicates")
        return corpus.groups(threshold=DEFAULT_THRESHOLD).several()

    def deduplicate(self, *, near: bool = False) -> Self:
        """Keep the first row of each cluster that `duplicates` finds."""
        repeated = chain.from_iterable(cluster[1:] for cluster in self.duplicates(near=near))
        return self.drop(repeated)

    def overlap(self, other: Self) -> OverlapReport:
        """Find the rows that also stand in another dataset, exactly, nearly or inside a longer one.

        Raises:
            DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
        """
        from gpt4o_tune.data import _facts
        from gpt4o_tune.data._sketch import Sketches
        from gpt4o_tune.data.similarity import EXACT_ROWS, overlap

        doing, sketches = "compare rows", None
        if len(self) + len(other) > EXACT_ROWS:
            sketches = Sketches()
            for one in (self, other):
                sketches.extend(
                    _facts.sketches(one._store, one._numbers, format=one.format, doing=doing)
                )
        return overlap(self._records(doing), other._records(doing), sketches=sketches)

    def split(
        self,
        validation: float = 0.1,
        *,
        test: float = 0.0,
        seed: int = 0,
        by: Group | None = None,
        stratify: Group | None = None,
        near: bool = True,
    ) -> Split[Self]:
        """Divide the rows into training, validation and, where asked for, test.

        Rows that are alike stay together, so no held-out row was nearly seen in training. The same rows
        with the same seed always fall the same way, in whatever order they stand. Within a part, rows
        keep their order.

        Args:
            validation: Share of the rows to hold out for validation.
            test: Share of the rows to hold out for testing.
            seed: Another seed gives another draw.
            by: What must stay together, such as all rows of a customer.
            stratify: Classes whose shares should be the same in all parts.
            near: Whether rows that are alike in any way stay together; else only rows with the same
                messages, which is quicker, and `leakage` looks for those alone.

        Raises:
            DatasetError: There are no rows, one cannot be read, or one lacks the field named.
            ValueError: A share is negative, or the shares leave nothing to train on.
        """
        from gpt4o_tune.data._dividing import divide
        from gpt4o_tune.data.split import TEST, TRAIN, VALIDATION, Split

        parts, leakage = divide(
            self._corpus(near=near, doing="split"),
            validation=validation,
            test=test,
            seed=seed,
            by=self._values(by),
            stratify=self._values(stratify),
        )
        train, held_out, tested = (
            self.select(row for row, its_part in enumerate(parts) if its_part == part)
            for part in (TRAIN, VALIDATION, TEST)
        )
        return Split(
            train=train,
            validation=held_out,
            test=tested if test else None,
            leakage=leakage,
        )

    def mix(self, general: Self, ratio: float, *, seed: int = 0) -> Self:
        """Blend general examples in, so that a model keeps skills that these rows do not train.

        The rows keep their order and their bytes; the general ones, drawn from their content and each
        taken at most once, stand evenly among them. The result has bytes of its own: its `source` is
        `records`, and its lines are numbered from 1. Mix after splitting, and the training part only.

        Example:
            >>> train = train.mix(general, 0.2, seed=7)

        Args:
            general: Rows of the same format that show what else the model should stay able to do.
            ratio: Their share of the result, above 0 and below 1.
            seed: Another seed gives another draw.

        Raises:
            DatasetError: The formats differ, general rows also stand here, there are too few of them, or
                a row cannot be read.
            ValueError: The ratio is out of range.
        """
        from gpt4o_tune.data.mixing import Chosen, blended, draw

        drawn = draw(
            self._records("mix rows"),
            general._records("mix rows"),
            formats=(self.format, general.format),
            ratio=ratio,
            seed=seed,
        )
        chosen = general.select(drawn)
        store = blended(Chosen(self._store, self._numbers), Chosen(chosen._store, chosen._numbers))
        return type(self)(store, range(len(store)), format=self.format)

    def _corpus(self, *, near: bool, doing: str) -> AnyCorpus:
        from gpt4o_tune.data import _facts

        return _facts.corpus(self._store, self._numbers, format=self.format, near=near, doing=doing)
