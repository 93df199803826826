"""Several candidates over the same rows: who is right, who is better, and is that certain?

Everything here works on answers that are already there; nothing is asked of a provider.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from gpt4o_tune._display import html_text
from gpt4o_tune.errors import DatasetError, GraderError
from gpt4o_tune.evaluation import _report
from gpt4o_tune.evaluation._cautions import cautions, name_rows
from gpt4o_tune.evaluation.answers import Answer, CandidateResult, Measure, result
from gpt4o_tune.evaluation.difference import Difference, differences
from gpt4o_tune.evaluation.graders import (
    Case,
    EquippedGrader,
    ExactMatch,
    Grade,
    Grader,
    Item,
    Sample,
)
from gpt4o_tune.evaluation.graders.grading import grade_each
from gpt4o_tune.evaluation.graders.template_check import report
from gpt4o_tune.evaluation.prompts import SplitRow, split_row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["Comparison", "Disagreement", "SeenRows", "comparable", "compare"]


class SeenRows(Protocol):
    """Which rows also stand in the training set, as the overlap report of two datasets says."""

    @property
    def rows(self) -> Collection[int]:
        """Row numbers, counted from 0."""
        ...

    @property
    def kind(self) -> Mapping[int, str]:
        """How each of them stands there: exact, near or contained."""
        ...


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A row on which the candidates were graded differently."""

    row: int
    """Row number, counted from 0."""

    reference: str
    answers: Mapping[str, Answer]
    """By candidate."""

    grades: Mapping[str, Grade]
    """By candidate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Several candidates over the same rows, paired row by row."""

    references: tuple[str, ...]
    """The reference answer of each row."""

    grader: str
    measure: Measure
    confidence: float
    baseline: str
    candidates: Mapping[str, CandidateResult]
    """By name, in the order given."""

    differences: Mapping[str, Difference]
    """Against the baseline, by the name of each other candidate."""

    seen: Mapping[int, str]
    """Row numbers that also stand in the training set, with how: exact, near or contained."""

    warnings: tuple[str, ...]
    """What speaks against trusting the figures: few rows, failed calls, seen rows."""

    @property
    def verdict(self) -> str:
        """One sentence for each candidate against the baseline, a line each."""
        return "\n".join(each.verdict for each in self.differences.values())

    @property
    def disagreements(self) -> tuple[Disagreement, ...]:
        """The rows on which the candidates were graded differently, with all answers."""
        names = list(self.candidates)
        answers = zip(*(each.answers for each in self.candidates.values()), strict=True)
        grades = zip(*(each.grades for each in self.candidates.values()), strict=True)
        return tuple(
            Disagreement(
                row,
                reference,
                dict(zip(names, given, strict=True)),
                dict(zip(names, judged, strict=True)),
            )
            for row, (reference, given, judged) in enumerate(
                zip(self.references, answers, grades, strict=True)
            )
            if len({(grade.score, grade.passed) for grade in judged}) > 1
        )

    @property
    def failures(self) -> Mapping[str, Mapping[int, str]]:
        """The error of each failed call, by candidate and row number."""
        return {
            name: {row: each.answers[row].error or "" for row in each.failed}
            for name, each in self.candidates.items()
            if each.failed
        }

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes, answers included."""
        return {
            "rows": len(self.references),
            "grader": self.grader,
            "measure": self.measure,
            "confidence": self.confidence,
            "baseline": self.baseline,
            "candidates": {
                name: _report.candidate_values(each) for name, each in self.candidates.items()
            },
            "differences": {name: asdict(each) for name, each in self.differences.items()},
            "seen": {str(row): kind for row, kind in self.seen.items()},
            "warnings": list(self.warnings),
            "references": list(self.references),
        }

    def __str__(self) -> str:
        return _report.text(self)

    def _repr_html_(self) -> str:
        return html_text(_report.text(self))


def comparable(
    rows: Iterable[Mapping[str, object]],
    *,
    grader: Grader | None = None,
    overlap: SeenRows | None = None,
    allow_seen: bool = False,
) -> tuple[SplitRow, ...]:
    """Split every row into prompt and reference, or refuse: to be called before any answer is paid for.

    Args:
        rows: Chat or preference rows as parsed from their lines.
        grader: Its templates are held against the rows, and it is tried on each reference answer unless that
            would ask a model or run a program, so that what it cannot read is found.
        overlap: Which of the rows also stand in the training set.
        allow_seen: Accept rows that also stand in the training set.

    Raises:
        DatasetError: There are no rows, rows without a reference answer or what the grader reads, or seen
            rows.
    """
    parsed = list(rows)
    if not parsed:
        raise DatasetError("there are no rows to compare on")
    if overlap is not None and overlap.rows and not allow_seen:
        raise DatasetError(_seen_message(overlap, len(parsed)))
    judge = grader.grader if isinstance(grader, EquippedGrader) else grader
    report(judge, parsed, is_json_sure=True).raise_for_problems()
    split: list[SplitRow] = []
    faults: dict[int, str] = {}
    for number, row in enumerate(parsed):
        try:
            pair = split_row(row)
            # An equipped grader asks a model or runs a program, which is nothing to do on trial.
            if grader is not None and not isinstance(grader, EquippedGrader):
                _try(grader, pair.reference, row)
        except DatasetError as fault:
            faults[number] = str(fault)
        else:
            split.append(pair)
    if faults:
        raise DatasetError(_fault_message(faults))
    return tuple(split)


def compare(
    rows: Iterable[Mapping[str, object]],
    candidates: Mapping[str, Sequence[Answer]],
    *,
    baseline: str,
    grader: Grader | None = None,
    measure: Measure | None = None,
    overlap: SeenRows | None = None,
    allow_seen: bool = False,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Grade every candidate's answers to the same rows and compare each candidate with the baseline.

    Failed calls count as wrong, are listed in `failures`, and draw a warning. So do answers that a grader
    which asks a model or runs a program could not judge.

    Args:
        rows: Chat or preference rows; the last assistant message of each is the reference answer.
        candidates: Answers by the name of who gave them, one per row in the order of the rows.
        baseline: The name of the candidate that the others are held against.
        grader: Judge of one answer; `ExactMatch()` where none is given.
        measure: Compare the share of right answers, or the mean score. Where not given: the share, unless
            the grader knows only degrees.
        overlap: Which of the rows also stand in the training set.
        allow_seen: Compare although rows also stand in the training set; the result says so.
        confidence: Two-sided confidence level of every interval; one minus the level of every test.
        seed: Seed of the resampling, which only mean scores need.

    Raises:
        DatasetError: There are no rows, rows without a reference answer, or seen rows.
        GraderError: The grader needs something that `equip` gives, or could judge no answer at all.
        ValueError: The answers do not fit the rows, the baseline is none of the candidates, or shares
            were asked of a grader that knows only degrees.
    """
    parsed = list(rows)
    pairs = comparable(parsed, overlap=overlap, allow_seen=allow_seen)
    _require_fit(candidates, baseline, len(parsed))
    grader = grader or ExactMatch()
    items = [Item(pair.reference, row) for pair, row in zip(pairs, parsed, strict=True)]
    grades = {name: _grades(grader, answers, items) for name, answers in candidates.items()}
    measure = _settle_measure(measure, grades.values(), grader)
    results = {
        name: result(name, answers, grades[name], measure=measure, confidence=confidence, seed=seed)
        for name, answers in candidates.items()
    }
    others = [each for name, each in results.items() if name != baseline]
    found = differences(
        others, results[baseline], measure=measure, confidence=confidence, seed=seed
    )
    seen = {row: overlap.kind.get(row, "seen") for row in sorted(overlap.rows)} if overlap else {}
    return Comparison(
        references=tuple(pair.reference for pair in pairs),
        grader=grader.name,
        measure=measure,
        confidence=confidence,
        baseline=baseline,
        candidates=results,
        differences={each.candidate: each for each in found},
        seen=seen,
        warnings=cautions(results, found, measure=measure, seen=tuple(seen)),
    )


