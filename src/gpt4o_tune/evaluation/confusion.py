"""Which labels are taken for which: the confusion matrix, with precision, recall and F1 of each."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gpt4o_tune._display import html_table, plural, shorten, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["ClassScores", "ConfusionMatrix", "confusion"]

_TITLE_COLUMNS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """How well one label is told from the others. A share of nothing is 0, as usual for F1."""

    label: str
    precision: float
    """Share of the answers with this label that are right."""

    recall: float
    """Share of the rows that should have this label, and do."""

    f1: float
    """Harmonic mean of precision and recall."""

    support: int
    """Rows that should have this label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionMatrix:
    """Counts of rows by the label that was wanted and the label that was given."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """A row for each wanted label, with a column for each given one, and last a column of answers that are
    none of the labels."""

    @property
    def rows(self) -> int:
        """How many answers were counted."""
        return sum(map(sum, self.counts))

    @property
    def accuracy(self) -> float:
        """Share of answers with the wanted label."""
        return sum(self.counts[place][place] for place in range(len(self.labels))) / self.rows

    @property
    def classes(self) -> Mapping[str, ClassScores]:
        """Precision, recall and F1 of each label."""
        return {label: self._scores(place) for place, label in enumerate(self.labels)}

    @property
    def macro_f1(self) -> float:
        """Mean of F1 over the labels, each counted alike however rare."""
        scores = self.classes.values()
        return math.fsum(each.f1 for each in scores) / len(scores)

    def _scores(self, place: int) -> ClassScores:
        right = self.counts[place][place]
        given = sum(row[place] for row in self.counts)
        wanted = sum(self.counts[place])
        return ClassScores(
            label=self.labels[place],
            precision=right / given if given else 0.0,
            recall=right / wanted if wanted else 0.0,
            f1=2 * right / (given + wanted) if given + wanted else 0.0,
            support=wanted,
        )

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes."""
        return {
            "labels": list(self.labels),
            "counts": [list(row) for row in self.counts],
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "classes": {label: asdict(each) for label, each in self.classes.items()},
        }

    def _table(self) -> tuple[list[str], list[list[str]]]:
        has_none = any(row[-1] for row in self.counts)
        given = [*self.labels, *(["no label"] if has_none else [])]
        titles = [shorten(each, _TITLE_COLUMNS) for each in given]
        rows = [
            [
                shorten(label, _TITLE_COLUMNS),
                *map(str, row[: len(given)]),
                f"{scores.precision:.2f}",
                f"{scores.recall:.2f}",
                f"{scores.f1:.2f}",
            ]
            for (label, scores), row in zip(self.classes.items(), self.counts, strict=True)
        ]
        return ["wanted \\ given", *titles, "precision", "recall", "F1"], rows

    def _head(self) -> str:
        return (
            f"{plural(self.rows, 'answer')}: accuracy {self.accuracy:.3f}, macro-F1"
            f" {self.macro_f1:.3f}"
        )

    def __str__(self) -> str:
        headers, rows = self._table()
        align = "<" + ">" * (len(headers) - 1)
        return f"{self._head()}\n\n{table(headers, rows, align=align)}"

    def _repr_html_(self) -> str:
        headers, rows = self._table()
        return f"<p>{self._head()}</p>{html_table(headers, rows)}"


def confusion(
    given: Iterable[str | None], wanted: Iterable[str], *, labels: Sequence[str] | None = None
) -> ConfusionMatrix:
    """Count which label was given where which was wanted.

    Args:
        given: The label of each answer, as `Label.read` finds it; None where it is no label.
        wanted: The label that each row should have, in the same order.
        labels: All labels, in the order of the table; where not given, those that occur, sorted. An answer
            that is none of them counts as no label.

    Raises:
        ValueError: There are no rows, not one answer per row, or a wanted label is none of the labels.
    """
    pairs = list(zip(wanted, given, strict=True))
    if not pairs:
        raise ValueError("there are no answers to count")
    if labels is None:
        labels = sorted({label for pair in pairs for label in pair if label is not None})
    unknown = sorted({label for label, _ in pairs} - set(labels))
    if unknown:
        raise ValueError(
            f"the wanted label {unknown[0]!r} is none of the labels; add it to labels="
        )
    known = set(labels)
    counts = Counter((want, have if have in known else None) for want, have in pairs)
    return ConfusionMatrix(
        labels=tuple(labels),
        counts=tuple(tuple(counts[want, have] for have in [*labels, None]) for want in labels),
    )
