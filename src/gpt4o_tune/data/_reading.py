"""From the bytes of rows to their models or plain objects, or to the problems that prevent it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

from gpt4o_tune.catalog import DEFAULT_MODEL
from gpt4o_tune.data.checks import RULES, RowRules, Source, check, scope_for
from gpt4o_tune.data.decode import JsonObject, decode
from gpt4o_tune.data.formats import METHOD_OF_FORMAT
from gpt4o_tune.data.report import broken

if TYPE_CHECKING:
    from gpt4o_tune.data._store import Place, RowStore
    from gpt4o_tune.data.checks import Scope
    from gpt4o_tune.data.formats import Format
    from gpt4o_tune.data.rows import Row
    from gpt4o_tune.errors import DatasetError

_SHAPE_RULES = tuple(rule for rule in RULES if rule.is_shape)


def read_row(store: RowStore, number: int, *, format: Format) -> Row:  # noqa: A002  # as in Dataset
    """Parse a row into the model of its format.

    Raises:
        DatasetError: The row does not have the shape of the format; its faults are in `.problems`.
    """
    # Pydantic takes longer to import than the rest of the package.
    from gpt4o_tune.data import rows

    models = {
        "chat": rows.ChatRow,
        "preference": rows.PreferenceRow,
        "reinforcement": rows.ReinforcementRow,
    }
    raw = store.raw(number)
    try:
        return models[format].model_validate(decode(raw))
    except ValueError:
        line = store.lines[number]
        problems = RowRules(scope_of(format), _SHAPE_RULES).examine(line, raw).problems
        raise broken(store.name, problems, doing=f"read line {line:,}") from None


def describe(store: RowStore, numbers: Sequence[int]) -> Source:
    """Describe the file as rules on whole files see it; what stands between rows counts if all do."""
    is_whole = numbers == range(len(store))
    return Source(
        head=store.head(),
        size=store.size_of(numbers),
        has_bom=is_whole and store.has_bom,
        blank_lines=store.blank_lines if is_whole else (),
        name=store.path.name if is_whole and store.path else "",
    )


class Records(Sequence[JsonObject]):
    """Rows as plain objects of sound shape, parsed each time they are asked for and never kept."""

    def __init__(
        self,
        store: RowStore,
        numbers: Sequence[int],
        *,
        format: Format,  # noqa: A002  # as in Dataset
        doing: str,
    ) -> None:
        """Look at rows of a store.

        Args:
            store: Where the rows are.
            numbers: Which rows.
            format: What the rows are.
            doing: What they are wanted for, such as `count tokens`, for the message of an error.
        """
        self._store = store
        self._numbers = numbers
        self._doing = doing
        self._scope = scope_of(format)
        self._rules = RowRules(self._scope, _SHAPE_RULES)
        self._are_sound = False

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> JsonObject: ...
    @overload
    def __getitem__(self, index: slice) -> list[JsonObject]: ...
    def __getitem__(self, index: int | slice) -> JsonObject | list[JsonObject]:
        """Parse one row, or some."""
        if isinstance(index, slice):
            return list(self._read(self._numbers[index]))
        return next(self._read([self._numbers[index]]))

    def __iter__(self) -> Iterator[JsonObject]:
        """Parse the rows one at a time.

        Raises:
            DatasetError: There are no rows, or one does not have the shape of the format; the faults of
                all rows are in `.problems`.
        """
        if not self._numbers:
            raise self.broken()
        return self._read_all()

    def _read_all(self) -> Iterator[JsonObject]:
        yield from self._read(self._numbers)
        self._are_sound = True

    def _read(self, numbers: Sequence[int]) -> Iterator[JsonObject]:
        if self._are_sound:
            yield from map(decode, self._store.iterate(numbers))
            return
        for line, raw in self._store.numbered(numbers):
            examined = self._rules.examine(line, raw)
            if examined.row is None or examined.problems:
                raise self.broken()
            yield examined.row

    @property
    def place(self) -> Place | None:
        """Where another process finds the rows; None where this one alone has them."""
        return self._store.place

    def span(self, index: int) -> tuple[int, int]:
        """Return where a row starts and ends in the file."""
        return self._store.span(self._numbers[index])

    def verify(self) -> None:
        """Raise `DatasetError` where the file behind the rows was written to."""
        self._store.verify()

    def broken(self) -> DatasetError:
        """Return the error that says why the rows cannot be used."""
        problems = check(
            self._store.numbered(self._numbers),
            source=describe(self._store, self._numbers),
            scope=self._scope,
            rules=_SHAPE_RULES,
        )
        return broken(self._store.name, problems, doing=self._doing)


def scope_of(format: Format) -> Scope:  # noqa: A002  # as in Dataset
    """Return a scope for rules on shape, which depend on no provider or model."""
    return scope_for(
        DEFAULT_MODEL, provider="openai", method=METHOD_OF_FORMAT[format], format=format
    )
