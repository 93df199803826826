"""Candidates made ready, asked the same rows, and graded: what stands behind `compare`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from gpt4o_tune.evaluation import PythonLimits
from gpt4o_tune.evaluation.comparison import settle
from gpt4o_tune.evaluation.evaluation import judge as judge_answers
from gpt4o_tune.evaluation.evaluation import prepared, require_judgeable
from gpt4o_tune.evaluation.graders.means import Means
from gpt4o_tune.inference._answering import Asking, ask_model, ask_pipeline, asker_of
from gpt4o_tune.inference.answer_cache import AnswerCache
from gpt4o_tune.inference.candidates import FewShot, Pipeline, Prompted, Retrieved, name_of
from gpt4o_tune.inference.model import REPEATABLE, CustomModel
from gpt4o_tune.inference.usage import tariff
from gpt4o_tune.providers import Provider

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from gpt4o_tune.data import Dataset
    from gpt4o_tune.data.dataset import Group
    from gpt4o_tune.evaluation import (
        Answer,
        Asker,
        AssistedGrader,
        Evaluation,
        Grader,
        Measure,
        SeenRows,
    )
    from gpt4o_tune.inference.candidates import Candidate

Graders: TypeAlias = "Grader | AssistedGrader | Sequence[Grader | AssistedGrader]"
Judge: TypeAlias = "Provider | CustomModel | Asker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to compare; the arguments of `compare`, which says what they mean."""

    baseline: str | None = None
    provider: Provider | None = None
    trained_on: Dataset | None = None
    allow_seen: bool = False
    by: Group | None = None
    measure: Measure | None = None
    confidence: float = 0.95
    seed: int = 0
    judge: Judge | None = None
    allow_python: bool | PythonLimits = False
    cache: str | os.PathLike[str] | None = None
    at_once: int = 8
    progress: bool | None = None
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contender:
    """A candidate that is ready to be asked."""

    name: str
    model: CustomModel | None
    """None for a pipeline."""
    what: CustomModel | Prompted | FewShot | Retrieved | Pipeline

    async def answer(self, prompts: Sequence[list[dict[str, object]]], how: Asking) -> list[Answer]:
        if isinstance(self.what, Pipeline):
            return await ask_pipeline(self.what, prompts, how)
        assert self.model is not None  # noqa: S101  # all but pipelines have one
        if not isinstance(self.what, CustomModel):
            prompts = [self.what.messages(prompt) for prompt in prompts]
        return await ask_model(self.name, self.model, prompts, how)

    @property
    def description(self) -> str:
        return "" if isinstance(self.what, CustomModel) else self.what.description

    @property
    def price_basis(self) -> str:
        if self.model is not None:
            return tariff(self.model.name, self.model.provider.kind).basis
        return "Price of a call as given." if getattr(self.what, "usd_per_call", None) else ""


async def compare_with(
    candidates: Sequence[Candidate],
    dataset: Dataset,
    graders: Graders,
    options: Options,
    *,
    blocking: bool,
) -> Evaluation:
    """Ask every candidate and grade its answers."""
    if options.at_once < 1:
        raise ValueError(f"at_once must be at least 1, not {options.at_once!r}")
    contenders = _contenders(candidates, dataset, options)
    rows = list(dataset.records())
    overlap = _seen(dataset, contenders, options.trained_on)
    cache = AnswerCache(options.cache)
    try:
        means = _means(contenders, cache, options, blocking=blocking)
        ready = prepared(_several(graders), means)
        prompts = require_judgeable(rows, ready, overlap=overlap, allow_seen=options.allow_seen)
        setting = settle(
            rows,
            baseline=options.baseline or contenders[0].name,
            overlap=overlap,
            allow_seen=options.allow_seen,
            groups=_groups(dataset, options.by),
            confidence=options.confidence,
            seed=options.seed,
        )
        how = Asking(
            parameters={**REPEATABLE, **options.parameters},
            cache=cache,
            means=means,
            at_once=options.at_once,
            progress=options.progress,
        )
        answers = {each.name: await each.answer(prompts, how) for each in contenders}
        return await judge_answers(
            setting,
            ready,
            answers,
            measure=options.measure,
            descriptions={each.name: each.description for each in contenders if each.description},
            price_bases={each.name: each.price_basis for each in contenders if each.price_basis},
        )
    finally:
        cache.close()


def _contenders(
    candidates: Sequence[Candidate], dataset: Dataset, options: Options
) -> list[_Contender]:
    """Resolve names to models, and keep evaluated rows out of the examples that are shown."""
    place = options.provider
    ready: list[_Contender] = []
    for candidate in candidates:
        what = candidate
        if callable(what) and not isinstance(what, Pipeline):
            what = Pipeline(what, name=name_of(what))
        if isinstance(what, FewShot | Retrieved):
            what = what.without(dataset)
        named = what if isinstance(what, str) else getattr(what, "model", None)
        if isinstance(named, str):
            place = place or Provider.from_environment()
            named = CustomModel(named, provider=place)
        if isinstance(what, str):
            assert isinstance(named, CustomModel)  # noqa: S101  # made just above
            what = named
        model = what if isinstance(what, CustomModel) else named
        ready.append(_Contender(name=name_of(candidate), model=model, what=what))
    names = [each.name for each in ready]
    if not names:
        raise ValueError("there are no candidates; name one or more models")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two candidates are named {twice[0]!r}; give one of them another name=")
    if options.baseline not in (None, *names):
        raise ValueError(
            f"the baseline {options.baseline!r} is not among the candidates: {', '.join(names)}"
        )
    return ready


def _means(
    contenders: Sequence[_Contender], cache: AnswerCache, options: Options, *, blocking: bool
) -> Means:
    """Give graders a model to ask and leave to run programs, as far as there is."""
    judge = options.judge or next((each.model for each in contenders if each.model), None)
    if isinstance(judge, CustomModel):
        judge = judge.provider
    asker = asker_of(judge, cache, blocking=blocking) if isinstance(judge, Provider) else judge
    limits = PythonLimits() if options.allow_python is True else options.allow_python
    return Means(asker=asker, python=limits, at_once=options.at_once, blocking=blocking)


def _several(graders: Graders) -> Sequence[Grader | AssistedGrader]:
    return (graders,) if hasattr(graders, "name") else graders  # type: ignore[return-value]  # sequences have no name


@dataclass(frozen=True, slots=True)
class _Seen:
    kind: Mapping[int, str]

    @property
    def rows(self) -> tuple[int, ...]:
        return tuple(self.kind)


def _seen(
    dataset: Dataset, contenders: Sequence[_Contender], trained_on: Dataset | None
) -> SeenRows | None:
    """Look the rows up in all training sets that are known."""

    def known() -> Iterator[Dataset]:
        if trained_on is not None:
            yield trained_on
        for each in contenders:
            if each.model is not None and each.model.trained_on is not None:
                yield each.model.trained_on

    found: dict[int, str] = {}
    sets = list({id(rows): rows for rows in known()}.values())
    for rows in sets:
        found = {**dataset.overlap(rows).kind, **found}
    return _Seen(dict(sorted(found.items()))) if sets else None


def _groups(dataset: Dataset, by: Group | None) -> list[Hashable] | None:
    from gpt4o_tune.data._dividing import field

    if by is None:
        return None
    values = (
        field(dataset.records(), by, lines=dataset.lines)
        if isinstance(by, str)
        else map(by, dataset)
    )
    return [
        value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=repr)
        for value in values
    ]
