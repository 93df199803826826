"""What loss curves say, by stated rules.

The thresholds are this library's own working values, meant to point at a run worth a second look; they
are not limits that a provider publishes.
"""

from __future__ import annotations

import dataclasses
import math
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpt4o_tune.jobs.metrics import MetricRow

__all__ = ["Diagnosis", "Finding"]

FEWEST_STEPS = 10
"""Fewer measured training steps say nothing."""
RISE = 1.05
"""Overfitting: the last validation loss is at least this factor above the lowest one before it."""
STILL_FALLING = 0.85
"""Underfitting: the last fifth of the steps still lowers training loss to this share of the fifth before."""


class Finding(StrEnum):
    """The kinds of diagnosis."""

    TOO_FEW_POINTS = "too few points"
    DIVERGED = "diverged"
    OVERFITTING = "overfitting"
    UNDERFITTING = "underfitting"
    SOUND = "sound"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """A finding with its reason and what to do about it."""

    finding: Finding
    reason: str
    advice: str
    best_step: int | None = None
    """The step with the lowest validation loss, where validation was measured."""

    def __str__(self) -> str:
        return f"Diagnosis: {self.finding}. {self.reason} {self.advice}".rstrip()


def diagnose(rows: Sequence[MetricRow]) -> Diagnosis:
    """Judge a run by its curves; the first rule that holds names the finding."""
    training = [row.train_loss for row in rows if row.train_loss is not None]
    validation = _validation(rows)
    best_step = min(validation, key=lambda point: point[1])[0] if validation else None
    if len(training) < FEWEST_STEPS:
        return Diagnosis(
            finding=Finding.TOO_FEW_POINTS,
            reason=f"{len(training)} training steps were measured; {FEWEST_STEPS} are needed.",
            advice="Wait, or train on more rows or epochs.",
            best_step=best_step,
        )
    return (
        _diverged(training, best_step)
        or _overfitting(validation, best_step)
        or _underfitting(training, best_step)
        or Diagnosis(
            finding=Finding.SOUND,
            reason=_sound_reason(validation),
            advice="",
            best_step=best_step,
        )
    )


def _validation(rows: Sequence[MetricRow]) -> list[tuple[int, float]]:
    full = [(row.step, row.full_valid_loss) for row in rows if row.full_valid_loss is not None]
    if full:
        return full
    return [(row.step, row.valid_loss) for row in rows if row.valid_loss is not None]


def _diverged(training: Sequence[float], best_step: int | None) -> Diagnosis | None:
    fifth = max(1, len(training) // 5)
    first, last = _mean(training[:fifth]), _mean(training[-fifth:])
    if math.isfinite(last) and last <= first:
        return None
    return Diagnosis(
        finding=Finding.DIVERGED,
        reason=f"Training loss ended at {last:.2f}, not below its start of {first:.2f}.",
        advice="Lower learning_rate_multiplier, and look for rows that contradict each other.",
        best_step=best_step,
    )


def _overfitting(
    validation: Sequence[tuple[int, float]], best_step: int | None
) -> Diagnosis | None:
    if len(validation) < 2 or best_step is None:
        return None
    lowest, (last_step, last) = min(loss for _, loss in validation), validation[-1]
    if last < lowest * RISE or best_step == last_step:
        return None
    return Diagnosis(
        finding=Finding.OVERFITTING,
        reason=(
            f"Validation loss was lowest at step {best_step} ({lowest:.3f}) and rose to "
            f"{last:.3f} by step {last_step}."
        ),
        advice=f"Prefer the checkpoint nearest step {best_step}, use fewer epochs, or add rows.",
        best_step=best_step,
    )


def _underfitting(training: Sequence[float], best_step: int | None) -> Diagnosis | None:
    fifth = max(2, len(training) // 5)
    before, last = _mean(training[-2 * fifth : -fifth]), _mean(training[-fifth:])
    if last > before * STILL_FALLING or last < 0.1:
        return None
    return Diagnosis(
        finding=Finding.UNDERFITTING,
        reason=f"Training loss was still falling at the end, from {before:.2f} to {last:.2f}.",
        advice="Train for more epochs.",
        best_step=best_step,
    )


def _sound_reason(validation: Sequence[tuple[int, float]]) -> str:
    if not validation:
        return "Training loss fell and levelled off; there was no validation set to tell overfitting by."
    return "Training loss fell, and validation loss did not turn upwards."


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
