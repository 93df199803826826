"""When to stop a run before its last epoch."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from gpt4o_tune._display import plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpt4o_tune.jobs.metrics import MetricRow

__all__ = ["EarlyStop"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class EarlyStop:
    """Stop when loss on the whole validation set has not improved for a while.

    A rule over what was measured, without a memory of its own: the same metrics give the same answer in
    every process. Losses on single validation batches are too noisy to act on, and play no part.

    OpenAI documents that checkpoints are listed after the job has succeeded, so a job cancelled there
    may leave no model behind. Look at `FineTuneJob.checkpoints()` before cancelling.

    Raises:
        ValueError: A setting lies outside its range.
    """

    patience: int = 2
    """Full validations in a row, one an epoch, that may pass without a new lowest loss."""
    min_rise: float = 0.0
    """How far above the lowest the last loss must lie, in nats per trained token."""

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise ValueError(f"patience must be 1 full validation or more, not {self.patience!r}")
        if not self.min_rise >= 0:
            raise ValueError(f"min_rise must be nats from 0 upwards, not {self.min_rise!r}")

    def should_stop(self, metrics: Iterable[MetricRow]) -> bool:
        """Say whether these metrics, in the order of their steps, call for an end."""
        return self.reason(metrics) is not None

    def reason(self, metrics: Iterable[MetricRow]) -> str | None:
        """Return why these metrics, in the order of their steps, call for an end; None if they do not."""
        measured = [
            (row.step, row.full_valid_loss if math.isfinite(row.full_valid_loss) else math.inf)
            for row in metrics
            if row.full_valid_loss is not None
        ]
        if len(measured) <= self.patience:
            return None
        best = min(range(len(measured)), key=lambda place: measured[place][1])
        (best_step, lowest), (last_step, last) = measured[best], measured[-1]
        since = len(measured) - 1 - best
        if math.isinf(lowest):
            return f"full validation loss has not been a finite number up to step {last_step}"
        if since < self.patience or last - lowest < self.min_rise:
            return None
        return (
            f"full validation loss was lowest at step {best_step} ({lowest:.3f}), and "
            f"{plural(since, 'full validation')} later, at step {last_step}, it is {last:.3f}"
        )
