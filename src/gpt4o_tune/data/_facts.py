"""What passes over the rows of a store found out, kept so that nothing is read twice for one question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.catalog import DEFAULT_MODEL
from gpt4o_tune.data._corpus import SameMessages
from gpt4o_tune.data._keys import KEY
from gpt4o_tune.data._reading import Records, describe
from gpt4o_tune.data._survey import Wanted, survey
from gpt4o_tune.data._token_counts import counts_of
from gpt4o_tune.data.checks import RULES
from gpt4o_tune.data.checks.corpus import COUNTABLE
from gpt4o_tune.data.checks.engine import corpus_problems, in_order, source_problems
from gpt4o_tune.data.formats import METHOD_OF_FORMAT
from gpt4o_tune.data.similarity import EXACT_ROWS, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpt4o_tune.catalog import Model
    from gpt4o_tune.data._sketch import Sketches
    from gpt4o_tune.data._store import RowStore
    from gpt4o_tune.data._survey import Gathered
    from gpt4o_tune.data._token_counts import TokenCounts
    from gpt4o_tune.data.formats import Format
    from gpt4o_tune.data.report import Problem
    from gpt4o_tune.data.similarity import AnyCorpus

_COUNTABLE = bytes(1 if marks & COUNTABLE else 0 for marks in range(256))


class StoredKeys:
    """The key of every row of a store (see `_keys`), as far as it is known."""

    def __init__(self, rows: int) -> None:
        self._keys = bytearray(KEY * rows)
        self._known = bytearray(rows)

    def missing(self, numbers: Sequence[int]) -> Sequence[int]:
        """Return those of some rows whose keys are not known."""
        known = self._known
        if isinstance(numbers, range) and not any(known):
            return numbers
        return [number for number in numbers if not known[number]]

    def put(self, numbers: Sequence[int], gathered: Gathered) -> None:
        """Remember the keys of the rows that a pass could read."""
        known, keys = gathered.marks.translate(_COUNTABLE), gathered.keys
        if isinstance(numbers, range) and numbers.step == 1:
            self._known[numbers.start : numbers.stop] = known
            self._keys[KEY * numbers.start : KEY * numbers.stop] = keys
            return
        for place, number in enumerate(numbers):
            self._known[number] = known[place]
            self._keys[KEY * number : KEY * (number + 1)] = keys[KEY * place : KEY * (place + 1)]

    def of(self, numbers: Sequence[int]) -> Iterator[bytes]:
        """Yield the keys of rows that are all known."""
        keys = self._keys
        return (bytes(keys[KEY * number : KEY * (number + 1)]) for number in numbers)


def problems(store: RowStore, numbers: Sequence[int], wanted: Wanted) -> tuple[Problem, ...]:
    """Apply every rule to some rows; what else the pass gathers is remembered.

    Raises:
        ProviderError: The catalog does not know the model.
    """
    is_whole = numbers == range(len(store))
    if is_whole and (known := store.problems.get(wanted.question)) is not None:
        return known
    scope = wanted.scope()
    before = source_problems(describe(store, numbers), scope, RULES)
    found = before.problems
    if not before.are_final:
        gathered = survey(store, numbers, wanted)
        _remember(store, numbers, gathered, model=scope.model if wanted.count else None)
        corpus = gathered.corpus(store.lines_of(numbers))
        found = in_order([*found, *gathered.problems, *corpus_problems(corpus, scope, RULES)])
    if is_whole:
        store.problems[wanted.question] = tuple(found)
    return tuple(found)


def token_counts(
    store: RowStore,
    numbers: Sequence[int],
    *,
    model: Model,
    format: Format,  # noqa: A002  # as in Dataset
) -> TokenCounts:
    """Return counts that hold all of some rows, after counting those that are missing.

    Raises:
        DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
    """
    counts = counts_of(store, model=model)
    missing = counts.missing(numbers)
    if missing or not numbers:
        _read(store, missing, format=format, model=model, doing="count tokens")
    return counts


def row_keys(
    store: RowStore,
    numbers: Sequence[int],
    *,
    format: Format,  # noqa: A002  # as in Dataset
    doing: str,
) -> StoredKeys:
    """Return keys that hold all of some rows, after reading those that are missing.

    Raises:
        DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
    """
    keys = _keys_of(store)
    missing = keys.missing(numbers)
    if missing or not numbers:
        _read(store, missing, format=format, model=None, doing=doing)
    return keys


def sketches(
    store: RowStore,
    numbers: Sequence[int],
    *,
    format: Format,  # noqa: A002  # as in Dataset
    doing: str,
) -> Sketches:
    """Return the sketches of some rows; those of a whole store are kept.

    Raises:
        DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
    """
    is_whole = numbers == range(len(store))
    if store.sketches is not None:
        return store.sketches if is_whole else store.sketches.take(numbers)
    return _read(store, numbers, format=format, model=None, doing=doing, sketch=True).sketches


def corpus(
    store: RowStore,
    numbers: Sequence[int],
    *,
    format: Format,  # noqa: A002  # as in Dataset
    near: bool,
    doing: str,
) -> AnyCorpus:
    """Make rows ready to be compared with one another.

    Raises:
        DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
    """
    if not near:
        return SameMessages(row_keys(store, numbers, format=format, doing=doing).of(numbers))
    rows = Records(store, numbers, format=format, doing=doing)
    if len(numbers) <= EXACT_ROWS:
        return compare(rows)
    return compare(rows, sketches=sketches(store, numbers, format=format, doing=doing))


def _read(
    store: RowStore,
    numbers: Sequence[int],
    *,
    format: Format,  # noqa: A002
    model: Model | None,
    doing: str,
    sketch: bool = False,
) -> Gathered:
    """Gather keys, and counts where a model is given, of rows that must all be readable."""
    wanted = Wanted(
        format=format,
        model=model.name if model else DEFAULT_MODEL,
        provider="openai",
        method=METHOD_OF_FORMAT[format],
        judge=False,
        count=model is not None,
        sketch=sketch,
    )
    gathered = survey(store, numbers, wanted)
    if not numbers or _unreadable(gathered):
        raise Records(store, numbers, format=format, doing=doing).broken()
    _remember(store, numbers, gathered, model=model)
    return gathered


def _remember(
    store: RowStore, numbers: Sequence[int], gathered: Gathered, *, model: Model | None
) -> None:
    _keys_of(store).put(numbers, gathered)
    if len(gathered.sketches) == len(store) == len(numbers) and not _unreadable(gathered):
        store.sketches = gathered.sketches
    if model is not None:
        counts_of(store, model=model).put(numbers, gathered)


def _unreadable(gathered: Gathered) -> int:
    return gathered.marks.translate(_COUNTABLE).count(0)


def _keys_of(store: RowStore) -> StoredKeys:
    if store.keys is None:
        store.keys = StoredKeys(len(store))
    return store.keys
