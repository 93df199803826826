"""From answers and judgements to what each pair of candidates shows, before the verdicts are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.errors import DatasetError, GraderError
from gpt4o_tune.evaluation._cautions import name_rows
from gpt4o_tune.evaluation.answers import result
from gpt4o_tune.evaluation.difference import pairs
from gpt4o_tune.evaluation.graders import Case, Grade, Sample

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from gpt4o_tune.evaluation.answers import Answer, CandidateResult, Measure
    from gpt4o_tune.evaluation.difference import Pair
    from gpt4o_tune.evaluation.graders import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all candidates and graders of a comparison share."""

    items: tuple[Item, ...]
    baseline: str
    seen: Mapping[int, str]
    groups: tuple[Hashable, ...] | None
    confidence: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """What one grader found."""

    grader: str
    measure: Measure
    results: Mapping[str, CandidateResult]
    pairs: tuple[Pair, ...]
    """Each other candidate against the baseline."""


def grouped(groups: Sequence[Hashable] | None, rows: int) -> tuple[Hashable, ...] | None:
    """Make sure that there is a group for every row, and more than one in all.

    Raises:
        ValueError: There is not one group per row.
        DatasetError: All rows are of one group.
    """
    if groups is None:
        return None
    if len(groups) != rows:
        raise ValueError(f"there are {len(groups)} groups for {rows} rows; give one per row")
    if len(set(groups)) < 2:
        raise DatasetError(
            "all rows are of one group, and how much groups vary cannot be seen from one; take rows of"
            " more groups, or leave the groups out if rows are independent"
        )
    return tuple(groups)


def require_fit(candidates: Mapping[str, Sequence[Answer]], baseline: str, rows: int) -> None:
    """Make sure that the baseline is there and every candidate has one answer per row.

    Raises:
        ValueError: It is not so.
    """
    if baseline not in candidates:
        names = ", ".join(map(repr, candidates)) or "none"
        raise ValueError(f"the baseline {baseline!r} is not among the candidates: {names}")
    for name, answers in candidates.items():
        if len(answers) != rows:
            raise ValueError(
                f"{name!r} has {len(answers)} answers for {rows} rows; give one per row, with an"
                " error in place of the text where the call failed"
            )


def cases(answers: Sequence[Answer], items: Sequence[Item]) -> list[Case]:
    """Give what is to be judged: the answers that there are."""
    return [
        Case(Sample(answer.text), item)
        for answer, item in zip(answers, items, strict=True)
        if answer.text is not None
    ]


def graded(
    setting: Setting,
    name: str,
    candidates: Mapping[str, Sequence[Answer]],
    outcomes: Mapping[str, Sequence[Grade | GraderError]],
    *,
    measure: Measure | None,
) -> Graded:
    """Put the judgements of one grader together.

    Args:
        setting: What is compared on.
        name: The grader's name.
        candidates: All answers, by candidate.
        outcomes: The judgements of `cases`, by candidate.
        measure: What to compare; None takes the share of right answers where the grader says yes or no.
    """
    grades = {
        candidate: _grades(answers, outcomes[candidate])
        for candidate, answers in candidates.items()
    }
    measure = _settle_measure(measure, grades.values(), name)
    results = {
        candidate: result(
            candidate,
            answers,
            grades[candidate],
            measure=measure,
            confidence=setting.confidence,
            groups=setting.groups,
        )
        for candidate, answers in candidates.items()
    }
    found = pairs(
        [each for candidate, each in results.items() if candidate != setting.baseline],
        results[setting.baseline],
        measure=measure,
        confidence=setting.confidence,
        seed=setting.seed,
        groups=setting.groups,
    )
    return Graded(grader=name, measure=measure, results=results, pairs=found)


def fault_message(faults: Mapping[int, str]) -> str:
    """Name the rows that cannot be compared, by reason."""
    by_reason: dict[str, list[int]] = {}
    for row, reason in faults.items():
        by_reason.setdefault(reason, []).append(row)
    lines = [f"  {name_rows(rows)}: {reason}" for reason, rows in by_reason.items()]
    shown, more = lines[:10], len(lines) - 10
    ending = [f"  and {more} further reasons"] if more > 0 else []
    return "\n".join(
        [
            f"{len(faults)} rows cannot be compared; leave them out or give each a reference answer"
            " (rows are counted from 0):",
            *shown,
            *ending,
        ]
    )


def _grades(answers: Sequence[Answer], outcomes: Sequence[Grade | GraderError]) -> list[Grade]:
    given = [row for row, answer in enumerate(answers) if answer.text is not None]
    judged = dict(zip(given, outcomes, strict=True))
    faults = {row: each for row, each in judged.items() if isinstance(each, GraderError)}
    unfit = {row: str(fault) for row, fault in faults.items() if fault.code == "grader_failed"}
    if unfit:
        raise DatasetError(fault_message(unfit))
    if faults and len(faults) == len(given):
        raise next(iter(faults.values()))
    return [_settled(judged.get(row), answer) for row, answer in enumerate(answers)]


def _settled(outcome: Grade | GraderError | None, answer: Answer) -> Grade:
    if outcome is None:
        return Grade(0.0, passed=False, reason=f"no answer: {answer.error}")
    if isinstance(outcome, GraderError):
        # The answer was paid for, and so were the judgements of the others.
        return Grade(0.0, passed=False, reason=f"not judged: {outcome}", fault=outcome.code)
    return outcome


def _settle_measure(
    measure: Measure | None, grades: Iterable[Sequence[Grade]], grader: str
) -> Measure:
    by_degrees = any(grade.passed is None for judged in grades for grade in judged)
    if measure == "accuracy" and by_degrees:
        raise ValueError(
            f"the grader {grader!r} does not say yes or no; compare by measure='score'"
        )
    return measure or ("score" if by_degrees else "accuracy")
