"""What an ended job comes to: its model, or the error that says why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from gpt4o_tune.errors import JobCancelledError, JobError, JobFailedError
from gpt4o_tune.inference import CustomModel
from gpt4o_tune.jobs.plan import SYSTEM_KEY
from gpt4o_tune.jobs.states import state_of, succeeded

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune.data import Dataset
    from gpt4o_tune.inference.trained_form import TrainedForm
    from gpt4o_tune.providers import Provider

__all__ = ["failure_of", "model_of"]


def model_of(
    job: FineTuningJob, *, provider: Provider, trained_on: Dataset | None, form: TrainedForm
) -> CustomModel:
    """Return the model of a job that has ended.

    Args:
        job: As last seen.
        provider: Where its model answers.
        trained_on: Its training rows, where they are at hand.
        form: What those rows have in common, as far as it is known; the system prompt is also in the
            job's metadata, where it was short enough.

    Raises:
        JobCancelledError: It was cancelled.
        JobFailedError: It failed.
        JobError: It succeeded, but the service does not name its model.
    """
    if not succeeded(job):
        _raise(job)
    if not job.fine_tuned_model:
        raise JobError(
            f"job {job.id!r} succeeded, but {provider.profile.name} does not name its model; deploy "
            "it there, and use CustomModel(name, provider=...)",
            job_id=job.id,
        )
    return CustomModel(
        job.fine_tuned_model,
        provider=provider,
        system=form.system or (job.metadata or {}).get(SYSTEM_KEY),
        trained_on=trained_on,
        trained_tools=form.tools,
    )


def failure_of(job: FineTuningJob) -> str | None:
    """Return the service's reason; some services send `error: {}` with every job, which says nothing."""
    return (job.error.message if job.error else None) or None


def _raise(job: FineTuningJob) -> NoReturn:
    if state_of(job) == "cancelled":
        raise JobCancelledError(
            f"job {job.id!r} was cancelled. Launch it again with FineTuneJob.create: a cancelled "
            "job is not adopted",
            job_id=job.id,
        )
    error = job.error
    raise JobFailedError(
        f"job {job.id!r} failed: {failure_of(job) or 'the service gave no reason'}",
        job_id=job.id,
        code=error.code if error else None,
        param=error.param if error else None,
        job=job,
    )
