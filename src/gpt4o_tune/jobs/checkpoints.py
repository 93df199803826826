"""The models that a run leaves behind on its way."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from gpt4o_tune._display import html_table, table
from gpt4o_tune.jobs.metrics import MetricRow, from_records

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
        return table(self._headers(), self._cells(), align=">" * (len(self._headers()) - 1) + "<")

    def _repr_html_(self) -> str:
        return html_table(self._headers(), self._cells()) if self else f"<p>{self}</p>"

    @property
    def _is_rewarded(self) -> bool:
        return any(checkpoint.metrics.valid_reward is not None for checkpoint in self)

    def _headers(self) -> list[str]:
        rewards = ["Validation reward"] if self._is_rewarded else []
        return [*_MEASURES, *rewards, "Model"]

    def _cells(self) -> list[list[str]]:
        return [
            [
                f"{checkpoint.step:,}",
                _cell(checkpoint.metrics.full_valid_loss, ".4f"),
                _cell(checkpoint.metrics.full_valid_accuracy, ".1%"),
                _cell(checkpoint.metrics.train_loss, ".4f"),
                *([_cell(checkpoint.metrics.valid_reward, ".4f")] if self._is_rewarded else []),
                checkpoint.name,
            ]
            for checkpoint in self
        ]


_MEASURES = ("Step", "Validation loss", "Validation accuracy", "Training loss")


def read_checkpoint(raw: FineTuningJobCheckpoint) -> Checkpoint:
    """Read a checkpoint as the client gives it."""
    # A service may name numbers here that the client's model does not list, such as rewards.
    (metrics,) = from_records([{**raw.metrics.to_dict(), "step": raw.step_number}])
    return Checkpoint(
        name=raw.fine_tuned_model_checkpoint,
        step=raw.step_number,
        metrics=metrics,
    )


def rank(checkpoints: Iterable[Checkpoint]) -> Checkpoints:
    """Order checkpoints best first: by full validation loss, those without one last and latest first.

    Where there is no loss, as in reinforcement, the mean validation reward counts.

    Loss on one validation batch does not count: batches differ more than checkpoints do. Of equals the
    earlier is better, since it has learnt less of the training rows by heart.
    """

    def badness(checkpoint: Checkpoint) -> tuple[bool, float, int]:
        loss, reward = checkpoint.metrics.full_valid_loss, checkpoint.metrics.valid_reward
        if loss is None and reward is not None:
            loss = -reward
        if loss is None or not math.isfinite(loss):
            return (True, 0.0, -checkpoint.step)
        return (False, loss, checkpoint.step)

    return Checkpoints(sorted(checkpoints, key=badness))


def _cell(value: float | None, digits: str) -> str:
    return "-" if value is None else format(value, digits)
