"""Job states: an open set of names, of which three are final.

OpenAI knows `validating_files`, `queued`, `running` and the final ones. Azure adds `created`, `pending`,
`pausing`, `paused` and `resuming`; self-hosted servers add `creating`, `canceling` and `cancelling`.
Every state that is not final means that the job is on its way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

__all__ = ["is_final", "state_of", "succeeded"]

FINAL = frozenset({"succeeded", "failed", "cancelled"})
SPELLINGS = {"canceled": "cancelled", "canceling": "cancelling"}
"""States that LLMariner spells with one l."""


def state_of(job: FineTuningJob) -> str:
    """Return the state in lower case and in OpenAI's spelling."""
    state = str(job.status or "unknown").lower()
    return SPELLINGS.get(state, state)


def is_final(job: FineTuningJob) -> bool:
    """Say whether the job will not change any more; unknown states are taken as on their way."""
    return state_of(job) in FINAL


def succeeded(job: FineTuningJob) -> bool:
    """Say whether the job ended with a model."""
    return state_of(job) == "succeeded"
