"""Answers that are to be the reference answer itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.evaluation.graders.grader import Grade

if TYPE_CHECKING:
    from gpt4o_tune.evaluation.graders.grader import Item, Sample

__all__ = ["ExactMatch"]


@dataclass(frozen=True, kw_only=True)
class ExactMatch:
    """Right where the answer is the reference answer, letter for letter."""

    strip: bool = True
    """Ignore white space at both ends."""

    casefold: bool = False
    """Ignore the difference between capitals and small letters."""

    @property
    def name(self) -> str:
        """Short name for tables."""
        return "exact match"

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Compare the answer with the reference answer."""
        if self._normal(sample.output_text) == self._normal(item.reference):
            return Grade(1.0, passed=True)
        return Grade(0.0, passed=False, reason="differs from the reference answer")

    def _normal(self, text: str) -> str:
        text = text.strip() if self.strip else text
        return text.casefold() if self.casefold else text
