"""Launching a job: create at most once.

`docs/design/never-two.md` states what is guaranteed and what cannot be without help from the server.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
from typing import TYPE_CHECKING

from gpt4o_tune._gateway import (
    CALL_ERRORS,
    LOOK_UP_PATIENCE,
    READ_PATIENCE,
    UnconfirmedError,
    send_once,
)
from gpt4o_tune.errors import JobError, ProviderError
from gpt4o_tune.jobs.live_dates import require_not_ending
from gpt4o_tune.jobs.plan import FINGERPRINT_KEY, IfExists, LaunchPlan
from gpt4o_tune.jobs.progress import uploading_line
from gpt4o_tune.jobs.states import is_final, state_of, succeeded
from gpt4o_tune.jobs.uploading import ensure_file

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.data import Dataset

__all__ = ["distinct", "launch"]

log = logging.getLogger("gpt4o_tune")

JOBS_SEARCHED = 1000
"""How many of the newest jobs are searched where the server ignores the metadata filter."""


@dataclasses.dataclass(frozen=True, slots=True)
class Launched:
    """A job that runs for a plan, and whether it was there before."""

    job: FineTuningJob
    adopted: bool


def distinct(plan: LaunchPlan) -> LaunchPlan:
    """Return a plan that is taken for no equal one, by this launch or by anybody else's."""
    unique = f"{plan.fingerprint[:32]}-{secrets.token_hex(8)}"
    return dataclasses.replace(plan, fingerprint=unique)


async def launch(
    gateway: Gateway, plan: LaunchPlan, *, if_exists: IfExists, progress: bool | None = False
) -> Launched:
    """Upload what is not there yet and create the job, or adopt an equal one.

    Args:
        gateway: Where to launch.
        plan: What to launch; made `distinct` where `if_exists` is `"new"`.
        if_exists: What to do about an equal job.
        progress: False is silent, True always writes, None writes only to a terminal or notebook.

    Raises:
        ModelRetiredError: The service itself names an end of the model that is past or too near.
        JobError: An equal job exists and `if_exists` is `"error"`.
        DatasetError: The service rejected an uploaded file.
        ProviderError: The create stayed unconfirmed, and this service cannot tell whether a job exists.
    """
    if if_exists != "new" and (equals := await _equal_jobs(gateway, plan)):
        if if_exists == "error":
            equal = equals[0]
            raise JobError(
                f"an equal job exists: {equal.id!r} ({state_of(equal)}). Take it with "
                f"FineTuneJob.get({equal.id!r}), or launch another with if_exists='new'",
                job_id=equal.id,
            )
        # An earlier launch may have been killed before it could look for twins.
        equal = await _keep_first(gateway, plan, equals)
        log.info("adopted job %s (%s): same data, same settings", equal.id, state_of(equal))
        return Launched(equal, adopted=True)
    await require_not_ending(gateway, plan)
    training = await _upload(gateway, plan, plan.training, progress)
    validation = None
    if plan.validation is not None:
        validation = await _upload(gateway, plan, plan.validation, progress)
    return await _create(gateway, plan, plan.request(training, validation))


async def _upload(gateway: Gateway, plan: LaunchPlan, rows: Dataset, progress: bool | None) -> str:
    with uploading_line(progress=progress) as on_progress:
        file = await ensure_file(
            gateway,
            rows,
            provider=plan.provider,
            expires_after=plan.file_expires_after,
            on_progress=on_progress,
        )
    return file.id


async def _create(gateway: Gateway, plan: LaunchPlan, request: dict[str, object]) -> Launched:
    if not plan.provider.profile.keeps_metadata:
        return Launched(await _create_unseen(gateway, request), adopted=False)

    async def look_up() -> FineTuningJob | None:
        jobs = await _equal_jobs(gateway, plan, patience=LOOK_UP_PATIENCE)
        return jobs[0] if jobs else None

    job = await send_once(gateway, lambda: gateway.create_job(request), look_up)
    try:
        kept = await _without_twins(gateway, plan, job)
    except CALL_ERRORS as error:
        error.add_note(
            f"Job {job.id!r} was created, but could not be compared with equal ones. Launch again: it "
            f"will be adopted. Or take it with FineTuneJob.get({job.id!r})."
        )
        raise
    return Launched(kept, adopted=kept.id != job.id)


async def _create_unseen(gateway: Gateway, request: dict[str, object]) -> FineTuningJob:
    """Create at a service where no job can be looked up: repeat what was refused for now, nothing else."""

    async def create() -> FineTuningJob:
        try:
            return await gateway.create_job(request)
        except UnconfirmedError as unconfirmed:
            if not unconfirmed.may_have_taken_effect:
                raise
            raise ProviderError(
                f"creating the job failed ({unconfirmed}), and this service keeps no metadata by "
                "which to tell whether the job exists all the same. Look at its list of jobs "
                "before you launch again"
            ) from unconfirmed.error

    async def look_up() -> None:
        return None

    return await send_once(gateway, create, look_up)


async def _without_twins(gateway: Gateway, plan: LaunchPlan, job: FineTuningJob) -> FineTuningJob:
    """Look for equal jobs that were made at the same moment, and keep one of all."""
    jobs = await _equal_jobs(gateway, plan, patience=LOOK_UP_PATIENCE)
    if jobs and all(twin.id != job.id for twin in jobs):
        # Ours is not listed yet, or the process that made the twin has cancelled it.
        ours = await gateway.retrieve_job(job.id, patience=LOOK_UP_PATIENCE)
        jobs = [*jobs, ours] if not is_final(ours) else jobs
    return await _keep_first(gateway, plan, jobs or [job])


async def _keep_first(
    gateway: Gateway, plan: LaunchPlan, jobs: list[FineTuningJob]
) -> FineTuningJob:
    """Cancel all but the first of equal jobs, before they train, and return the first."""
    first, *twins = jobs
    for twin in twins:
        if not is_final(twin):
            log.warning("job %s is a second copy of %s: cancelled", twin.id, first.id)
            await _cancel(gateway, plan, twin)
    return first


async def _cancel(gateway: Gateway, plan: LaunchPlan, twin: FineTuningJob) -> None:
    try:
        await gateway.cancel_job(twin.id, fields=plan.provider.profile.cancel_fields)
    except CALL_ERRORS:
        if not is_final(await gateway.retrieve_job(twin.id, patience=LOOK_UP_PATIENCE)):
            raise


async def _equal_jobs(
    gateway: Gateway, plan: LaunchPlan, *, patience: float = READ_PATIENCE
) -> list[FineTuningJob]:
    """Return the equal jobs that run or have succeeded, the one to keep first.

    That is one that has succeeded, else the oldest. Every process must choose alike, so jobs of the
    same second keep the order of the server's list, which each of them sees, and not that of their ids.
    """
    if not plan.provider.profile.keeps_metadata:
        return []
    wanted = {FINGERPRINT_KEY: plan.fingerprint}
    newest_first = await gateway.find_jobs(wanted, most=JOBS_SEARCHED, patience=patience)
    equal = [
        job
        for job in reversed(newest_first)
        # Some servers ignore the filter and list every job.
        if (job.metadata or {}).get(FINGERPRINT_KEY) == plan.fingerprint
        and (succeeded(job) or not is_final(job))
    ]
    return sorted(equal, key=lambda job: (not succeeded(job), float(job.created_at or 0)))
