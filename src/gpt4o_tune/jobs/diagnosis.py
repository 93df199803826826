"""What loss curves say, by stated rules.

Losses of single batches are noisy, so they are never compared one by one: a curve is cut into fifths,
each fifth stands for the median of its losses, and two fifths differ only if they do so by more than
`CHANCE` standard errors. Loss on the whole validation set is taken as it is, because every measurement
is over the same rows.

The thresholds are this library's own working values, meant to point at a run worth a second look; they
are not limits that a provider publishes. `docs/reference/metrics.md` gives the reason for each.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune._display import paragraph, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpt4o_tune.jobs.metrics import MetricRow

__all__ = ["Diagnosis", "Finding"]

FEWEST_STEPS = 10
"""Fewer measured losses say nothing: a fifth of ten is two, the least that evens anything out."""
CHANCE = 3.0
"""Standard errors that two noisy fifths must differ by before they count as different."""
OVERFITTING_RISE = 1.05
"""Overfitting: the last validation loss is at least this factor above the lowest one before it."""
SMALLEST_RISE = 0.01
"""Overfitting: a rise in nats per token below this one is none, whatever the factor."""
DIVERGENCE_RISE = 1.2
"""Divergence: the last fifth of training losses is at least this factor above the lowest one before it."""
LARGEST_WOBBLE = 0.1
"""Divergence: a rise in nats per token below this one is none, whatever the factor."""
STILL_FALLING = 0.85
"""Underfitting: the last fifth lowers training loss to this share of the fifth before, or less."""
LEARNT = 0.1
"""A training loss in nats per token under which there is nothing left to learn."""
STANDSTILL = 0.02
"""Plateau: the third and the last quarter of training losses differ by no more than this share."""
BLUR = 0.1
"""Plateau: where noise could hide a change of this share, nothing is said about a standstill."""
HIGH_LOSS = 1.0
"""Plateau: nats per token from which a loss is high; the model wavers between e = 2.7 tokens."""
HARDLY_LOWER = 0.9
"""Plateau: the share of the first loss from which the last is still high."""


class Finding(StrEnum):
    """The kinds of diagnosis."""

    TOO_FEW_POINTS = "too few points"
    DIVERGED = "diverged"
    OVERFITTING = "overfitting"
    UNDERFITTING = "underfitting"
    PLATEAU = "plateau"
    SOUND = "sound"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """A finding with its reason and what to do about it."""

    finding: Finding
    reason: str
    advice: str
    best_step: int | None = None
    """The step with the lowest validation loss, where validation was measured.

    Where only batches were measured, the step in the middle of the best fifth.
    """

    def __str__(self) -> str:
        return paragraph(f"Diagnosis: {self.finding}. {self.reason} {self.advice}".rstrip())


class _Point(NamedTuple):
    step: int
    loss: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Curve:
    """Losses to compare, and the standard error of the difference between two of them."""

    points: Sequence[_Point]
    error: float

    @property
    def last(self) -> _Point:
        return self.points[-1]

    @property
    def lowest(self) -> _Point:
        return min(self.points, key=lambda point: point.loss)

    def rose(self, factor: float, *, least: float) -> bool:
        """Say whether the curve ends that much above its lowest point, and not by chance."""
        low = self.lowest.loss
        enough = max((factor - 1) * abs(low), least, CHANCE * self.error)
        return self.last.loss - low >= enough


def diagnose(rows: Sequence[MetricRow]) -> Diagnosis:
    """Judge a run by its curves; the first rule that holds names the finding."""
    rewards = _finite(_measured(rows, "train_reward"))
    if rewards and not _measured(rows, "train_loss"):
        return _by_rewards(rewards, _finite(_measured(rows, "valid_reward")))
    training, full = _measured(rows, "train_loss"), _measured(rows, "full_valid_loss")
    validation = _validation(_finite(full), _finite(_measured(rows, "valid_loss")))
    found = (
        _not_a_number(training, "Training")
        or _not_a_number(full, "Validation")
        or _too_few(_finite(training))
        or _judged(_finite(training), validation, of_pairs=bool(_measured(rows, "train_margin")))
    )
    best_step = validation.lowest.step if validation else None
    return dataclasses.replace(found, best_step=best_step)


def _judged(training: Sequence[_Point], validation: _Curve | None, *, of_pairs: bool) -> Diagnosis:
    fifths = _parts(training, 5)
    return (
        _diverged(fifths)
        or _overfitting(validation)
        # A loss of pairs falls for as long as the preferred answers are pushed, well past enough.
        or (None if of_pairs else _underfitting(fifths, validation))
        or _plateau(training)
        or _sound(fifths, validation)
    )


def _by_rewards(training: Sequence[_Point], validation: Sequence[_Point]) -> Diagnosis:
    """Judge reinforcement, which has no loss, by whether its rewards rose; here a point's loss is a reward."""
    best_step = max(validation, key=lambda point: point.loss).step if validation else None
    if len(training) < FEWEST_STEPS:
        reason = (
            f"{plural(len(training), 'mean reward')} measured; a judgement takes {FEWEST_STEPS}."
        )
        finding, advice = Finding.TOO_FEW_POINTS, "Wait, or train on more rows or epochs."
        return Diagnosis(finding=finding, reason=reason, advice=advice, best_step=best_step)
    fifths = _parts(training, 5)
    first, last = fifths.points[0].loss, fifths.last.loss
    course = f"from {first:.2f} to {last:.2f}"
    if abs(last - first) <= max(SMALLEST_RISE, CHANCE * fifths.error):
        finding, reason = Finding.PLATEAU, f"The mean reward went {course}, no more than by chance."
        advice = (
            "Rewards teach only where some answers to a prompt earn more than others: look at answers and "
            "their grades, or start from a model that is right more often."
        )
    elif last < first:
        finding, reason = Finding.DIVERGED, f"The mean reward fell {course}."
        advice = "Lower learning_rate_multiplier."
    else:
        finding, reason, advice = Finding.SOUND, f"The mean reward rose {course}.", ""
    return Diagnosis(finding=finding, reason=reason, advice=advice, best_step=best_step)


