"""Pausing a job and letting it go on, where the service knows how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.errors import ProviderError

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.providers import Profile

__all__ = ["pause", "resume"]


async def pause(gateway: Gateway, job_id: str, profile: Profile) -> FineTuningJob:
    """Ask a job to halt and keep its state.

    Raises:
        ProviderError: The service cannot pause jobs.
    """
    _require_pauses(profile, job_id)
    return await gateway.pause_job(job_id)


async def resume(gateway: Gateway, job_id: str, profile: Profile) -> FineTuningJob:
    """Ask a paused job to go on.

    Raises:
        ProviderError: The service cannot pause jobs.
    """
    _require_pauses(profile, job_id)
    return await gateway.resume_job(job_id)


def _require_pauses(profile: Profile, job_id: str) -> None:
    if not profile.pauses:
        raise ProviderError(
            f"{profile.name} cannot pause and resume jobs, so {job_id!r} was left as it is; stop it for "
            "good with cancel(), or let it finish"
        )
