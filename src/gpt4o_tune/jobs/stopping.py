"""Early stopping: cancel a job when its own measurements say that going on makes it worse."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Protocol

from gpt4o_tune._gateway import CALL_ERRORS, is_repeatable
from gpt4o_tune.errors import JobCancelledError, ProviderError
from gpt4o_tune.jobs.metrics import Metrics, from_events
from gpt4o_tune.jobs.reading import checkpoints_of
from gpt4o_tune.jobs.states import is_final, state_of

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.jobs.checkpoints import Checkpoint
    from gpt4o_tune.jobs.events import Event
    from gpt4o_tune.providers import Profile

__all__ = ["StopRule", "Stopping"]

log = logging.getLogger("gpt4o_tune")


class StopRule(Protocol):
    """Judges from a job's metrics whether to stop it; `EarlyStop` is one."""

    def reason(self, metrics: Metrics) -> str | None:
        """Return why to stop, or None to go on."""
        ...


class Stopping:
    """Shows a job's metrics to a rule as they arrive, and cancels the job once the rule says so.

    Raises:
        ProviderError: The service lists no events, so there are no metrics to judge while it trains.
    """

    def __init__(self, rule: StopRule, *, profile: Profile) -> None:
        if not profile.lists_events:
            raise ProviderError(
                f"{profile.name} lists no events, so a job cannot be stopped early by its metrics; "
                "leave early_stop out, and choose n_epochs with care"
            )
        self._rule = rule
        self._profile = profile
        self._events: list[Event] = []
        self._reason: str | None = None
        self._is_sent = False

    async def look(self, gateway: Gateway, job: FineTuningJob, fresh: list[Event]) -> None:
        """Take in new events of a job, and cancel it where the rule fires."""
        self._events += fresh
        if is_final(job) or self._is_sent:
            return
        if self._reason is None and any(event.kind == "metrics" for event in fresh):
            self._reason = self._rule.reason(self._metrics)
        if self._reason is not None:
            log.warning("job %s is cancelled: %s", job.id, self._reason)
            self._is_sent = await _cancel(gateway, job.id, self._profile)

    async def conclude(self, gateway: Gateway, job: FineTuningJob, *, patience: float) -> None:
        """Explain the end of a job that was cancelled here.

        Args:
            gateway: Where the job ran.
            job: The job as it ended.
            patience: Seconds to ask for its checkpoints.

        Raises:
            JobCancelledError: It was.
        """
        if self._reason is None or state_of(job) != "cancelled":
            return
        best = None
        # That the job was cancelled, and why, must be told even where its checkpoints cannot be.
        with contextlib.suppress(*CALL_ERRORS):
            listed = await checkpoints_of(gateway, job, self._profile, patience=patience)
            best = listed.best
        raise JobCancelledError(
            f"job {job.id!r} was cancelled by the early-stop rule: {self._reason}. "
            f"{_what_is_left(best, self._metrics)}",
            job_id=job.id,
            reason=self._reason,
            checkpoint=best.name if best else None,
        )

    @property
    def _metrics(self) -> Metrics:
        return from_events(self._events)


async def _cancel(gateway: Gateway, job_id: str, profile: Profile) -> bool:
    """Send the cancel once; False where it must be sent again at the next look."""
    try:
        await gateway.cancel_job(job_id, fields=profile.cancel_fields, patience=0.0)
    except CALL_ERRORS as error:
        if is_repeatable(error):
            return False
        # The job may have ended of itself meanwhile; then there is nothing left to stop.
        if not is_final(await gateway.retrieve_job(job_id)):
            raise
    return True


def _what_is_left(best: Checkpoint | None, metrics: Metrics) -> str:
    if best is not None:
        return f"Its best checkpoint is {best.name!r}, of step {best.step}."
    step = metrics.diagnosis.best_step
    target = "" if step is None else f", as many as reach step {step}, where it was lowest"
    return (
        "No checkpoint of it is listed: as a rule a job must succeed for its checkpoints to "
        f"stay. To have the model of that point, launch again with fewer epochs{target}."
    )
