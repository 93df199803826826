"""Grading both sides of a parity against the references, where rows have them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpt4o_tune.errors import DatasetError, GraderError
from gpt4o_tune.evaluation.graders.exact_match import ExactMatch
from gpt4o_tune.evaluation.graders.grader import Case, Grade, Item
from gpt4o_tune.evaluation.graders.grading import grade_each
from gpt4o_tune.evaluation.graders.tool_calls import ToolCallMatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.evaluation.graders.grader import Grader, Sample
    from gpt4o_tune.evaluation.recording import RecordedAnswer, RecordedPrompt

__all__ = ["RowScore", "Scores", "scores"]


@dataclass(frozen=True, slots=True)
class RowScore:
    """What the samples of both sides were graded on one row, in the mean."""

    old: float
    new: float
    reason: str
    """Of the new model's first sample."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The rows that could be graded, and those that could not."""

    grader: str
    rows: Mapping[int, RowScore]
    faults: Mapping[int, str] = field(default_factory=dict[int, str])
    """Rows with a reference that the grader could not judge, and why."""


@dataclass(frozen=True)
class _AsReference:
    """Judges by the reference, whatever it is: tool calls by what they call, text letter for letter."""

    name: str = "the reference answer"

    def grade(self, sample: Sample, item: Item) -> Grade:
        judge = ExactMatch() if item.reference else ToolCallMatch()
        return judge.grade(sample, item)


def scores(
    prompts: Mapping[int, RecordedPrompt],
    answers: Mapping[int, tuple[Sequence[RecordedAnswer], Sequence[RecordedAnswer]]],
    grader: Grader | None,
) -> Scores:
    """Grade every sample against the reference of its row, all in one go.

    A failed call of the new model counts as wrong.

    Args:
        prompts: The rows with a reference, by number.
        answers: The samples of the old and of the new model, by the same numbers.
        grader: The judge; the reference itself where none is given.

    Raises:
        GraderError: The grader could judge no answer at all, or needs something.
        DatasetError: A grader was given, and there are no references.
    """
    if not prompts and grader is not None:
        raise DatasetError(
            "no prompt of the recording has a reference answer, so there is nothing to grade by; record "
            "a dataset whose rows end in one, or leave grader out"
        )
    judge = grader or _AsReference()
    places = [
        (row, side, answer) for row in prompts for side in (0, 1) for answer in answers[row][side]
    ]
    items = {row: Item.from_row(prompt.row) for row, prompt in prompts.items()}
    given = [place for place in places if place[2].error is None]
    outcomes = iter(grade_each(judge, [Case(each.sample, items[row]) for row, _, each in given]))
    marks: dict[tuple[int, int], list[Grade]] = {}
    faults: dict[int, str] = {}
    error: GraderError | None = None
    for row, side, answer in places:
        outcome = next(outcomes) if answer.error is None else _failed(answer)
        if isinstance(outcome, GraderError):
            error = outcome
            faults[row] = str(outcome)
        else:
            marks.setdefault((row, side), []).append(outcome)
    if error is not None and len(faults) == len(prompts):
        raise error
    judged = {
        row: RowScore(_mean(marks[row, 0]), _mean(marks[row, 1]), marks[row, 1][0].reason)
        for row in prompts
        if row not in faults
    }
    return Scores(judge.name, judged, faults)


def _failed(answer: RecordedAnswer) -> Grade:
    return Grade(0.0, passed=False, reason=f"no answer: {answer.error}")


def _mean(grades: Sequence[Grade]) -> float:
    """Give the share that passed; the mean score where the grader knows only degrees."""
    values = [each.score if each.passed is None else float(each.passed) for each in grades]
    return math.fsum(values) / len(values)
