"""Run any grader over many answers, and see the scores with how sure they are."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gpt4o_tune._display import html_text, paragraph, plural, shorten
from gpt4o_tune._drive import run
from gpt4o_tune.errors import DatasetError, GraderError
from gpt4o_tune.evaluation.bootstrap import bootstrap_mean
from gpt4o_tune.evaluation.graders._running import judge_each, judge_one
from gpt4o_tune.evaluation.graders._sandbox import PythonLimits
from gpt4o_tune.evaluation.graders.grader import AssistedGrader, Case, Grade, Grader, Item, Sample
from gpt4o_tune.evaluation.graders.means import Means
from gpt4o_tune.evaluation.graders.template_check import report
from gpt4o_tune.evaluation.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.evaluation.graders.asking import Asker
    from gpt4o_tune.evaluation.statistics import Interval

__all__ = ["EquippedGrader", "Grading", "equip", "grade_all", "grade_all_async"]

_FAULTS_SHOWN = 5
_COLUMNS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """One grader's judgement of many answers, in their order."""

    grader: str
    grades: tuple[Grade | None, ...]
    """None where no judgement came about; `faults` says why."""

    faults: Mapping[int, GraderError]
    """By row number, counted from 0. These rows are left out of the figures below."""

    interval: Interval
    """Around `accuracy`; around `mean_score` where the grader knows only degrees."""

    @property
    def scores(self) -> tuple[float, ...]:
        """The scores that there are, in the order of the rows."""
        return tuple(grade.score for grade in self.grades if grade is not None)

    @property
    def mean_score(self) -> float:
        """Mean of the scores that there are."""
        return math.fsum(self.scores) / len(self.scores)

    @property
    def accuracy(self) -> float | None:
        """Share of answers that passed; None where the grader knows only degrees."""
        return _accuracy(self.grades)

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes."""
        return {
            "grader": self.grader,
            "mean_score": self.mean_score,
            "accuracy": self.accuracy,
            "interval": asdict(self.interval),
            "grades": [None if grade is None else asdict(grade) for grade in self.grades],
            "faults": {
                str(row): {"code": fault.code, "message": str(fault)}
                for row, fault in self.faults.items()
            },
        }

    def __str__(self) -> str:
        value = self.mean_score if self.accuracy is None else self.accuracy
        what = "mean score" if self.accuracy is None else "share passed"
        head = (
            f"{self.grader}: {what} {self.interval.around(value)} over"
            f" {plural(len(self.scores), 'answer')}"
        )
        if not self.faults:
            return paragraph(head)
        shown = list(self.faults.items())[:_FAULTS_SHOWN]
        more = len(self.faults) - len(shown)
        return "\n".join(
            [
                paragraph(head),
                f"not judged, and left out: {plural(len(self.faults), 'row')}",
                *("  " + shorten(f"row {row}: {fault}", _COLUMNS - 2) for row, fault in shown),
                *([f"  and {more} more (see .faults)"] if more else []),
            ]
        )

    def _repr_html_(self) -> str:
        return html_text(str(self))


def grade_all(
    grader: Grader | AssistedGrader,
    samples: Sequence[Sample | str],
    items: Sequence[Item | Mapping[str, object]],
    *,
    asker: Asker | None = None,
    allow_python: bool | PythonLimits = False,
    at_once: int = 8,
    confidence: float = 0.95,
    seed: int = 0,
) -> Grading:
    """Judge one answer per row.

    The templates of the grader are held against the rows first, so that nothing runs in vain. A failed call
    to a model loses that row's grade alone.

    Args:
        grader: Any grader; a multi grader's parts included.
        samples: What the model wrote, a text or a sample per row.
        items: The rows, as parsed or as items, in the same order.
        asker: Sends the requests of graders that ask a model; here a blocking function.
        allow_python: Let python graders run, within the default limits or those given.
        at_once: Calls to a model in flight at the same time.
        confidence: Two-sided confidence level of the interval.
        seed: Seed of the resampling, which only mean scores need.

    Raises:
        DatasetError: There are no rows, not one answer per row, or rows lack what a template names.
        GraderError: The grader needs something that was not passed, or could judge no answer at all.
    """
    means = _means(asker, allow_python, at_once, blocking=True)
    return run(_grade_all(grader, samples, items, means, confidence, seed))


async def grade_all_async(
    grader: Grader | AssistedGrader,
    samples: Sequence[Sample | str],
    items: Sequence[Item | Mapping[str, object]],
    *,
    asker: Asker | None = None,
    allow_python: bool | PythonLimits = False,
    at_once: int = 8,
    confidence: float = 0.95,
    seed: int = 0,
) -> Grading:
    """As `grade_all`, without blocking; the asker may be asynchronous."""
    means = _means(asker, allow_python, at_once, blocking=False)
    return await _grade_all(grader, samples, items, means, confidence, seed)


async def _grade_all(
    grader: Grader | AssistedGrader,
    samples: Sequence[Sample | str],
    items: Sequence[Item | Mapping[str, object]],
    means: Means,
    confidence: float,
    seed: int,
) -> Grading:
    cases = _cases(samples, items)
    report(grader, [case.item for case in cases], is_json_sure=True).raise_for_problems()
    outcomes = await judge_each(grader, cases, means)
    faults = {row: each for row, each in enumerate(outcomes) if isinstance(each, GraderError)}
    if len(faults) == len(cases):
        raise GraderError(
            f"{grader.name!r} could judge none of {plural(len(cases), 'answer')}: {faults[0]}",
            code=faults[0].code,
        ) from next(iter(means.failures), None)
    grades = tuple(None if isinstance(each, GraderError) else each for each in outcomes)
    return Grading(
        grader=grader.name,
        grades=grades,
        faults=faults,
        interval=_interval(grades, confidence, seed),
    )


@dataclass(frozen=True, slots=True)
class EquippedGrader:
    """A grader together with what it needs, fit for `compare`."""

    grader: AssistedGrader
    means: Means

    @property
    def name(self) -> str:
        """Short name for tables."""
        return self.grader.name

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Judge one answer.

        Raises:
            GraderError: No judgement came about.
        """
        return judge_one(self.grader, Case(sample, item), self.means)


