"""The models that a run leaves behind on its way."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from gpt4o_tune.jobs.metrics import MetricRow

if TYPE_CHECKING:
    from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

__all__ = ["Checkpoint"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A model as it stood at one step; callable by its name like any other model."""

    name: str
    """The model id to call."""
    step: int
    metrics: MetricRow


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


def rank(checkpoints: list[Checkpoint]) -> list[Checkpoint]:
    """Order checkpoints best first: by full validation loss, and the later one where that is unknown."""

    def badness(checkpoint: Checkpoint) -> tuple[float, int]:
        loss = checkpoint.metrics.full_valid_loss
        return (float("inf") if loss is None else loss, -checkpoint.step)

    return sorted(checkpoints, key=badness)