def _try(grader: Grader, reference: str, row: Mapping[str, object]) -> None:
    """Let the grader judge the reference answer itself."""
    try:
        grader.grade(Sample(reference), Item(reference, row))
    except ValueError as fault:
        raise DatasetError(f"{grader.name!r} cannot judge it: {fault}") from fault


def _grades(grader: Grader, answers: Sequence[Answer], items: Sequence[Item]) -> list[Grade]:
    """Judge all answers in one go, so that a model is asked several at a time and a program starts once."""
    given = {row: answer.text for row, answer in enumerate(answers) if answer.text is not None}
    outcomes = dict(
        zip(
            given,
            grade_each(grader, [Case(Sample(given[row]), items[row]) for row in given]),
            strict=True,
        )
    )
    faults = {row: each for row, each in outcomes.items() if isinstance(each, GraderError)}
    unfit = {row: str(fault) for row, fault in faults.items() if fault.code == "grader_failed"}
    if unfit:
        raise DatasetError(_fault_message(unfit))
    if faults and len(faults) == len(given):
        raise next(iter(faults.values()))
    return [_settled(outcomes.get(row), answer) for row, answer in enumerate(answers)]


def _settled(outcome: Grade | GraderError | None, answer: Answer) -> Grade:
    if outcome is None:
        return Grade(0.0, passed=False, reason=f"no answer: {answer.error}")
    if isinstance(outcome, GraderError):
        # The answer was paid for, and so were the judgements of the others.
        return Grade(0.0, passed=False, reason=f"not judged: {outcome}", fault=outcome.code)
    return outcome


def _settle_measure(
    measure: Measure | None, grades: Iterable[Sequence[Grade]], grader: Grader
) -> Measure:
    by_degrees = any(grade.passed is None for judged in grades for grade in judged)
    if measure == "accuracy" and by_degrees:
        raise ValueError(
            f"the grader {grader.name!r} does not say yes or no; compare by measure='score'"
        )
    return measure or ("score" if by_degrees else "accuracy")


def _require_fit(candidates: Mapping[str, Sequence[Answer]], baseline: str, rows: int) -> None:
    if baseline not in candidates:
        names = ", ".join(map(repr, candidates)) or "none"
        raise ValueError(f"the baseline {baseline!r} is not among the candidates: {names}")
    for name, answers in candidates.items():
        if len(answers) != rows:
            raise ValueError(
                f"{name!r} has {len(answers)} answers for {rows} rows; give one per row, with an"
                " error in place of the text where the call failed"
            )


def _seen_message(overlap: SeenRows, rows: int) -> str:
    return (
        f"{len(overlap.rows)} of {rows} rows also stand in the training set"
        f" ({name_rows(overlap.rows)}), so they cannot show how a model does on new inputs. Leave"
        " them out, or pass allow_seen=True for a result that is labelled so."
    )


def _fault_message(faults: Mapping[int, str]) -> str:
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
