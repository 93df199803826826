"""Waiting for a job: until it is final, however the network behaves in between."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gpt4o_tune.errors import JobTimeoutError
from gpt4o_tune.jobs.events import in_order
from gpt4o_tune.jobs.progress import Progress
from gpt4o_tune.jobs.states import is_final, state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.jobs.events import Event

__all__ = ["await_end", "check_knobs"]

SHORTEST_POLL, LONGEST_POLL, GROWTH = 0.5, 20.0, 1.4
"""Seconds between two looks: they grow while nothing happens and start anew when something did."""
OUTAGE_PATIENCE = 3600.0
"""Seconds for which a service may be out of reach before the wait gives up."""


def check_knobs(timeout: float | None, poll_interval: float | None) -> None:
    """Refuse waiting times that make no sense, before the first request.

    Raises:
        ValueError: A time is negative or not a number.
    """
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"timeout must be seconds from 0 upwards or None, not {timeout!r}")
    if poll_interval is not None and not 0 < poll_interval < float("inf"):
        raise ValueError(f"poll_interval must be seconds above 0 or None, not {poll_interval!r}")


async def await_end(
    gateway: Gateway,
    job_id: str,
    *,
    timeout: float | None,
    poll_interval: float | None,
    lists_events: bool,
    on_event: Callable[[Event], None] | None,
    progress: bool | None,
) -> FineTuningJob:
    """Look at a job until it is final; hand every event on, once and oldest first.

    Raises:
        JobTimeoutError: The deadline passed; the job goes on.
    """
    end = float("inf") if timeout is None else gateway.now() + timeout
    seen: frozenset[str] = frozenset()
    line = Progress(job_id, progress=progress)
    pause = SHORTEST_POLL
    try:
        while True:
            patience = max(0.0, min(OUTAGE_PATIENCE, end - gateway.now()))
            job = await gateway.retrieve_job(job_id, patience=patience)
            fresh = (
                in_order(await gateway.list_events(job_id, known=seen, patience=patience))
                if lists_events
                else []
            )
            seen |= {event.id for event in fresh}
            line.update(state_of(job), fresh, gateway.now())
            for event in fresh if on_event is not None else ():
                on_event(event)  # type: ignore[misc]  # only reached with a callback
            if is_final(job):
                return job
            pause = SHORTEST_POLL if fresh else min(pause * GROWTH, LONGEST_POLL)
            left = end - gateway.now()
            if left <= 0:
                raise JobTimeoutError(
                    f"job {job_id!r} is still {state_of(job)!r} after {timeout:g} s. It goes on; wait "
                    f"again with FineTuneJob.get({job_id!r}).wait()",
                    job_id=job_id,
                )
            # A tenth of jitter keeps many waiting processes from asking in step.
            chosen = poll_interval or pause * random.uniform(0.9, 1.1)  # noqa: S311
            await gateway.sleep(min(chosen, left))
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(
            f"Only the wait was interrupted. Job {job_id!r} goes on; reattach with "
            f"FineTuneJob.get({job_id!r}).wait(), or stop it with .cancel()."
        )
        raise
    finally:
        line.close()
