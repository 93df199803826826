"""Which part of a split each row of a dataset goes to, by its content and by the fields named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import nearest
from gpt4o_tune.data.similarity import DEFAULT_THRESHOLD, leakage
from gpt4o_tune.data.split import assign
from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpt4o_tune.data.decode import JsonObject
    from gpt4o_tune.data.similarity import AnyCorpus, OverlapReport


def divide(
    corpus: AnyCorpus,
    *,
    validation: float,
    test: float,
    seed: int,
    by: Iterable[object] | None,
    stratify: Iterable[object] | None,
) -> tuple[list[int], OverlapReport]:
    """Choose the part of every row; rows that are alike, or equal in `by`, stay together.

    The parts are proved by a search of its own. What it finds that the grouping missed, as may happen among
    many rows, is put together, and the rows are divided again.

    Args:
        corpus: The rows.
        validation: Share of the rows to hold out for validation.
        test: Share of the rows to hold out for testing.
        seed: Another seed gives another draw.
        by: Per row what it belongs to; None where a row belongs to nothing.
        stratify: Per row its class.

    Returns:
        The part of every row, and the proof.
    """
    keys = list(corpus.exact_keys)
    groups = corpus.groups(threshold=DEFAULT_THRESHOLD)
    if by is not None:
        groups.join_equal(b"" if value is None else _name(value).encode() for value in by)
    strata = None if stratify is None else [_name(value) for value in stratify]
    while True:
        parts = assign(
            list(map(groups.find, range(len(keys)))),
            keys,
            validation=validation,
            test=test,
            seed=seed,
            strata=strata,
        )
        leaks = leakage(corpus, parts)
        if not leaks:
            return parts, leaks
        for row, match in leaks.matches.items():
            groups.join(row, match)


def field(rows: Iterable[JsonObject], name: str, *, lines: Iterable[int]) -> Iterator[object]:
    """Yield what each row holds under a key.

    Raises:
        DatasetError: A row does not have the key.
    """
    for line, row in zip(lines, rows, strict=True):
        if name not in row:
            guess = nearest(name, row)
            hint = f"did you mean {guess!r}? It has" if guess else "it has"
            raise DatasetError(
                f"Line {line:,} has no key {name!r}; {hint} {', '.join(map(repr, row))}. "
                "Name a key that every row has, or pass a function of the row."
            )
        yield row[name]


def _name(value: object) -> str:
    """Write a value so that equal values give equal text; keys of objects in any order."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, sort_keys=True)
    except TypeError:
        return repr(value)
