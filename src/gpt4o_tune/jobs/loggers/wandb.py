"""Metrics in a Weights & Biases run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpt4o_tune._extras import import_extra
from gpt4o_tune.jobs.loggers.logger import MetricsLogger

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

__all__ = ["WandbLogger"]


class WandbLogger(MetricsLogger):
    """Writes to one Weights & Biases run per job, whose id is the job's.

    A run that exists is resumed after its last step; W&B takes no earlier steps, and keeps its own clock.
    The run stands beside one that your program has open. Services that report to W&B themselves, as
    OpenAI does where the integration is switched on, use the same id: give this one another project.

    Args:
        job_id: The job's id.
        project: The W&B project.
        entity: The W&B team or user; None is W&B's own choice.

    Raises:
        MissingExtraError: wandb is not installed.
        wandb.Error: W&B refused, or cannot be reached.
    """

    def __init__(self, job_id: str, *, project: str, entity: str | None = None) -> None:
        super().__init__()
        library = import_extra("wandb", extra="wandb", feature="Logging to Weights & Biases")
        self._run: Any = library.init(
            id=job_id,
            project=project,
            entity=entity,
            resume="allow",
            reinit="create_new",
            # What the program prints is no part of the job's metrics.
            settings=library.Settings(console="off"),
        )
        self._exit_code = 0
        self._open = True

    def close(self) -> None:
        """Send what is waiting and close the run."""
        if self._open:
            self._open = False
            self._run.finish(exit_code=self._exit_code)

    def _write(self, step: int, numbers: Mapping[str, float], measured_at: dt.datetime) -> None:
        if step >= self._run.starting_step:
            self._run.log(dict(numbers), step=step)

    def _write_outcome(self, status: str, fine_tuned_model: str | None) -> None:
        self._run.summary.update({"status": status, "fine_tuned_model": fine_tuned_model})
        self._exit_code = 0 if status == "succeeded" else 1
