"""Launching a job: create at most once.

`docs/design/never-two.md` states what is guaranteed and what cannot be without help from the server.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
from typing import TYPE_CHECKING

from gpt4o_tune._gateway import UnconfirmedError
from gpt4o_tune.errors import JobError, ProviderError
from gpt4o_tune.jobs.plan import FINGERPRINT_KEY, IfExists, LaunchPlan
from gpt4o_tune.jobs.states import is_final, state_of, succeeded
from gpt4o_tune.jobs.uploading import ensure_file

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway

__all__ = ["launch"]

log = logging.getLogger("gpt4o_tune")

ATTEMPTS = 3
"""How often the create is sent at most, each time only after a look-up found nothing."""
SETTLING = (0.5, 1.5, 4.0)
"""Seconds before each look-up after a doubtful failure; the server may still be at work."""
JOBS_SEARCHED = 1000
"""How many of the newest jobs are searched where the server ignores the metadata filter."""


@dataclasses.dataclass(frozen=True, slots=True)
class Launched:
    """A job that runs for a plan, and whether it was there before."""

    job: FineTuningJob
    adopted: bool


async def launch(gateway: Gateway, plan: LaunchPlan, *, if_exists: IfExists) -> Launched:
    """Upload what is not there yet and create the job, or adopt an equal one.

    Raises:
        JobError: An equal job exists and `if_exists` is `"error"`.
        DatasetError: The service rejected an uploaded file.
        ProviderError: The create stayed unconfirmed, and this service cannot tell whether a job exists.
    """
    if if_exists == "new":
        # A launch of its own must not be taken for an equal one, by itself or by anybody else.
        unique = f"{plan.fingerprint[:32]}-{secrets.token_hex(8)}"
        plan = dataclasses.replace(plan, fingerprint=unique)
    elif (equal := await _find_equal(gateway, plan)) is not None:
        if if_exists == "error":
            raise JobError(
                f"an equal job exists: {equal.id!r} ({state_of(equal)}). Take it with "
                f"FineTuneJob.get({equal.id!r}), or launch another with if_exists='new'",
                job_id=equal.id,
            )
        log.info("adopted job %s (%s): same data, same settings", equal.id, state_of(equal))
        return Launched(equal, adopted=True)
    training = await ensure_file(gateway, plan.training, profile=plan.provider.profile)
    validation = None
    if plan.validation is not None:
        file = await ensure_file(gateway, plan.validation, profile=plan.provider.profile)
        validation = file.id
    job = await _create(gateway, plan, plan.request(training.id, validation))
    return Launched(job, adopted=False)


async def _create(gateway: Gateway, plan: LaunchPlan, request: dict[str, object]) -> FineTuningJob:
    doubts: list[UnconfirmedError] = []
    while len(doubts) < ATTEMPTS:
        try:
            job = await gateway.create_job(request)
        except UnconfirmedError as unconfirmed:
            doubts.append(unconfirmed)
            if not plan.provider.profile.keeps_metadata:
                raise ProviderError(
                    f"creating the job failed ({unconfirmed}), and this service keeps no metadata by "
                    "which to tell whether the job exists all the same. Look at its list of jobs "
                    "before you launch again"
                ) from unconfirmed.error
            found = await _settled(gateway, plan, unconfirmed)
            if found is not None:
                log.warning("create was not answered, but job %s exists: adopted", found.id)
                return found
        else:
            return await _without_twins(gateway, plan, job)
    raise doubts[-1].error


async def _settled(
    gateway: Gateway, plan: LaunchPlan, unconfirmed: UnconfirmedError
) -> FineTuningJob | None:
    """Look the job up until it shows or has had time to show."""
    for pause in (max(SETTLING[0], unconfirmed.server_hint or 0.0), *SETTLING[1:]):
        await gateway.sleep(pause)
        found = await _find_equal(gateway, plan)
        if found is not None:
            return found
    return None


async def _without_twins(gateway: Gateway, plan: LaunchPlan, job: FineTuningJob) -> FineTuningJob:
    """Keep the oldest of equal jobs that were made at the same moment, and cancel the others at once."""
    twins = await _equal_jobs(gateway, plan)
    oldest, *others = sorted([*twins, job], key=lambda twin: (twin.created_at, twin.id))
    for twin in {twin.id: twin for twin in others if twin.id != oldest.id}.values():
        if not is_final(twin):
            log.warning("job %s is a second copy of %s: cancelled", twin.id, oldest.id)
            await gateway.cancel_job(twin.id)
    return oldest


async def _find_equal(gateway: Gateway, plan: LaunchPlan) -> FineTuningJob | None:
    """Return the oldest equal job that runs or has succeeded."""
    jobs = await _equal_jobs(gateway, plan)
    return min(jobs, key=lambda job: (job.created_at, job.id), default=None)


async def _equal_jobs(gateway: Gateway, plan: LaunchPlan) -> list[FineTuningJob]:
    if not plan.provider.profile.keeps_metadata:
        return []
    wanted = {FINGERPRINT_KEY: plan.fingerprint}
    jobs = await gateway.find_jobs(wanted, most=JOBS_SEARCHED)
    return [
        job
        for job in jobs
        # Some servers ignore the filter and list every job.
        if (job.metadata or {}).get(FINGERPRINT_KEY) == plan.fingerprint
        and (succeeded(job) or not is_final(job))
    ]
