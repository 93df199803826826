"""`Dataset`: open, check, count, price, compare and split training data."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias, get_args

from gpt4o_tune.catalog import DEFAULT_MODEL, ProviderKind, load
from gpt4o_tune.data._records import encode_records
from gpt4o_tune.data._selection import Selection
from gpt4o_tune.data._store import RowStore
from gpt4o_tune.data.formats import METHOD_OF_FORMAT
from gpt4o_tune.data.report import CheckReport, Problem
from gpt4o_tune.errors import ProviderError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from gpt4o_tune.catalog import Method
    from gpt4o_tune.data.cost import CostEstimate
    from gpt4o_tune.data.formats import Format
    from gpt4o_tune.data.rows import Row
    from gpt4o_tune.data.similarity import OverlapReport
    from gpt4o_tune.data.split import Split
    from gpt4o_tune.data.tokens import TokenReport

__all__ = ["Dataset", "Group"]


class _HasKind(Protocol):
    @property
    def kind(self) -> ProviderKind: ...


ProviderLike: TypeAlias = "ProviderKind | _HasKind"
Group: TypeAlias = "str | Callable[[Row], object]"
"""The name of a row's field, or a function from the row to what it belongs to."""


class Dataset(Selection):
    """Rows of training data, in order. Nothing changes a dataset: every verb returns a new one.

    A dataset holds row numbers over a store of bytes that all its slices, filters and splits share, so
    they cost a few bytes a row. Rows are parsed when they are asked for and written as they stand.

    Example:
        >>> data = Dataset.from_jsonl("tickets.jsonl")
        >>> data.check(model="gpt-4o-2024-08-06").raise_for_errors()
        >>> train, validation = data.split(validation=0.1, seed=7)
    """

    __slots__ = ()

    @classmethod
    def from_jsonl(cls, path: str | os.PathLike[str], *, format: Format | None = None) -> Self:  # noqa: A002  # says it best
        """Open a JSONL file. The file is mapped, not read: nothing is parsed or judged yet.

        A byte order mark and blank lines are skipped; `check` reports them.

        Args:
            path: The file. It must not be written to while the dataset is in use; replacing it by
                another file, as `to_jsonl` does, is safe.
            format: What the rows are; found from the rows where it is not given.

        Raises:
            DatasetNotFoundError: No readable file is there.
            ValueError: There is no such format.
        """
        store = RowStore.from_file(path)
        return cls(store, range(len(store)), format=format)

    @classmethod
    def from_records(
        cls,
        rows: Iterable[Mapping[str, object] | Row],
        *,
        format: Format | None = None,  # noqa: A002  # as in `from_jsonl`
    ) -> Self:
        """Make a dataset of mappings or row models, in order.

        Each is written once, as compact JSON in UTF-8 without ASCII escapes and with its keys in their
        own order; keys that a row model was not given stay out.

        Raises:
            DatasetError: A record cannot be written as JSON without loss; the message has its number.
            ValueError: There is no such format.
        """
        store = RowStore(encode_records(rows))
        return cls(store, range(len(store)), format=format)

    def drop(self, rows: Iterable[int | Problem]) -> Dataset:
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

    def deduplicate(self, *, near: bool = False) -> Dataset:
        """Keep the first row of each cluster that `duplicates` finds."""
        repeated = chain.from_iterable(cluster[1:] for cluster in self.duplicates(near=near))
        return self.drop(repeated)

    def check(
        self,
        *,
        model: str | None = None,
        provider: ProviderLike = "openai",
        method: Method | None = None,
    ) -> CheckReport:
        """Apply every rule to every row, in one pass and without changing anything.

        Args:
            model: The model to train; `DEFAULT_MODEL` where none is given.
            provider: Where; limits follow from it.
            method: How; the one that the rows' format is for where none is given.

        Raises:
            ProviderError: The catalog does not know the model, or there is no such provider.
        """
        from gpt4o_tune.data._reading import describe
        from gpt4o_tune.data.checks import check, scope_for

        scope = scope_for(
            model or DEFAULT_MODEL,
            provider=_kind(provider),
            method=method or METHOD_OF_FORMAT[self.format],
            format=self.format,
        )
        source = describe(self._store, self._numbers)
        lines = self._store.numbered(self._numbers)
        return CheckReport(
            problems=tuple(check(lines, source=source, scope=scope)),
            source=self.source,
            rows=len(self),
            model=scope.model.name if scope.model else None,
            provider=scope.provider,
            method=scope.method,
        )

    def tokens(self, *, model: str = DEFAULT_MODEL) -> TokenReport:
        """Count the tokens of every row for a model. No network is needed.

        Counts are kept: a part of a dataset that was counted needs no counting.

        Raises:
            DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
            ProviderError: The catalog does not know the model.
        """
        from gpt4o_tune.data._token_counts import counts_of
        from gpt4o_tune.data.tokens import TokenReport

        known = load().get(model)
        counts = counts_of(self._store, model=known)
        if (missing := counts.missing(self._numbers)) or not self:
            counts.add(missing, self._records("count tokens", missing), model=known)
        return TokenReport.of(counts.of(self._numbers), model=known)

    def cost(
        self,
        *,
        model: str = DEFAULT_MODEL,
        epochs: int | Literal["auto"] = "auto",
        provider: ProviderLike = "openai",
    ) -> CostEstimate:
        """Estimate the price of training on these rows.

        Args:
            model: The model to train.
            epochs: Passes over the data; `auto` estimates what the service would choose.
            provider: Where; the price follows from it.

        Raises:
            DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
            ProviderError: The catalog does not know the model, or there is no such provider.
            ValueError: `epochs` is out of range.
        """
        from gpt4o_tune.data.cost import estimate

        known = load().get(model)
        return estimate(
            self.tokens(model=model), model=known, provider=_kind(provider), epochs=epochs
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
        from gpt4o_tune.data.similarity import clusters

        return clusters(self._records("look for duplicates"), near=near)

    def overlap(self, other: Dataset) -> OverlapReport:
        """Find the rows that also stand in another dataset, exactly, nearly or inside a longer one.

        Raises:
            DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
        """
        from gpt4o_tune.data.similarity import overlap

        return overlap(self._records("compare rows"), other._records("compare rows"))

    def split(
        self,
        validation: float = 0.1,
        *,
        test: float = 0.0,
        seed: int = 0,
        by: Group | None = None,
        stratify: Group | None = None,
        near: bool = True,
    ) -> Split[Dataset]:
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
        from gpt4o_tune.data.similarity import compare
        from gpt4o_tune.data.split import TEST, TRAIN, VALIDATION, Split

        parts, leakage = divide(
            compare(self._records("split"), near=near),
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

    def _values(self, of: Group | None) -> Iterator[object] | None:
        """Return what each row holds in a field, or what a function says of it."""
        from gpt4o_tune.data._dividing import field

        if of is None:
            return None
        if isinstance(of, str):
            return field(self._records("split"), of, lines=self.lines)
        return map(of, self)


def _kind(provider: ProviderLike) -> ProviderKind:
    kind = provider if isinstance(provider, str) else provider.kind
    if kind not in get_args(ProviderKind):
        known = ", ".join(map(repr, get_args(ProviderKind)))
        raise ProviderError(f"There is no provider {kind!r}. Use one of {known}.")
    return kind
