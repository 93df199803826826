"""How scripted jobs live: `Transitions` says when they move on, `Outcome` how they end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

_MODERATED = (
    "The job failed due to an unsafe training file: it was blocked because too many examples were "
    "flagged by our moderation API in the following categories: {categories}."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transitions:
    """How long a job stays in each state. Make one with `immediate`, `after_reads` or `after_seconds`.

    Steps and events are spread evenly over `running`.

    Example:
        >>> Transitions.after_reads(2)
        Transitions(unit='reads', validating=2, queued=2, running=2)
    """

    unit: Literal["reads", "seconds"]
    """What is counted: answered look-ups of the job by its id, or seconds of the service's clock."""
    validating: float
    queued: float
    running: float

    def __post_init__(self) -> None:
        if min(self.validating, self.queued, self.running) < 0:
            raise ValueError("a job cannot leave a state before it came into it: give 0 or more")

    @classmethod
    def immediate(cls) -> Self:
        """A job is over when it is first looked at."""
        return cls(unit="seconds", validating=0, queued=0, running=0)

    @classmethod
    def after_reads(cls, reads: int) -> Self:
        """Each of the states `validating_files`, `queued` and `running` is seen by so many look-ups."""
        return cls(unit="reads", validating=reads, queued=reads, running=reads)

    @classmethod
    def after_seconds(cls, seconds: float) -> Self:
        """A job takes so many seconds: 2% are validation, 8% the queue, the rest is training."""
        return cls(
            unit="seconds",
            validating=0.02 * seconds,
            queued=0.08 * seconds,
            running=0.9 * seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one job ends. Make one with `succeeded`, `failed`, `moderation_block` or `cancelled`."""

    status: Literal["succeeded", "failed", "cancelled"] = "succeeded"
    code: str = ""
    """The error code of a failed job."""
    message: str = ""
    param: str | None = None
    after_steps: int | None = None
    """How many steps are trained first; None for none: the job ends out of `validating_files`."""
    train_loss: Sequence[float] = ()
    """Losses at even distances over the training, with straight lines between them."""
    valid_loss: Sequence[float] = ()

    @classmethod
    def succeeded(
        cls, *, train_loss: Sequence[float] = (), valid_loss: Sequence[float] = ()
    ) -> Self:
        """The job ends well.

        Args:
            train_loss: The curve to report, as points at even distances; empty for one that falls.
            valid_loss: Likewise for validation, where the job has a validation file.
        """
        return cls(train_loss=train_loss, valid_loss=valid_loss)

    @classmethod
    def failed(
        cls,
        code: str = "server_error",
        *,
        message: str = "The job failed because its script says so.",
        param: str | None = None,
        after_steps: int | None = None,
    ) -> Self:
        """The job fails with this error, out of validation or after so many steps."""
        return cls(
            status="failed", code=code, message=message, param=param, after_steps=after_steps
        )

    @classmethod
    def moderation_block(cls, *categories: str) -> Self:
        """The training file is refused as unsafe, as OpenAI words it."""
        return cls.failed(
            "invalid_training_file",
            message=_MODERATED.format(categories=", ".join(categories or ("hate",))),
            param="training_file",
        )

    @classmethod
    def cancelled(cls, *, after_steps: int | None = None) -> Self:
        """Somebody else cancels the job, out of validation or after so many steps."""
        return cls(status="cancelled", after_steps=after_steps)
