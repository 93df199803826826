"""Labels: answers that are few and short, or the fields of answers that are JSON objects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.data import _turns
from gpt4o_tune.data.quality.shares import Shares, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Labels"]

_MAX_LABEL_CHARS = 80
_MIN_SHORT_SHARE = 0.95
_MAX_LABELS = 200
_MAX_FIELDS = 40
_MAX_DISTINCT_SHARE = 0.2
"""Distinct labels per row: where every other answer is new, answers are no labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The classes that the answers of a dataset fall into, under one name."""

    name: str
    """`answer`; `answer.KEY` for a field of JSON answers; or `label`, where the caller gave it."""
    shares: Shares

    @property
    def imbalance(self) -> float:
        """How many times as many rows the commonest label has as the rarest that is listed."""
        top = self.shares.top
        return top[0].count / top[-1].count if top else 1.0

    def to_dict(self) -> dict[str, object]:
        """Return the figures as plain values."""
        return {
            "name": self.name,
            "imbalance": self.imbalance,
            "balance": self.shares.balance,
            **self.shares.to_dict(),
        }


class LabelCollector:
    """Watches whether answers are labels, and counts them if so."""

    def __init__(self) -> None:
        self._seen = 0
        self._plain = Tally()
        self._fields: dict[str, Tally] = {}

    def add(self, row: int, answer: str) -> None:
        """Look at the answer of a row."""
        self._seen += 1
        fields = _scalars(answer)
        for key, value in fields:
            if key in self._fields or len(self._fields) < _MAX_FIELDS:
                self._fields.setdefault(key, Tally()).add(value, row)
        if not fields and 0 < len(answer.strip()) <= _MAX_LABEL_CHARS:
            self._plain.add(answer.strip(), row)

    def result(self) -> tuple[Labels, ...]:
        """Return what turned out to be labels: found in nearly all rows, and few different ones."""
        named = [("answer", self._plain)]
        named += [(f"answer.{key}", tally) for key, tally in self._fields.items()]
        return tuple(
            labels_of(name, tally)
            for name, tally in named
            if tally.total >= _MIN_SHORT_SHARE * self._seen and self._are_few(tally)
        )

    def _are_few(self, tally: Tally) -> bool:
        most = min(_MAX_LABELS, max(2, _MAX_DISTINCT_SHARE * self._seen))
        return tally.is_complete and 0 < len(tally) <= most


def labels_of(name: str, tally: Tally) -> Labels:
    """Rank the labels of a tally; all of them are listed."""
    return Labels(name=name, shares=tally.shares(shown=_MAX_LABELS))


def labels_given(values: Iterable[object]) -> Labels:
    """Count what the caller names as the label of each row."""
    tally = Tally()
    for row, value in enumerate(values):
        tally.add(value if isinstance(value, str) else _written(value), row)
    return labels_of("label", tally)


def _scalars(answer: str) -> list[tuple[str, str]]:
    """Return the plain fields of an answer that is a JSON object."""
    if not answer.lstrip().startswith("{"):
        return []
    try:
        fields = _turns.mapping(json.loads(answer))
    except (ValueError, RecursionError):
        return []
    return [
        (key, value if isinstance(value, str) else json.dumps(value))
        for key, value in fields.items()
        if isinstance(value, str | int | float | bool | None)
        and not (isinstance(value, str) and len(value) > _MAX_LABEL_CHARS)
    ]


def _written(value: object) -> str:
    try:
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    except TypeError:
        return repr(value)
