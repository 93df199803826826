"""Waiting for a job: until it is final, however the network behaves in between.

`docs/design/waiting.md` gives the reasons for the constants and what they cost.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, NoReturn

from gpt4o_tune._gateway import CALL_ERRORS, is_repeatable
from gpt4o_tune.errors import JobTimeoutError
from gpt4o_tune.jobs.events import in_order
from gpt4o_tune.jobs.progress import Progress
from gpt4o_tune.jobs.states import is_final, state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.jobs.events import Event
    from gpt4o_tune.jobs.stopping import Stopping

__all__ = ["await_end", "check_knobs"]

log = logging.getLogger("gpt4o_tune")

POLL_SHARE = 0.05
"""The pause between two looks, as a share of the time waited so far."""
SHORTEST_POLL, LONGEST_POLL = 0.5, 20.0
"""Bounds of that pause in seconds."""
OUTAGE_PATIENCE = 3900.0
"""Seconds for which a service may be out of reach: an hour, and time to be found back after it."""
EVENTS_PATIENCE = 30.0
"""Seconds for which events are asked for while the job goes on; the next look fetches what is missing."""
LAST_EVENTS_PATIENCE = 600.0
"""Seconds for which events are asked for once the job has ended."""


def check_knobs(
    timeout: float | None, poll_interval: float | None, ready_timeout: float = 0.0
) -> None:
    """Refuse waiting times that make no sense, before the first request.

    Raises:
        ValueError: A time is negative or not a number.
    """
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"timeout must be seconds from 0 upwards or None, not {timeout!r}")
    if poll_interval is not None and not 0 < poll_interval < float("inf"):
        raise ValueError(f"poll_interval must be seconds above 0 or None, not {poll_interval!r}")
    if not 0 <= ready_timeout < float("inf"):
        raise ValueError(f"ready_timeout must be seconds from 0 upwards, not {ready_timeout!r}")


async def await_end(
    gateway: Gateway,
    job_id: str,
    *,
    timeout: float | None,
    poll_interval: float | None,
    lists_events: bool,
    on_event: Callable[[Event], None] | None,
    progress: bool | None,
    stopping: Stopping | None = None,
) -> FineTuningJob:
    """Look at a job until it is final; hand every event on, once and oldest first.

    Raises:
        JobTimeoutError: The deadline passed; the job goes on.
    """
    follower = _Follower(gateway, job_id, timeout)
    line = Progress(job_id, progress=progress)
    # Where nobody reads events, half of all requests are saved.
    reads_events = lists_events and (line.is_seen or on_event is not None or stopping is not None)
    try:
        while True:
            job = await follower.look()
            fresh = await follower.fresh_events(final=is_final(job)) if reads_events else []
            line.update(state_of(job), fresh, gateway.now())
            if on_event is not None:
                for event in fresh:
                    on_event(event)
            if stopping is not None:
                await stopping.look(gateway, job, fresh)
            if is_final(job):
                return job
            if follower.left() <= 0:
                follower.give_up(f"is still {state_of(job)!r}")
            pause = follower.pause() if poll_interval is None else poll_interval
            await gateway.sleep(min(pause, follower.left()))
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(
            f"Only the wait was interrupted. Job {job_id!r} goes on; reattach with "
            f"FineTuneJob.get({job_id!r}).wait(), or stop it with .cancel()."
        )
        raise
    finally:
        line.close()


class _Follower:
    """Looks at one job, within one deadline, and knows which events it has seen."""

    def __init__(self, gateway: Gateway, job_id: str, timeout: float | None) -> None:
        self._gateway = gateway
        self._job_id = job_id
        self._start = gateway.now()
        self._timeout = float("inf") if timeout is None else timeout
        self._seen: frozenset[str] = frozenset()
        self._reads_events = True

    def left(self) -> float:
        """Return the seconds until the deadline, 0 once it has passed."""
        return max(0.0, self._start + self._timeout - self._gateway.now())

    def pause(self) -> float:
        """Return the seconds until the next look."""
        waited = self._gateway.now() - self._start
        # A tenth of jitter keeps many waiting processes from asking in step.
        jitter = random.uniform(0.9, 1.1)  # noqa: S311
        return jitter * min(LONGEST_POLL, max(SHORTEST_POLL, POLL_SHARE * waited))

    def give_up(self, what: str, error: BaseException | None = None) -> NoReturn:
        """Raise that the deadline came first."""
        raise JobTimeoutError(
            f"job {self._job_id!r} {what} after {self._timeout:g} s. It goes on; wait again with "
            f"FineTuneJob.get({self._job_id!r}).wait()",
            job_id=self._job_id,
        ) from error

    async def look(self) -> FineTuningJob:
        """Return the job as it is now.

        Raises:
            JobTimeoutError: The service stayed out of reach until the deadline.
        """
        patience = min(OUTAGE_PATIENCE, self.left())
        try:
            return await self._gateway.retrieve_job(self._job_id, patience=patience)
        except CALL_ERRORS as error:
            if is_repeatable(error) and patience < OUTAGE_PATIENCE:
                self.give_up("could not be looked at", error)
            error.add_note(
                f"Only the wait has ended. Job {self._job_id!r} goes on; reattach with "
                f"FineTuneJob.get({self._job_id!r}).wait()."
            )
            raise

    async def fresh_events(self, *, final: bool) -> list[Event]:
        """Return the events that were not seen before, oldest first.

        Events that cannot be read stop no wait: the state alone decides.
        """
        if not final and self.left() <= 0:
            return []
        patience = min(LAST_EVENTS_PATIENCE if final else EVENTS_PATIENCE, self.left())
        try:
            newest_first = await self._gateway.list_events(
                self._job_id, known=self._seen, patience=patience
            )
        except CALL_ERRORS as error:
            level = logging.WARNING if self._reads_events or final else logging.INFO
            log.log(level, "events of job %s cannot be read: %s", self._job_id, error)
            self._reads_events = False
            return []
        fresh = in_order(newest_first)
        self._seen |= {event.id for event in fresh}
        self._reads_events = True
        return fresh
