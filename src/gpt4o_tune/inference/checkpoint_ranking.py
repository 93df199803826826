"""All checkpoints of a run, asked and ranked: which one to use, and whether that is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from gpt4o_tune._display import html_text, paragraph, table
from gpt4o_tune._drive import run
from gpt4o_tune.evaluation import standing
from gpt4o_tune.evaluation._evaluation_text import change, p_value, value
from gpt4o_tune.inference._comparing import Options, compare_with
from gpt4o_tune.inference.model import CustomModel

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from gpt4o_tune.data import Dataset
    from gpt4o_tune.data.dataset import Group
    from gpt4o_tune.evaluation import Evaluation, Standing
    from gpt4o_tune.inference._comparing import Graders
    from gpt4o_tune.providers import Provider

__all__ = [
    "CheckpointLike",
    "CheckpointRanking",
    "JobLike",
    "evaluate_checkpoints",
    "evaluate_checkpoints_async",
]

RULE = (
    "Of the checkpoints that are not measurably worse than the best, the earliest, since it has learnt least of"
    " the training rows by heart; where steps are not known, the one with the best estimate."
)


class CheckpointLike(Protocol):
    """A checkpoint as a job lists it."""

    @property
    def name(self) -> str:
        """The model id to call."""
        ...

    @property
    def step(self) -> int:
        """The step at which it was saved."""
        ...


@runtime_checkable
class JobLike(Protocol):
    """A job that lists its checkpoints, such as a `FineTuneJob`."""

    @property
    def provider(self) -> Provider:
        """Where the checkpoints answer."""
        ...

    def checkpoints(self) -> Sequence[CheckpointLike]:
        """List the checkpoints."""
        ...

    async def checkpoints_async(self) -> Sequence[CheckpointLike]:
        """As `checkpoints`, without blocking."""
        ...


Listed: TypeAlias = "Iterable[str | CustomModel | CheckpointLike]"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRanking:
    """The checkpoints of a run by what they can do."""

    evaluation: Evaluation
    standing: Standing
    """By the first grader."""

    steps: Mapping[str, int]
    """By model id, where known."""

    rule: str = RULE

    @property
    def ranked(self) -> tuple[str, ...]:
        """All checkpoints, best estimate first."""
        return self.standing.ranked

    @property
    def tied(self) -> tuple[str, ...]:
        """Those that cannot be told from the best, which is the first."""
        return self.standing.tied

    @property
    def best(self) -> str:
        """The one to use by the rule."""
        if all(name in self.steps for name in self.tied):
            return min(self.tied, key=lambda name: self.steps[name])
        return self.tied[0]

    @property
    def summary(self) -> str:
        """What to use and why, in plain words."""
        if len(self.tied) == 1:
            return f"Use {self.best}: it is measurably better than all other checkpoints."
        others = len(self.tied) - 1
        return (
            f"Use {self.best}: no difference can be shown between it and {others} other"
            f" {'checkpoint' if others == 1 else 'checkpoints'}."
        )

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes, answers included."""
        return {
            "best": self.best,
            "summary": self.summary,
            "rule": self.rule,
            "ranked": list(self.ranked),
            "tied": list(self.tied),
            "steps": dict(self.steps),
            "evaluation": self.evaluation.to_dict(),
        }

    def to_html(self) -> str:
        """Write the page of the evaluation, which needs no other file."""
        return self.evaluation.to_html()

    def __str__(self) -> str:
        lead, differences = self.evaluation.lead, self.standing.differences
        rows = [
            [
                f"{place}",
                f"{self.steps[name]:,}" if name in self.steps else "-",
                value(lead, lead.candidates[name]),
                change(lead, differences[name]) if name in differences else "",
                p_value(differences[name].p_adjusted) if name in differences else "",
                "use" if name == self.best else "tied" if name in self.tied else "worse",
                name,
            ]
            for place, name in enumerate(self.ranked, start=1)
        ]
        headers = ["rank", "step", f"{lead.grader} (CI)", "from the best (CI)", "p", "", "model"]
        warnings = [paragraph(f"warning: {each}") for each in self.evaluation.warnings]
        return "\n".join(
            [
                paragraph(self.summary),
                "",
                table(headers, rows, align=">>>>><<"),
                "",
                paragraph(f"Rule: {self.rule}"),
                *warnings,
            ]
        )

    def _repr_html_(self) -> str:
        return html_text(str(self))


