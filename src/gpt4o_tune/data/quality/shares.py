"""Which values occur how often, and in which rows."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

__all__ = ["Share", "Shares"]

_MOST_VALUES = 10_000
_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A value and the rows that have it."""

    value: str
    rows: tuple[int, ...]
    """Row numbers in ascending order; a row stands here once for each time it has the value."""

    @property
    def count(self) -> int:
        """How often the value occurs."""
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Values by how often they occur, the commonest first."""

    total: int
    """Values that were counted."""
    distinct: int
    """Different ones; at least so many where not `is_complete`."""
    top: tuple[Share, ...]
    """The commonest."""
    rest: int
    """Values that are not among the commonest."""
    entropy_bits: float
    """Shannon entropy of the values; those that were dropped count as one each."""
    is_complete: bool
    """Whether every value was kept while counting; else some rare ones were dropped on the way."""

    def share(self, value: str) -> float:
        """Return the share of a value among all; 0 where it is not one of the commonest."""
        return next((self.part(each) for each in self.top if each.value == value), 0.0)

    def part(self, share: Share) -> float:
        """Return what one of the commonest makes of all values."""
        return share.count / self.total if self.total else 0.0

    @property
    def balance(self) -> float:
        """Entropy as a share of the most that so many different values can have; 1 is even."""
        return self.entropy_bits / math.log2(self.distinct) if self.distinct > 1 else 1.0

    def to_dict(self) -> dict[str, object]:
        """Return counts and shares as plain values."""
        return {
            "total": self.total,
            "distinct": self.distinct,
            "is_complete": self.is_complete,
            "entropy_bits": self.entropy_bits,
            "top": [
                {"value": each.value, "count": each.count, "share": self.part(each)}
                for each in self.top
            ],
            "rest": self.rest,
        }


class Tally:
    """Counts values while rows pass by, with a cap on how many different ones are kept."""

    def __init__(self, *, most_values: int = _MOST_VALUES) -> None:
        self._most = most_values
        self._rows: dict[str, array[int]] = {}
        self._dropped_values = 0
        self._dropped_times = 0

    def add(self, value: str, row: int) -> None:
        """Count a value of a row."""
        rows = self._rows.get(value)
        if rows is None:
            if len(self._rows) >= self._most:
                self._drop_rare_ones()
            rows = self._rows[value] = array("Q")
        rows.append(row)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def is_complete(self) -> bool:
        """Whether no value had to be dropped."""
        return not self._dropped_values

    @property
    def total(self) -> int:
        """How many values were added."""
        return self._dropped_times + sum(map(len, self._rows.values()))

    def shares(self, *, shown: int = _SHOWN) -> Shares:
        """Rank what was counted."""
        ranked = sorted(self._rows.items(), key=lambda item: (-len(item[1]), item[0]))
        total = self.total
        counts = [len(rows) for _, rows in ranked] + [1] * self._dropped_times
        entropy = sum(-n / total * math.log2(n / total) for n in counts) if total else 0.0
        top = tuple(Share(value=value, rows=tuple(rows)) for value, rows in ranked[:shown])
        return Shares(
            total=total,
            distinct=len(ranked) + self._dropped_values,
            top=top,
            rest=total - sum(each.count for each in top),
            entropy_bits=max(0.0, entropy),
            is_complete=self.is_complete,
        )

    def _drop_rare_ones(self) -> None:
        """Keep the commonest half; of equally common ones those that came first."""
        ranked = sorted(self._rows, key=lambda value: -len(self._rows[value]))
        for value in ranked[self._most // 2 :]:
            self._dropped_values += 1
            self._dropped_times += len(self._rows.pop(value))
