"""Several candidates over the same rows: who is right, who is better, and is that certain?

Everything here works on answers that are already there; nothing is asked of a provider.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from gpt4o_tune._display import html_text
from gpt4o_tune.errors import DatasetError
from gpt4o_tune.evaluation import _report
from gpt4o_tune.evaluation._cautions import cautions, name_rows
from gpt4o_tune.evaluation._comparing import (
    Graded,
    Setting,
    cases,
    fault_message,
    graded,
    grouped,
    require_fit,
)
from gpt4o_tune.evaluation.difference import Difference, judged
from gpt4o_tune.evaluation.graders import EquippedGrader, ExactMatch, Grade, Grader, Item, Sample
from gpt4o_tune.evaluation.graders.grading import grade_each
from gpt4o_tune.evaluation.graders.template_check import report
from gpt4o_tune.evaluation.prompts import SplitRow, split_row
from gpt4o_tune.evaluation.statistics import holm

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

    from gpt4o_tune.evaluation.answers import Answer, CandidateResult, Measure

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

    groups: tuple[Hashable, ...] | None = None
    """The group of each row, by which errors are clustered; None where rows are independent."""

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
            "groups": None if self.groups is None else [str(group) for group in self.groups],
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
        raise DatasetError(fault_message(faults))
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
    groups: Sequence[Hashable] | None = None,
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
        groups: The group of each row, such as the customer who asked, where rows of a group are alike; errors
            are then clustered by group. None takes every row for independent.
        confidence: Two-sided confidence level of every interval; one minus the level of every test.
        seed: Seed of the resampling, which only mean scores need.

    Raises:
        DatasetError: There are no rows, rows without a reference answer, seen rows, or one group only.
        GraderError: The grader needs something that `equip` gives, or could judge no answer at all.
        ValueError: The answers do not fit the rows, the baseline is none of the candidates, or shares
            were asked of a grader that knows only degrees.
    """
    parsed = list(rows)
    setting = settle(
        parsed,
        baseline=baseline,
        overlap=overlap,
        allow_seen=allow_seen,
        groups=groups,
        confidence=confidence,
        seed=seed,
    )
    require_fit(candidates, baseline, len(parsed))
    grader = grader or ExactMatch()
    # All answers in one go, so that a model is asked several at a time and a program starts once.
    outcomes = {
        name: grade_each(grader, cases(answers, setting.items))
        for name, answers in candidates.items()
    }
    found = graded(setting, grader.name, candidates, outcomes, measure=measure)
    return conclude(setting, found, holm([pair.p for pair in found.pairs]))


def settle(
    rows: Sequence[Mapping[str, object]],
    *,
    baseline: str,
    overlap: SeenRows | None,
    allow_seen: bool,
    groups: Sequence[Hashable] | None,
    confidence: float,
    seed: int,
) -> Setting:
    """Check the rows and keep what all candidates and graders share."""
    split = comparable(rows, overlap=overlap, allow_seen=allow_seen)
    return Setting(
        items=tuple(Item(pair.reference, row) for pair, row in zip(split, rows, strict=True)),
        baseline=baseline,
        seen={row: overlap.kind.get(row, "seen") for row in sorted(overlap.rows)}
        if overlap
        else {},
        groups=grouped(groups, len(rows)),
        confidence=confidence,
        seed=seed,
    )


def conclude(
    setting: Setting, found: Graded, adjusted: Sequence[float], *, comparisons: int | None = None
) -> Comparison:
    """Draw the verdicts.

    Args:
        setting: What was compared on.
        found: What one grader found.
        adjusted: The adjusted p value of each pair.
        comparisons: How many were adjusted together; those of this grader where not given.
    """
    count = len(found.pairs) if comparisons is None else comparisons
    verdicts = [
        judged(pair, p_adjusted, comparisons=count)
        for pair, p_adjusted in zip(found.pairs, adjusted, strict=True)
    ]
    return Comparison(
        references=tuple(item.reference for item in setting.items),
        grader=found.grader,
        measure=found.measure,
        confidence=setting.confidence,
        baseline=setting.baseline,
        candidates=found.results,
        differences={each.candidate: each for each in verdicts},
        groups=setting.groups,
        seen=setting.seen,
        warnings=cautions(
            found.results,
            verdicts,
            measure=found.measure,
            seen=tuple(setting.seen),
            groups=setting.groups,
        ),
    )


def _try(grader: Grader, reference: str, row: Mapping[str, object]) -> None:
    """Let the grader judge the reference answer itself."""
    try:
        grader.grade(Sample(reference), Item(reference, row))
    except ValueError as fault:
        raise DatasetError(f"{grader.name!r} cannot judge it: {fault}") from fault


def _seen_message(overlap: SeenRows, rows: int) -> str:
    return (
        f"{len(overlap.rows)} of {rows} rows also stand in the training set"
        f" ({name_rows(overlap.rows)}), so they cannot show how a model does on new inputs. Leave"
        " them out, or pass allow_seen=True for a result that is labelled so."
    )
