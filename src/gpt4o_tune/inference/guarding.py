"""`guard`: ask a custom model and its base the general probe, and say what was forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune._drive import run
from gpt4o_tune.evaluation.forgetting import forgetting
from gpt4o_tune.evaluation.probe import ProbeGrader, general_probe
from gpt4o_tune.inference._comparing import Options, compare_with
from gpt4o_tune.inference.model import CustomModel

if TYPE_CHECKING:
    import os

    from gpt4o_tune.data import Dataset
    from gpt4o_tune.evaluation import Grader, GuardReport
    from gpt4o_tune.providers import Provider

__all__ = ["guard", "guard_async"]


def guard(
    model: str | CustomModel,
    *,
    against: str | CustomModel,
    probe: Dataset | None = None,
    grader: Grader | None = None,
    provider: Provider | None = None,
    confidence: float = 0.95,
    cache: str | os.PathLike[str] | None = None,
    at_once: int = 8,
    progress: bool | None = None,
    **parameters: object,
) -> GuardReport:
    """Ask a custom model and its base a small set of general questions, and report what was forgotten.

    Args:
        model: The custom model.
        against: The model that it was made from.
        probe: Questions of your own, each with an `area`; this library's `general_probe()` where none are given.
        grader: What counts as right; `ProbeGrader()` where none is given, which makes the `checks` of a row.
        provider: Where models given by name answer; that of the other model, or the environment's, where none
            is given.
        confidence: Two-sided confidence level of every interval; one minus the level of every test.
        cache: A file that keeps every answer as it comes, as for `compare`.
        at_once: Calls in flight at the same time.
        progress: False is silent, True always writes, None writes only to a terminal or notebook.
        parameters: Fields of the chat request, over `temperature=0` and `seed=0`.

    Raises:
        DatasetError: Rows of the probe also stand in the model's training set, or cannot be graded.

    Example:
        >>> report = guard(model, against="gpt-4o-2024-08-06")
        >>> print(report.summary)
    """
    options = Options(
        provider=provider or _place(model, against),
        measure="accuracy",
        confidence=confidence,
        cache=cache,
        at_once=at_once,
        progress=progress,
        parameters=parameters,
    )
    return run(_guard(model, against, probe, grader, options, blocking=True))


async def guard_async(
    model: str | CustomModel,
    *,
    against: str | CustomModel,
    probe: Dataset | None = None,
    grader: Grader | None = None,
    provider: Provider | None = None,
    confidence: float = 0.95,
    cache: str | os.PathLike[str] | None = None,
    at_once: int = 8,
    progress: bool | None = None,
    **parameters: object,
) -> GuardReport:
    """As `guard`, without blocking."""
    options = Options(
        provider=provider or _place(model, against),
        measure="accuracy",
        confidence=confidence,
        cache=cache,
        at_once=at_once,
        progress=progress,
        parameters=parameters,
    )
    return await _guard(model, against, probe, grader, options, blocking=False)


async def _guard(
    model: str | CustomModel,
    against: str | CustomModel,
    probe: Dataset | None,
    grader: Grader | None,
    options: Options,
    *,
    blocking: bool,
) -> GuardReport:
    rows = general_probe() if probe is None else probe
    judge = grader or ProbeGrader()
    found = await compare_with([against, model], rows, judge, options, blocking=blocking)
    return forgetting(found.lead, [str(row.get("area", "general")) for row in rows.records()])


def _place(*models: str | CustomModel) -> Provider | None:
    return next((each.provider for each in models if isinstance(each, CustomModel)), None)
