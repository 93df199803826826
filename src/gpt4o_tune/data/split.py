"""Dividing a dataset into parts, so that what belongs together stays together.

Where a row goes is drawn from its content, not from its place: each group of rows has a number between 0
and 1 that depends on nothing but the seed and the group's key. The groups with the lowest numbers are the
test part, those with the highest the validation part, as many as fill the size that was asked for.

What is guaranteed
    - Groups are never divided, and neither the order of rows nor the process changes the result.
    - No held-out part is larger than asked, unless a single group is; it is smaller only by less than the
      size of the smallest group that was passed over. With enough single rows it has exactly the size.
    - Rows that are added later move old ones only across the two borders, not from validation to test.
      Where every row stands alone, an old row leaves a held-out part only to make room for a new row, and
      enters one only because the part grew. Larger groups near a border may change places with others, and
      a group is drawn anew when a new row with a smaller key joins it.

A fixed threshold on the number would never move an old row, but at 100 rows and a tenth held out the size
would scatter by 3 rows around 10, and at 20 rows be 0 in one split of eight. Exact sizes were worth more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gpt4o_tune.data.similarity import OverlapReport

__all__ = ["TEST", "TRAIN", "VALIDATION", "Split", "assign"]

TRAIN: Final = 0
VALIDATION: Final = 1
TEST: Final = 2

Part = TypeVar("Part", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Generic[Part]):
    """A dataset in parts; unpacks into train and validation, and test where one was asked for."""

    train: Part
    validation: Part
    test: Part | None
    leakage: OverlapReport
    """Proof that the parts are apart: held-out rows that are like a row of another part (none, unless
    `by` kept them together otherwise)."""

    def __iter__(self) -> Iterator[Part]:
        yield self.train
        yield self.validation
        if self.test is not None:
            yield self.test


class _Group(NamedTuple):
    """Rows that must stay together."""

    draw: bytes
    """Where the group lies between the two ends, as a big-endian number."""
    keys: tuple[bytes, ...]
    rows: tuple[int, ...]
    stratum: str


def assign(
    groups: Sequence[int],
    keys: Sequence[bytes],
    *,
    validation: float,
    test: float = 0.0,
    seed: int = 0,
    strata: Sequence[str] | None = None,
) -> list[int]:
    """Choose the part of every row: `TRAIN`, `VALIDATION` or `TEST`.

    Each part that was asked for gets at least one group as long as there are enough groups; training comes
    first, then validation.

    Args:
        groups: Per row the group that it belongs to; rows of a group stay together.
        keys: Per row bytes that identify its content. A group goes by its smallest key.
        validation: Share of the rows to hold out for validation, 0 for none.
        test: Share of the rows to hold out for testing, 0 for none.
        seed: Another seed gives another draw.
        strata: Per row a class whose share should be the same in all parts. A group counts for the class
            that most of its rows have. Each class is divided for itself, so added rows of one class move
            rows of another only by the one row that rounding may shift.

    Raises:
        ValueError: A share is negative or the shares leave nothing to train on, or the sequences differ in
            length.
    """
    _check_shares(validation=validation, test=test)
    if len(keys) != len(groups) or (strata is not None and len(strata) != len(groups)):
        raise ValueError("groups, keys and strata must have one entry per row")
    left = _draw(groups, keys, seed=seed, strata=strata or [""] * len(groups))
    sizes = Counter(strata or [""] * len(groups))
    parts = [TRAIN] * len(groups)
    for part, share, needed_later in ((VALIDATION, validation, test > 0), (TEST, test, False)):
        # Validation takes from the far end and test from the near one, so that both borders are with
        # training.
        left.reverse()
        spare = len(left) - 1
        chosen = _choose(left, sizes, share, at_most=max(spare - needed_later, min(spare, 1)))
        for row in (row for group in chosen for row in group.rows):
            parts[row] = part
        taken = {group.rows for group in chosen}
        left = [group for group in left if group.rows not in taken]
    return parts


def _check_shares(*, validation: float, test: float) -> None:
    for name, share in (("validation", validation), ("test", test)):
        if not 0 <= share < 1:
            raise ValueError(f"{name} must be a share of the rows from 0 to below 1, got {share!r}")
    if validation + test >= 1:
        raise ValueError(
            f"validation={validation!r} and test={test!r} leave nothing to train on; "
            "together they must be below 1"
        )


def _draw(
    groups: Sequence[int], keys: Sequence[bytes], *, seed: int, strata: Sequence[str]
) -> list[_Group]:
    """Return the groups in the order of their draws."""
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    drawn: list[_Group] = []
    for rows in members.values():
        own = sorted(keys[row] for row in rows)
        # The further keys break ties between groups that start with equal ones.
        digest = blake2b(b"%d:" % seed + own[0], digest_size=16).digest()
        drawn.append(
            _Group(digest, tuple(own), tuple(rows), _commonest(strata[row] for row in rows))
        )
    return sorted(drawn)


def _commonest(strata: Iterable[str]) -> str:
    counts = Counter(strata)
    return min(counts, key=lambda stratum: (-counts[stratum], stratum))


def _choose(
    groups: Sequence[_Group], sizes: Mapping[str, int], share: float, *, at_most: int
) -> list[_Group]:
    """Take groups from the front until every stratum has its share, and one group at least."""
    if share == 0 or at_most <= 0:
        return []
    needed = _quotas(sizes, share)
    chosen: list[_Group] = []
    for group in groups:
        if len(group.rows) <= needed[group.stratum] and len(chosen) < at_most:
            needed[group.stratum] -= len(group.rows)
            chosen.append(group)
    return chosen or [min(groups, key=lambda group: len(group.rows))]


def _quotas(sizes: Mapping[str, int], share: float) -> dict[str, int]:
    """Divide a share of all rows among the strata: whole rows, the largest fractions rounded up."""
    exact = {stratum: share * size for stratum, size in sizes.items()}
    quotas = {stratum: int(rows) for stratum, rows in exact.items()}
    missing = int(share * sum(sizes.values()) + 0.5) - sum(quotas.values())
    by_fraction = sorted(exact, key=lambda stratum: (quotas[stratum] - exact[stratum], stratum))
    for stratum in by_fraction[:missing]:
        quotas[stratum] += 1
    return quotas
