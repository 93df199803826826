"""Listing the jobs of a provider, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.providers import Profile

__all__ = ["newest"]

SEARCHED = 1000
"""How many of the newest jobs are looked at where the server ignores the metadata filter."""


async def newest(
    gateway: Gateway, *, limit: int, metadata: Mapping[str, str] | None, profile: Profile
) -> list[FineTuningJob]:
    """Return up to `limit` jobs that carry every pair of `metadata`.

    Raises:
        ValueError: `limit` is below 1.
        ProviderError: Jobs of this service carry no metadata.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit!r}")
    if not metadata:
        return await gateway.find_jobs(None, most=limit)
    if not profile.keeps_metadata:
        raise ProviderError(
            f"jobs at {profile.name} carry no metadata to choose them by; leave metadata= out"
        )
    jobs = await gateway.find_jobs(metadata, most=max(SEARCHED, limit))
    # Some servers ignore the filter and list every job.
    wanted = metadata.items()
    return [job for job in jobs if wanted <= (job.metadata or {}).items()][:limit]
