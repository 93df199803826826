"""Answers that are to be one of a set of labels."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.evaluation.graders.grader import Grade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpt4o_tune.evaluation.graders.grader import Item, Sample

__all__ = ["Label"]


@dataclass(frozen=True, kw_only=True)
class Label:
    """Right where the answer is the label that the reference answer is.

    `Label().read(text)` gives the label that stands in an answer, ready for `confusion`.
    """

    labels: Sequence[str] | None = None
    """All labels there are; an answer that is none of them is wrong with a reason. None takes any text."""

    normalised: bool = True
    """Ignore capitals, forms of one character, white space, and punctuation or quotes at the ends."""

    def __post_init__(self) -> None:
        if self.labels is None:
            return
        if isinstance(self.labels, str) or not self.labels:
            raise ValueError(f"labels must be None or a list of labels, got {self.labels!r}")
        if len({self._normal(label) for label in self.labels}) < len(self.labels):
            raise ValueError("two of the labels are the same once normalised; keep one of them")

    @property
    def name(self) -> str:
        """Short name for tables."""
        return "label"

    def read(self, text: str) -> str | None:
        """Give the label that a text is, as it stands in `labels`; None where it is none of them."""
        given = self._normal(text)
        if self.labels is None:
            return given
        return next((label for label in self.labels if self._normal(label) == given), None)

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Compare the label in the answer with that in the reference answer.

        Raises:
            ValueError: The reference answer is none of the labels.
        """
        wanted, given = self.read(item.reference), self.read(sample.output_text)
        if wanted is None:
            raise ValueError(f"the reference answer {item.reference[:60]!r} is none of the labels")
        if given is None:
            return Grade(0.0, passed=False, reason=f"{sample.output_text[:60]!r} is no label")
        if given == wanted:
            return Grade(1.0, passed=True)
        return Grade(0.0, passed=False, reason=f"{given!r} in place of {wanted!r}")

    def _normal(self, text: str) -> str:
        return _normal_label(text) if self.normalised else text


def _normal_label(text: str) -> str:
    """Fold capitals and forms of one character, and strip white space and punctuation at the ends.

    A text of nothing but punctuation, such as `?!`, stays as it is.
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    start, end = 0, len(folded)
    while start < end and _is_edge(folded[start]):
        start += 1
    while end > start and _is_edge(folded[end - 1]):
        end -= 1
    return folded[start:end] or folded


def _is_edge(char: str) -> bool:
    return char == " " or unicodedata.category(char).startswith("P") or char == "`"
