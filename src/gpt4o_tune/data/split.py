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

from array import array
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Final, Generic, TypeVar

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
    check_shares(validation=validation, test=test)
    if len(keys) != len(groups) or (strata is not None and len(strata) != len(groups)):
        raise ValueError("groups, keys and strata must have one entry per row")
    drawn = _Draw(groups, keys, seed=seed, strata=strata)
    sizes = Counter(strata) if strata else {"": len(groups)}
    parts = [TRAIN] * len(groups)
    left = drawn.order
    for part, share, needed_later in ((VALIDATION, validation, test > 0), (TEST, test, False)):
        # Validation takes from the far end and test from the near one, so that both borders are with
        # training.
        left = left[::-1]
        spare = len(left) - 1
        at_most = max(spare - needed_later, min(spare, 1))
        chosen = drawn.choose(left, _quotas(sizes, share), at_most=at_most if share else 0)
        for row in chain.from_iterable(map(drawn.rows, chosen)):
            parts[row] = part
        left = [lead for lead in left if parts[lead] == TRAIN]
    return parts


class _Draw:
    """Groups in the order of their draws; a group goes by its first row."""

    def __init__(
        self,
        groups: Sequence[int],
        keys: Sequence[bytes],
        *,
        seed: int,
        strata: Sequence[str] | None,
    ) -> None:
        self._keys = keys
        self._strata = strata
        self._several: dict[int, list[int]] = {}
        """Rows of the groups of two and more."""
        first: dict[int, int] = {}
        for row, group in enumerate(groups):
            if (lead := first.setdefault(group, row)) != row:
                self._several.setdefault(lead, [lead]).append(row)
        # Where a group lies between the two ends, as whole numbers.
        draws = array("Q", bytes(8 * len(groups)))
        for lead in first.values():
            key = min(map(keys.__getitem__, self.rows(lead)))
            digest = blake2b(b"%d:" % seed + key, digest_size=8).digest()
            draws[lead] = int.from_bytes(digest)
        self.order = sorted(first.values(), key=draws.__getitem__)
        self._break_ties(draws)

    def rows(self, lead: int) -> Sequence[int]:
        """Return the rows of a group."""
        return self._several.get(lead) or (lead,)

    def choose(self, leads: Sequence[int], needed: dict[str, int], *, at_most: int) -> list[int]:
        """Take groups from the front until every stratum has what it needs, and one group at least."""
        if at_most <= 0:
            return []
        missing = sum(needed.values())
        chosen: list[int] = []
        for lead in leads:
            if missing <= 0 or len(chosen) >= at_most:
                break
            size, stratum = len(self.rows(lead)), self._stratum(lead)
            if size <= needed[stratum]:
                needed[stratum] -= size
                missing -= size
                chosen.append(lead)
        return chosen or [min(leads, key=lambda lead: len(self.rows(lead)))]

    def _stratum(self, lead: int) -> str:
        if self._strata is None:
            return ""
        return _commonest(map(self._strata.__getitem__, self.rows(lead)))

    def _break_ties(self, draws: array[int]) -> None:
        """Put groups that start with equal keys in the order of their further keys."""
        order = self.order
        tied = [at for at in range(1, len(order)) if draws[order[at - 1]] == draws[order[at]]]
        if tied:
            keys = self._keys
            order.sort(
                key=lambda lead: (draws[lead], sorted(map(keys.__getitem__, self.rows(lead))))
            )


def check_shares(*, validation: float, test: float) -> None:
    """Raise `ValueError` where a share is out of range or the shares leave nothing to train on."""
    for name, share in (("validation", validation), ("test", test)):
        if not 0 <= share < 1:
            raise ValueError(f"{name} must be a share of the rows from 0 to below 1, got {share!r}")
    if validation + test >= 1:
        raise ValueError(
            f"validation={validation!r} and test={test!r} leave nothing to train on; "
            "together they must be below 1"
        )


def _commonest(strata: Iterable[str]) -> str:
    counts = Counter(strata)
    return min(counts, key=lambda stratum: (-counts[stratum], stratum))


def _quotas(sizes: Mapping[str, int], share: float) -> dict[str, int]:
    """Divide a share of all rows among the strata: whole rows, the largest fractions rounded up."""
    exact = {stratum: share * size for stratum, size in sizes.items()}
    quotas = {stratum: int(rows) for stratum, rows in exact.items()}
    missing = int(share * sum(sizes.values()) + 0.5) - sum(quotas.values())
    by_fraction = sorted(exact, key=lambda stratum: (quotas[stratum] - exact[stratum], stratum))
    for stratum in by_fraction[:missing]:
        quotas[stratum] += 1
    return quotas
