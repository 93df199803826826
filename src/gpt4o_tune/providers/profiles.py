"""How services that speak the OpenAI fine-tuning API differ from it: one field per quirk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["AZURE", "OPENAI", "Profile"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The quirks of a service; the defaults are OpenAI's own behaviour."""

    hyperparameters_in: Literal["method", "request"] = "method"
    """Where the create request carries hyperparameters: nested in `method`, or at the top level."""
    keeps_metadata: bool = True
    """Whether jobs keep `metadata` and can be listed by it; without it, equal jobs cannot be found."""
    needs_processed_file: bool = False
    """Whether a file must be `processed` before a job may name it."""
    lists_events: bool = True
    """Whether `GET /fine_tuning/jobs/{id}/events` exists."""
    lists_checkpoints: bool = True
    """Whether `GET /fine_tuning/jobs/{id}/checkpoints` exists."""
    create_fields: tuple[tuple[str, str], ...] = ()
    """Further fields of the create request, such as Azure's `trainingType`."""


OPENAI = Profile()
AZURE = Profile(needs_processed_file=True)
