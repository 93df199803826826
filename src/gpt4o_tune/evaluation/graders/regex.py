"""Answers that are to match a regular expression."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.evaluation.graders.grader import Grade

if TYPE_CHECKING:
    from gpt4o_tune.evaluation.graders.grader import Item, Sample

__all__ = ["Regex"]


@dataclass(frozen=True)
class Regex:
    """Right where the answer matches a pattern of Python's `re`.

    Raises:
        ValueError: The pattern is not valid.
    """

    pattern: str
    whole: bool = False
    """The whole answer must match, not only a part of it."""

    wanted: bool = True
    """False turns it round: right where nothing matches."""

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as fault:
            raise ValueError(f"{self.pattern!r} is no regular expression: {fault}") from fault

    @property
    def name(self) -> str:
        """Short name for tables."""
        return "regex"

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Look for the pattern; the row plays no part."""
        find = re.fullmatch if self.whole else re.search
        found = find(self.pattern, sample.output_text)
        if (found is not None) is self.wanted:
            return Grade(1.0, passed=True)
        reason = f"does not match {self.pattern!r}" if found is None else f"holds {found[0][:60]!r}"
        return Grade(0.0, passed=False, reason=reason)
