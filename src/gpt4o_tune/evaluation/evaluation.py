"""Several candidates over the same rows, judged by one or more graders, as one result."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from gpt4o_tune._display import html_text
from gpt4o_tune._drive import run
from gpt4o_tune.evaluation import _evaluation_text
from gpt4o_tune.evaluation._comparing import cases, graded, require_fit
from gpt4o_tune.evaluation.comparison import comparable, conclude, settle
from gpt4o_tune.evaluation.graders import AssistedGrader, EquippedGrader, ExactMatch, PythonLimits
from gpt4o_tune.evaluation.graders._running import judge_each
from gpt4o_tune.evaluation.graders.means import Means
from gpt4o_tune.evaluation.power import rows_needed
from gpt4o_tune.evaluation.statistics import holm

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from gpt4o_tune.errors import GraderError
    from gpt4o_tune.evaluation._comparing import Setting
    from gpt4o_tune.evaluation.answers import Answer, CandidateResult, Measure
    from gpt4o_tune.evaluation.comparison import Comparison, Disagreement, SeenRows
    from gpt4o_tune.evaluation.difference import Difference
    from gpt4o_tune.evaluation.graders import Asker, Grade, Grader

__all__ = ["Evaluation", "evaluate_answers", "evaluate_answers_async"]

COARSE = 0.10
"""A smallest detectable difference above this draws a warning where no difference was shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What one or more graders say of one or more candidates over the same rows."""

    comparisons: Mapping[str, Comparison]
    """By the name of the grader, in the order given; the first is the leading one. P values are adjusted over
    all candidates and graders together."""

    descriptions: Mapping[str, str] = field(default_factory=dict[str, str])
    """By candidate, where there is something to say: how it asks."""

    price_bases: Mapping[str, str] = field(default_factory=dict[str, str])
    """By candidate, where known: where its prices come from and as of when."""

    @property
    def lead(self) -> Comparison:
        """The comparison by the first grader."""
        return next(iter(self.comparisons.values()))

    @property
    def rows(self) -> int:
        """How many rows every candidate was asked."""
        return len(self.lead.references)

    @property
    def baseline(self) -> str:
        """The candidate that the others are held against."""
        return self.lead.baseline

    @property
    def candidates(self) -> Mapping[str, CandidateResult]:
        """The candidates as the first grader judged them; answers, latency and cost are the same for all."""
        return self.lead.candidates

    @property
    def verdict(self) -> str:
        """One sentence for each candidate and grader, a line each."""
        return "\n".join(
            f"{name}: {each.verdict}" if len(self.comparisons) > 1 else each.verdict
            for name, comparison in self.comparisons.items()
            for each in comparison.differences.values()
        )

    @property
    def disagreements(self) -> Mapping[str, tuple[Disagreement, ...]]:
        """By grader: the rows on which the candidates were graded differently, with all answers."""
        return {name: each.disagreements for name, each in self.comparisons.items()}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against trusting the figures, each said once."""
        said: dict[str, list[str]] = {}
        for name, comparison in self.comparisons.items():
            for sentence in comparison.warnings:
                said.setdefault(sentence, []).append(name)
        sentences = [
            sentence if len(names) == len(self.comparisons) else f"{', '.join(names)}: {sentence}"
            for sentence, names in said.items()
        ]
        return (*sentences, *filter(None, [self._coarseness()]))

    def _coarseness(self) -> str | None:
        """Say where so many rows could have shown a large difference only."""
        coarse = [
            each
            for comparison in self.comparisons.values()
            if comparison.measure == "accuracy"
            for each in comparison.differences.values()
            if each.outcome == "undecided" and (each.smallest_detectable or 1.0) > COARSE
        ]
        if not coarse:
            return None
        worst = max(coarse, key=lambda each: each.smallest_detectable or 1.0)
        reach = (
            "no difference at all"
            if worst.smallest_detectable is None
            else f"no difference below about {100 * worst.smallest_detectable:.0f} points"
        )
        return (
            f"n={self.rows} is too small for fine distinctions: between {worst.candidate!r} and"
            f" {worst.baseline!r} it can show {reach}. A true difference of 10 points takes about"
            f" {self._needed(worst):,} rows like these."
        )

    def _needed(self, difference: Difference) -> int:
        discordance = (difference.wins + difference.losses) / self.rows
        level = 1 - difference.interval.confidence
        count = sum(len(each.differences) for each in self.comparisons.values())
        return rows_needed(0.1, discordance=discordance, confidence=1 - level / count)

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes, answers included."""
        return {
            "rows": self.rows,
            "baseline": self.baseline,
            "comparisons": {name: each.to_dict() for name, each in self.comparisons.items()},
            "descriptions": dict(self.descriptions),
            "price_bases": dict(self.price_bases),
            "warnings": list(self.warnings),
        }

    def to_html(self) -> str:
        """Write a page with plots that needs no other file and no network."""
        from gpt4o_tune.evaluation._evaluation_page import page

        return page(self)

    def __str__(self) -> str:
        return _evaluation_text.text(self)

    def _repr_html_(self) -> str:
        return html_text(str(self))


def evaluate_answers(
    rows: Iterable[Mapping[str, object]],
    candidates: Mapping[str, Sequence[Answer]],
    graders: Sequence[Grader | AssistedGrader] = (),
    *,
    baseline: str | None = None,
    measure: Measure | None = None,
    overlap: SeenRows | None = None,
    allow_seen: bool = False,
    groups: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    asker: Asker | None = None,
    allow_python: bool | PythonLimits = False,
    at_once: int = 8,
) -> Evaluation:
    """Judge answers that are already there, by several graders at once.

    As `compare`, with p values adjusted over all candidates and graders together.

    Args:
        rows: Chat or preference rows; the last assistant message of each is the reference answer.
        candidates: Answers by the name of who gave them, one per row in the order of the rows.
        graders: Judges of one answer; `ExactMatch()` where none is given. The first is the leading one.
        baseline: The name of the candidate that the others are held against; the first where not given.
        measure: As for `compare`.
        overlap: Which of the rows also stand in the training set.
        allow_seen: Evaluate although rows also stand in the training set; the result says so.
        groups: The group of each row, by which errors are clustered; None takes rows for independent.
        confidence: Two-sided confidence level of every interval; one minus the level of every test.
        seed: Seed of all resampling.
        asker: Sends the requests of graders that ask a model.
        allow_python: Let python graders run, within the default limits or those given.
        at_once: Calls to a model in flight at the same time.

    Raises:
        DatasetError: There are no rows, rows without a reference answer, seen rows, or one group only.
        GraderError: A grader needs something that was not passed, or could judge no answer at all.
        ValueError: The answers do not fit the rows, or two graders have one name.
    """
    return run(
        _evaluate_answers(
            list(rows),
            candidates,
            graders,
            _means(asker, allow_python, at_once, blocking=True),
            baseline=baseline,
            measure=measure,
            overlap=overlap,
            allow_seen=allow_seen,
            groups=groups,
            confidence=confidence,
            seed=seed,
        )
    )


async def evaluate_answers_async(
    rows: Iterable[Mapping[str, object]],
    candidates: Mapping[str, Sequence[Answer]],
    graders: Sequence[Grader | AssistedGrader] = (),
    *,
    baseline: str | None = None,
    measure: Measure | None = None,
    overlap: SeenRows | None = None,
    allow_seen: bool = False,
    groups: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    asker: Asker | None = None,
    allow_python: bool | PythonLimits = False,
    at_once: int = 8,
) -> Evaluation:
    """As `evaluate_answers`, without blocking; the asker may be asynchronous."""
    return await _evaluate_answers(
        list(rows),
        candidates,
        graders,
        _means(asker, allow_python, at_once, blocking=False),
        baseline=baseline,
        measure=measure,
        overlap=overlap,
        allow_seen=allow_seen,
        groups=groups,
        confidence=confidence,
        seed=seed,
    )


async def _evaluate_answers(
    rows: Sequence[Mapping[str, object]],
    candidates: Mapping[str, Sequence[Answer]],
    graders: Sequence[Grader | AssistedGrader],
    means: Means,
    *,
    baseline: str | None,
    measure: Measure | None,
    overlap: SeenRows | None,
    allow_seen: bool,
    groups: Sequence[Hashable] | None,
    confidence: float,
    seed: int,
) -> Evaluation:
    if not candidates:
        raise ValueError("there are no candidates")
    ready = prepared(graders, means)
    setting = settle(
        rows,
        baseline=next(iter(candidates)) if baseline is None else baseline,
        overlap=overlap,
        allow_seen=allow_seen,
        groups=groups,
        confidence=confidence,
        seed=seed,
    )
    return await judge(setting, ready, candidates, measure=measure)


def prepared(
    graders: Sequence[Grader | AssistedGrader], means: Means
) -> tuple[Grader | EquippedGrader, ...]:
    """Give every grader what it needs, before any answer is paid for.

    Raises:
        GraderError: A grader needs something that is not among the means.
        ValueError: Two graders have one name.
    """
    ready: list[Grader | EquippedGrader] = []
    for grader in graders or (ExactMatch(),):
        if isinstance(grader, AssistedGrader):
            means.require(grader.needs, grader.name)
            ready.append(EquippedGrader(grader, means))
        else:
            ready.append(grader)
    names = [grader.name for grader in ready]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two graders are named {twice[0]!r}; results are told apart by name")
    return tuple(ready)


def require_judgeable(
    rows: Sequence[Mapping[str, object]],
    graders: Iterable[Grader | EquippedGrader],
    *,
    overlap: SeenRows | None,
    allow_seen: bool,
) -> list[list[dict[str, object]]]:
    """Hold rows against all graders as `comparable` does, and give the prompts."""
    split = [
        comparable(rows, grader=grader, overlap=overlap, allow_seen=allow_seen)
        for grader in graders
    ]
    return [pair.prompt for pair in split[0]]


async def judge(
    setting: Setting,
    graders: Sequence[Grader | EquippedGrader],
    candidates: Mapping[str, Sequence[Answer]],
    *,
    measure: Measure | None = None,
    descriptions: Mapping[str, str] | None = None,
    price_bases: Mapping[str, str] | None = None,
) -> Evaluation:
    """Judge all answers by all graders and draw the verdicts."""
    require_fit(candidates, setting.baseline, len(setting.items))
    found = [
        graded(
            setting,
            grader.name,
            candidates,
            {
                name: await _outcomes(grader, answers, setting)
                for name, answers in candidates.items()
            },
            measure=measure,
        )
        for grader in graders
    ]
    adjusted = iter(holm([pair.p for each in found for pair in each.pairs]))
    count = sum(len(each.pairs) for each in found)
    return Evaluation(
        comparisons={
            each.grader: conclude(
                setting, each, list(islice(adjusted, len(each.pairs))), comparisons=count
            )
            for each in found
        },
        descriptions=descriptions or {},
        price_bases=price_bases or {},
    )


async def _outcomes(
    grader: Grader | EquippedGrader, answers: Sequence[Answer], setting: Setting
) -> list[Grade | GraderError]:
    given = cases(answers, setting.items)
    if isinstance(grader, EquippedGrader):
        return await judge_each(grader.grader, given, grader.means)
    return await judge_each(grader, given, Means())


def _means(
    asker: Asker | None, allow_python: bool | PythonLimits, at_once: int, *, blocking: bool
) -> Means:
    limits = PythonLimits() if allow_python is True else allow_python
    return Means(asker=asker, python=limits, at_once=at_once, blocking=blocking)
