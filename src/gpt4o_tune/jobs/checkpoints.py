"""The models that a run leaves behind on its way."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from gpt4o_tune._display import html_table, table
from gpt4o_tune.jobs.metrics import MetricRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

__all__ = ["Checkpoint", "Checkpoints"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A model as it stood at one step; callable by its name like any other model."""

    name: str
    """The model id to call."""
    step: int
    metrics: MetricRow


class Checkpoints(tuple[Checkpoint, ...]):
    """The checkpoints of a run, best first; print it for a table."""

    __slots__ = ()

    @property
    def best(self) -> Checkpoint | None:
        """The first one; None where a run has left no checkpoint."""
        return self[0] if self else None

    def __str__(self) -> str:
        if not self:
            return "No checkpoints. Services list them at the end of an epoch, or when the job has succeeded."
        return table(_HEADERS, self._cells(), align=">>>><")

    def _repr_html_(self) -> str:
        return html_table(_HEADERS, self._cells()) if self else f"<p>{self}</p>"

    def _cells(self) -> list[list[str]]:
        return [
            [
                f"{checkpoint.step:,}",
                _cell(checkpoint.metrics.full_valid_loss, ".4f"),
                _cell(checkpoint.metrics.full_valid_accuracy, ".1%"),
                _cell(checkpoint.metrics.train_loss, ".4f"),
                checkpoint.name,
            ]
            for checkpoint in self
        ]


_HEADERS = ("Step", "Validation loss", "Validation accuracy", "Training loss", "Model")


def read_checkpoint(raw: FineTuningJobCheckpoint) -> Checkpoint:
    """Read a checkpoint as the client gives it."""
    metrics = raw.metrics
    return Checkpoint(
        name=raw.fine_tuned_model_checkpoint,
        step=raw.step_number,
        metrics=MetricRow(
            step=raw.step_number,
            train_loss=metrics.train_loss,
            train_accuracy=metrics.train_mean_token_accuracy,
            valid_loss=metrics.valid_loss,
            valid_accuracy=metrics.valid_mean_token_accuracy,
            full_valid_loss=metrics.full_valid_loss,
            full_valid_accuracy=metrics.full_valid_mean_token_accuracy,
        ),
    )


def rank(checkpoints: Iterable[Checkpoint]) -> Checkpoints:
    """Order checkpoints best first: by full validation loss, those without one last and latest first.

    Loss on one validation batch does not count: batches differ more than checkpoints do. Of equals the
    earlier is better, since it has learnt less of the training rows by heart.
    """

    def badness(checkpoint: Checkpoint) -> tuple[bool, float, int]:
        loss = checkpoint.metrics.full_valid_loss
        if loss is None or not math.isfinite(loss):
            return (True, 0.0, -checkpoint.step)
        return (False, loss, checkpoint.step)

    return Checkpoints(sorted(checkpoints, key=badness))


def _cell(value: float | None, digits: str) -> str:
    return "-" if value is None else format(value, digits)