def _measured(rows: Sequence[MetricRow], name: str) -> list[_Point]:
    losses = ((row.step, getattr(row, name)) for row in rows)
    return [_Point(step, loss) for step, loss in losses if loss is not None]


def _finite(points: Sequence[_Point]) -> list[_Point]:
    return [point for point in points if math.isfinite(point.loss)]


def _validation(full: Sequence[_Point], batches: Sequence[_Point]) -> _Curve | None:
    """Take the full validations, or the fifths of single batches where those are too few."""
    if len(full) < 2 and len(batches) >= FEWEST_STEPS:
        return _parts(batches, 5)
    return _Curve(full, error=0.0) if full else None


def _parts(points: Sequence[_Point], count: int) -> _Curve:
    """Cut a curve into equal parts; what does not fit evenly is left out after the first part."""
    size = len(points) // count
    spare = len(points) - size * count
    starts = [0, *(spare + size * part for part in range(1, count))]
    parts = [points[start : start + size] for start in starts]
    middles = [_Point(part[size // 2].step, median(point.loss for point in part)) for part in parts]
    # The median of normal noise varies pi/2 times as much as its mean, the difference of two twice that.
    error = _noise([point.loss for point in points]) * math.sqrt(math.pi / size)
    return _Curve(middles, error)


def _noise(losses: Sequence[float]) -> float:
    """Estimate the standard deviation around the trend, from each loss and its two neighbours.

    How far a loss lies from the middle between its neighbours holds no steady trend (the
    pseudo-residuals of Gasser, Sroka and Jennen-Steinmetz, 1986). The median size of that distance is
    0.826 standard deviations of normal noise, and heeds neither spikes nor a steep start.
    """
    triples = zip(losses, losses[1:], losses[2:], strict=False)
    return median(abs(loss - (left + right) / 2) for left, loss, right in triples) / 0.826


def _not_a_number(points: Sequence[_Point], curve: str) -> Diagnosis | None:
    if not points or math.isfinite(points[-1].loss):
        return None
    lost = itertools.takewhile(lambda point: not math.isfinite(point.loss), reversed(points))
    *_, first = lost
    return Diagnosis(
        finding=Finding.DIVERGED,
        reason=f"{curve} loss is not a finite number any more since step {first.step}.",
        advice="Lower learning_rate_multiplier, and look for rows that are broken or very long.",
    )


def _too_few(training: Sequence[_Point]) -> Diagnosis | None:
    if len(training) >= FEWEST_STEPS:
        return None
    return Diagnosis(
        finding=Finding.TOO_FEW_POINTS,
        reason=(
            f"{plural(len(training), 'training loss', 'training losses')} measured; a judgement takes "
            f"{FEWEST_STEPS}."
        ),
        advice="Wait, or train on more rows or epochs.",
    )


def _diverged(fifths: _Curve) -> Diagnosis | None:
    if not fifths.rose(DIVERGENCE_RISE, least=LARGEST_WOBBLE):
        return None
    low, last = fifths.lowest, fifths.last
    return Diagnosis(
        finding=Finding.DIVERGED,
        reason=f"Training loss rose from {low.loss:.2f} around step {low.step} to {last.loss:.2f} at the end.",
        advice="Lower learning_rate_multiplier, and look for rows that contradict each other.",
    )


def _overfitting(validation: _Curve | None) -> Diagnosis | None:
    if validation is None or not validation.rose(OVERFITTING_RISE, least=SMALLEST_RISE):
        return None
    low, last = validation.lowest, validation.last
    return Diagnosis(
        finding=Finding.OVERFITTING,
        reason=(
            f"Validation loss was lowest at step {low.step} ({low.loss:.3f}) and rose to "
            f"{last.loss:.3f} by step {last.step}."
        ),
        advice=f"Prefer the checkpoint nearest step {low.step}, use fewer epochs, or add rows.",
    )


def _underfitting(fifths: _Curve, validation: _Curve | None) -> Diagnosis | None:
    before, last = fifths.points[-2].loss, fifths.last.loss
    by_chance = before - last < CHANCE * fifths.error
    if last > before * STILL_FALLING or last < LEARNT or by_chance:
        return None
    if validation is not None and validation.lowest != validation.last:
        return None
    return Diagnosis(
        finding=Finding.UNDERFITTING,
        reason=f"Training loss was still falling at the end, from {before:.2f} to {last:.2f}.",
        advice="Train for more epochs.",
    )


def _plateau(training: Sequence[_Point]) -> Diagnosis | None:
    quarters = _parts(training, 4)
    start, third, last = training[0].loss, quarters.points[-2].loss, quarters.last.loss
    by_chance = CHANCE * quarters.error
    stands = abs(third - last) <= max(STANDSTILL * last, by_chance)
    is_high = last >= HIGH_LOSS or last >= max(HARDLY_LOWER * start, LEARNT)
    if not (stands and is_high and by_chance <= BLUR * last):
        return None
    return Diagnosis(
        finding=Finding.PLATEAU,
        reason=(
            f"Training loss stood still at {last:.2f} over the second half; it began at {start:.2f}."
        ),
        advice=(
            "Raise learning_rate_multiplier, and look for rows whose answers do not follow from their "
            "prompts. Free prose has many right wordings, and may well end here."
        ),
    )


def _sound(fifths: _Curve, validation: _Curve | None) -> Diagnosis:
    course = f"Training loss went from {fifths.points[0].loss:.2f} to {fifths.last.loss:.2f}"
    if validation is None or len(validation.points) < 2:
        reason = f"{course}; validation was not measured often enough to tell overfitting by."
    else:
        reason = f"{course}, and validation loss did not turn upwards."
    return Diagnosis(finding=Finding.SOUND, reason=reason, advice="")
