"""Reading a job: its events, metrics and checkpoints, as far as the service lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune._gateway import READ_PATIENCE
from gpt4o_tune.jobs.checkpoints import Checkpoints, rank, read_checkpoint
from gpt4o_tune.jobs.events import Event, in_order
from gpt4o_tune.jobs.metrics import Metrics, combine, from_events, from_result_file

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.providers import Profile

__all__ = ["checkpoints_of", "events_of", "metrics_of"]


async def events_of(gateway: Gateway, job: FineTuningJob, profile: Profile) -> list[Event]:
    """Return everything that happened so far, oldest first; nothing where no events are listed."""
    if not profile.lists_events:
        return []
    return in_order(await gateway.list_events(job.id))


async def metrics_of(gateway: Gateway, job: FineTuningJob, profile: Profile) -> Metrics:
    """Return what events and result files say together; a result file's figures are final."""
    measured = from_events(await events_of(gateway, job, profile))
    for file_id in job.result_files or []:
        measured = combine(measured, from_result_file(await gateway.download(file_id)))
    return measured


async def checkpoints_of(
    gateway: Gateway, job: FineTuningJob, profile: Profile, *, patience: float = READ_PATIENCE
) -> Checkpoints:
    """Return the models saved on the way, best first; none where no checkpoints are listed."""
    if not profile.lists_checkpoints:
        return Checkpoints()
    listed = await gateway.list_checkpoints(job.id, patience=patience)
    return rank([read_checkpoint(raw) for raw in listed])