def equip(
    grader: AssistedGrader,
    *,
    asker: Asker | None = None,
    allow_python: bool | PythonLimits = False,
    at_once: int = 8,
) -> EquippedGrader:
    """Give a grader what it needs, once and for all, so that it can stand where any grader can.

    Args:
        grader: One that asks a model or runs a program, such as `ScoreModel` or `PythonGrader`.
        asker: Sends its requests; a blocking function.
        allow_python: Let it run programs, within the default limits or those given.
        at_once: Calls to a model in flight at the same time.

    Raises:
        GraderError: It needs something that was not passed.
    """
    means = _means(asker, allow_python, at_once, blocking=True)
    means.require(grader.needs, grader.name)
    return EquippedGrader(grader, means)


def grade_each(grader: Grader, cases: Sequence[Case]) -> list[Grade | GraderError]:
    """Judge every case by a grader that has what it needs; errors stand in the place of grades.

    Raises:
        GraderError: It needs something after all.
    """
    if isinstance(grader, EquippedGrader):
        return run(judge_each(grader.grader, cases, grader.means))
    return run(judge_each(grader, cases, Means()))


def _means(
    asker: Asker | None, allow_python: bool | PythonLimits, at_once: int, *, blocking: bool
) -> Means:
    limits = PythonLimits() if allow_python is True else allow_python
    return Means(asker=asker, python=limits, at_once=at_once, blocking=blocking)


def _cases(
    samples: Sequence[Sample | str], items: Sequence[Item | Mapping[str, object]]
) -> list[Case]:
    if not items:
        raise DatasetError("there are no rows to grade")
    if len(samples) != len(items):
        raise DatasetError(
            f"there are {plural(len(samples), 'answer')} for {plural(len(items), 'row')}; give one"
            " answer per row, in the same order"
        )
    return [
        Case(
            sample if isinstance(sample, Sample) else Sample(sample),
            item if isinstance(item, Item) else Item.from_row(item),
        )
        for sample, item in zip(samples, items, strict=True)
    ]


def _accuracy(grades: Sequence[Grade | None]) -> float | None:
    passed = [grade.passed for grade in grades if grade is not None]
    if any(each is None for each in passed):
        return None
    return passed.count(True) / len(passed)


def _interval(grades: Sequence[Grade | None], confidence: float, seed: int) -> Interval:
    given = [grade for grade in grades if grade is not None]
    if _accuracy(given) is None:
        return bootstrap_mean([each.score for each in given], seed=seed, confidence=confidence)
    return wilson(sum(each.passed is True for each in given), len(given), confidence=confidence)
