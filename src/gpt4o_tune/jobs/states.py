"""Job states: an open set of names, of which three are final."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

__all__ = ["is_final", "state_of", "succeeded"]

FINAL = frozenset({"succeeded", "failed", "cancelled"})


def state_of(job: FineTuningJob) -> str:
    """Return the state in lower case and in OpenAI's spelling (some servers write `canceled`)."""
    state = str(job.status or "unknown").lower()
    return "cancelled" if state == "canceled" else state


def is_final(job: FineTuningJob) -> bool:
    """Say whether the job will not change any more; unknown states are taken as on their way."""
    return state_of(job) in FINAL


def succeeded(job: FineTuningJob) -> bool:
    """Say whether the job ended with a model."""
    return state_of(job) == "succeeded"
