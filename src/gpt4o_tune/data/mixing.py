"""Blending general examples into training rows, so that a model keeps what it could do before.

A model that sees nothing but one narrow task may lose skills that the task does not use (catastrophic
forgetting). Rows of general conversation among the task's own are the usual remedy.

Which general rows are taken is drawn from their content, not from their place: each has a number that
depends on nothing but the seed and its messages, and those with the lowest are taken. So a larger share
keeps the rows of a smaller one, and rows added to the general set displace a few and reshuffle none.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from gpt4o_tune._display import plural
from gpt4o_tune.data._store import RowStore
from gpt4o_tune.data._words import exact_key
from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gpt4o_tune.data.formats import Format

__all__ = ["Chosen", "blended", "draw"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rows of a store, in order."""

    store: RowStore
    numbers: Sequence[int]

    def __iter__(self) -> Iterator[bytes]:
        return self.store.iterate(self.numbers)


def draw(
    rows: Sequence[Mapping[str, object]],
    general: Sequence[Mapping[str, object]],
    *,
    formats: tuple[Format, Format],
    ratio: float,
    seed: int,
) -> list[int]:
    """Choose general rows that make up a share of the blend, each at most once.

    Args:
        rows: The rows to blend into.
        general: The rows to choose from.
        formats: What the former are, and the latter.
        ratio: Share of the chosen in the result, above 0 and below 1; at least one row is chosen.
        seed: Another seed gives another draw.

    Returns:
        Numbers of the chosen rows, ascending.

    Raises:
        DatasetError: The formats differ, general rows also stand in `rows`, or there are too few of them.
        ValueError: The ratio is out of range.
    """
    if not 0 < ratio < 1:
        raise ValueError(f"ratio must be above 0 and below 1, got {ratio!r}")
    if formats[0] != formats[1]:
        raise DatasetError(
            f"{formats[0]} rows cannot be mixed with {formats[1]} rows: no job trains on both."
        )
    own = set(map(exact_key, rows))
    keys = list(map(exact_key, general))
    if repeated := [number for number, key in enumerate(keys) if key in own]:
        raise DatasetError(
            f"{plural(len(repeated), 'general row')} of {len(keys):,} also stand in the rows to blend into, the "
            f"first as number {repeated[0]:,}. Leave them out: general.drop(general.overlap(data).rows)."
        )
    needed = max(1, round(len(rows) * ratio / (1 - ratio)))
    if needed > len(keys):
        most = len(keys) / (len(rows) + len(keys))
        raise DatasetError(
            f"A share of {ratio:g} beside {plural(len(rows), 'row')} takes {needed:,} general rows, and there "
            f"are {len(keys):,}. Give more, or a ratio of at most {int(most * 1000) / 1000:g}."
        )
    drawn = sorted(range(len(keys)), key=lambda number: (_draw(keys[number], seed), number))
    return sorted(drawn[:needed])


def blended(rows: Chosen, general: Chosen) -> RowStore:
    """Copy rows of two stores into one, the general ones spread evenly over the others.

    Each keeps its order, its bytes and its line end.

    Raises:
        OSError: There is no room for the copy.
    """
    lines = _interleaved(rows, general)
    return RowStore.from_lines(row if row.endswith(b"\n") else row + b"\n" for row in lines)


def _interleaved(rows: Chosen, general: Chosen) -> Iterator[bytes]:
    many, few = len(rows.numbers), len(general.numbers)
    others = iter(general)
    given = 0
    for place, row in enumerate(rows):
        # The n-th of the few stands in the middle of the n-th of as many equal stretches.
        while (2 * given + 1) * many < 2 * few * place + few:
            yield next(others)
            given += 1
        yield row
    yield from others


def _draw(key: bytes, seed: int) -> bytes:
    return blake2b(b"%d:" % seed + key, digest_size=16).digest()
