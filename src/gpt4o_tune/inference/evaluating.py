"""`evaluate` and `compare`: ask every candidate the same rows, grade the answers, and say how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune._drive import run
from gpt4o_tune.inference._comparing import Options, compare_with

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from gpt4o_tune.data import Dataset
    from gpt4o_tune.data.dataset import Group
    from gpt4o_tune.evaluation import Evaluation, Measure, PythonLimits
    from gpt4o_tune.inference._comparing import Graders, Judge
    from gpt4o_tune.inference.candidates import Candidate
    from gpt4o_tune.providers import Provider

__all__ = ["compare", "compare_async", "evaluate", "evaluate_async"]


def evaluate(
    model: Candidate,
    dataset: Dataset,
    graders: Graders = (),
    *,
    provider: Provider | None = None,
    trained_on: Dataset | None = None,
    allow_seen: bool = False,
    by: Group | None = None,
    measure: Measure | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    judge: Judge | None = None,
    allow_python: bool | PythonLimits = False,
    cache: str | os.PathLike[str] | None = None,
    at_once: int = 8,
    progress: bool | None = None,
    **parameters: object,
) -> Evaluation:
    """Ask a model held-out rows and grade its answers; as `compare`, with one candidate.

    Example:
        >>> print(evaluate("gpt-4o-2024-08-06", valid, [ExactMatch(), ValidJson()]))
    """
    options = Options(
        provider=provider,
        trained_on=trained_on,
        allow_seen=allow_seen,
        by=by,
        measure=measure,
        confidence=confidence,
        seed=seed,
        judge=judge,
        allow_python=allow_python,
        cache=cache,
        at_once=at_once,
        progress=progress,
        parameters=parameters,
    )
    return run(compare_with([model], dataset, graders, options, blocking=True))


async def evaluate_async(
    model: Candidate,
    dataset: Dataset,
    graders: Graders = (),
    *,
    provider: Provider | None = None,
    trained_on: Dataset | None = None,
    allow_seen: bool = False,
    by: Group | None = None,
    measure: Measure | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    judge: Judge | None = None,
    allow_python: bool | PythonLimits = False,
    cache: str | os.PathLike[str] | None = None,
    at_once: int = 8,
    progress: bool | None = None,
    **parameters: object,
) -> Evaluation:
    """As `evaluate`, without blocking."""
    options = Options(
        provider=provider,
        trained_on=trained_on,
        allow_seen=allow_seen,
        by=by,
        measure=measure,
        confidence=confidence,
        seed=seed,
        judge=judge,
        allow_python=allow_python,
        cache=cache,
        at_once=at_once,
        progress=progress,
        parameters=parameters,
    )
    return await compare_with([model], dataset, graders, options, blocking=False)


def compare(
    candidates: Sequence[Candidate],
    dataset: Dataset,
    graders: Graders = (),
    *,
    baseline: str | None = None,
    provider: Provider | None = None,
    trained_on: Dataset | None = None,
    allow_seen: bool = False,
    by: Group | None = None,
    measure: Measure | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    judge: Judge | None = None,
    allow_python: bool | PythonLimits = False,
    cache: str | os.PathLike[str] | None = None,
    at_once: int = 8,
    progress: bool | None = None,
    **parameters: object,
) -> Evaluation:
    """Ask every candidate the same held-out rows, and say which is better, by which grader, how surely.

    The last assistant message of every row is the reference answer; the messages before it are asked. A call
    that fails counts as wrong and is listed, never left out.

    Args:
        candidates: Models by name or as values, `Prompted`, `FewShot`, `Retrieved`, a `Pipeline`, or any
            function from messages to text.
        dataset: Rows that no candidate was trained on.
        graders: What counts as right, one or more; exact match where none is given. The first leads.
        baseline: The name of the candidate that the others are held against; the first where not given.
        provider: Where models given by name answer; read from the environment where none is given.
        trained_on: The training rows, so that rows that stand there are refused; those that a `CustomModel`
            knows of itself are looked at too.
        allow_seen: Accept rows that stand in the training set; the result says so.
        by: What rows have in common, such as the customer: a key of the rows or a function of a row. Errors are
            then clustered. None takes rows for independent.
        measure: Compare the share of right answers or the mean score; see `gpt4o_tune.evaluation.compare`.
        confidence: Two-sided confidence level of every interval; one minus the level of every test.
        seed: Seed of all resampling.
        judge: Whom graders ask that need a model: a provider, a model's provider, or a function. The grader says
            which model. The first model candidate's provider where none is given.
        allow_python: Let python graders run, within the default limits or those given.
        cache: A file that keeps every answer as it comes, judgements included. With the same file, what is
            there is not asked again, whether the run before was finished or interrupted.
        at_once: Calls in flight at the same time.
        progress: False is silent, True always writes, None writes only to a terminal or notebook.
        parameters: Fields of the chat request, over `temperature=0` and `seed=0`.

    Raises:
        DatasetError: A row has no reference answer, lacks what a grader reads, or was seen in training.
        GraderError: A grader needs something that was not passed, or could judge no answer at all.
        ValueError: A candidate or grader is named twice, or the baseline is none of the candidates.

    Example:
        >>> base = "gpt-4o-2024-08-06"
        >>> print(compare([base, FewShot(base, examples=train, k=5), model], valid, ExactMatch()))
    """
    options = Options(
        baseline=baseline,
        provider=provider,
        trained_on=trained_on,
        allow_seen=allow_seen,
        by=by,
        measure=measure,
        confidence=confidence,
        seed=seed,
        judge=judge,
        allow_python=allow_python,
        cache=cache,
        at_once=at_once,
        progress=progress,
        parameters=parameters,
    )
    return run(compare_with(candidates, dataset, graders, options, blocking=True))


async def compare_async(
    candidates: Sequence[Candidate],
    dataset: Dataset,
    graders: Graders = (),
    *,
    baseline: str | None = None,
    provider: Provider | None = None,
    trained_on: Dataset | None = None,
    allow_seen: bool = False,
    by: Group | None = None,
    measure: Measure | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    judge: Judge | None = None,
    allow_python: bool | PythonLimits = False,
    cache: str | os.PathLike[str] | None = None,
    at_once: int = 8,
    progress: bool | None = None,
    **parameters: object,
) -> Evaluation:
    """As `compare`, without blocking; functions among the candidates may be asynchronous."""
    options = Options(
        baseline=baseline,
        provider=provider,
        trained_on=trained_on,
        allow_seen=allow_seen,
        by=by,
        measure=measure,
        confidence=confidence,
        seed=seed,
        judge=judge,
        allow_python=allow_python,
        cache=cache,
        at_once=at_once,
        progress=progress,
        parameters=parameters,
    )
    return await compare_with(candidates, dataset, graders, options, blocking=False)