def evaluate_checkpoints(
    checkpoints: JobLike | Listed,
    dataset: Dataset,
    graders: Graders = (),
    *,
    provider: Provider | None = None,
    trained_on: Dataset | None = None,
    allow_seen: bool = False,
    by: Group | None = None,
    confidence: float = 0.95,
    cache: str | os.PathLike[str] | None = None,
    at_once: int = 8,
    progress: bool | None = None,
    **parameters: object,
) -> CheckpointRanking:
    """Ask every checkpoint of a run the same held-out rows, and rank them with intervals and ties.

    The rows that choose a checkpoint flatter it a little: measure what you chose again on rows of its own.

    Args:
        checkpoints: A job, or checkpoints as a job lists them, by name, or as models.
        dataset: Rows that the run was not trained on.
        graders: As for `compare`; the first ranks.
        provider: Where checkpoints given by name answer; the job's own where a job is given.
        trained_on: As for `compare`.
        allow_seen: As for `compare`.
        by: As for `compare`.
        confidence: As for `compare`.
        cache: As for `compare`.
        at_once: Calls in flight at the same time.
        progress: False is silent, True always writes, None writes only to a terminal or notebook.
        parameters: Fields of the chat request, over `temperature=0` and `seed=0`.

    Raises:
        ValueError: There are no checkpoints.
        DatasetError: As for `compare`.

    Example:
        >>> print(evaluate_checkpoints(job, valid, ExactMatch()))
    """
    listed = checkpoints.checkpoints() if isinstance(checkpoints, JobLike) else checkpoints
    options = Options(
        provider=provider or (checkpoints.provider if isinstance(checkpoints, JobLike) else None),
        trained_on=trained_on,
        allow_seen=allow_seen,
        by=by,
        confidence=confidence,
        cache=cache,
        at_once=at_once,
        progress=progress,
        parameters=parameters,
    )
    return run(_evaluate(listed, dataset, graders, options, blocking=True))


async def evaluate_checkpoints_async(
    checkpoints: JobLike | Listed,
    dataset: Dataset,
    graders: Graders = (),
    *,
    provider: Provider | None = None,
    trained_on: Dataset | None = None,
    allow_seen: bool = False,
    by: Group | None = None,
    confidence: float = 0.95,
    cache: str | os.PathLike[str] | None = None,
    at_once: int = 8,
    progress: bool | None = None,
    **parameters: object,
) -> CheckpointRanking:
    """As `evaluate_checkpoints`, without blocking."""
    listed = (
        await checkpoints.checkpoints_async() if isinstance(checkpoints, JobLike) else checkpoints
    )
    options = Options(
        provider=provider or (checkpoints.provider if isinstance(checkpoints, JobLike) else None),
        trained_on=trained_on,
        allow_seen=allow_seen,
        by=by,
        confidence=confidence,
        cache=cache,
        at_once=at_once,
        progress=progress,
        parameters=parameters,
    )
    return await _evaluate(listed, dataset, graders, options, blocking=False)


async def _evaluate(
    listed: Listed, dataset: Dataset, graders: Graders, options: Options, *, blocking: bool
) -> CheckpointRanking:
    models, steps = _named(listed)
    found = await compare_with(models, dataset, graders, options, blocking=blocking)
    return CheckpointRanking(evaluation=found, standing=standing(found.lead), steps=steps)


def _named(listed: Listed) -> tuple[list[str | CustomModel], dict[str, int]]:
    """Take each checkpoint once, and its step where that is known."""
    models: dict[str, str | CustomModel] = {}
    steps: dict[str, int] = {}
    for each in listed:
        if isinstance(each, str):
            models[each] = each
        elif isinstance(each, CustomModel):
            models[each.name] = each
        else:
            models[each.name] = each.name
            steps[each.name] = each.step
    if not models:
        raise ValueError(
            "there are no checkpoints; a service lists them when the job has succeeded, or pass their names"
        )
    return list(models.values()), steps
