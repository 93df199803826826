"""Keeping the record of a run: where it goes, what an earlier one there means, how it ends."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gpt4o_tune._gateway import CALL_ERRORS
from gpt4o_tune.jobs.bill import Bill
from gpt4o_tune.jobs.launch import distinct
from gpt4o_tune.jobs.reading import checkpoints_of
from gpt4o_tune.jobs.record import RunRecord
from gpt4o_tune.jobs.states import succeeded

if TYPE_CHECKING:
    import os

    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.jobs.plan import IfExists, LaunchPlan
    from gpt4o_tune.providers import Provider

__all__ = ["Beginning", "begin", "completed"]


@dataclasses.dataclass(frozen=True, slots=True)
class Beginning:
    """What to launch, how, and its record, which is on disk by now."""

    plan: LaunchPlan
    if_exists: IfExists
    record: RunRecord | None


def begin(
    target: str | os.PathLike[str] | None, plan: LaunchPlan, *, if_exists: IfExists
) -> Beginning:
    """Write the record of a launch ahead of it.

    Where an earlier launch of the same plan was cut off before it learnt its job's id, that launch is
    gone on with: the job may exist, and carries the fingerprint that the earlier record holds.

    Args:
        target: A file that ends in `.json`, or a folder, in which the file is named by suffix or model
            and fingerprint; None for no record.
        plan: What is launched.
        if_exists: As for `FineTuneJob.create`.

    Raises:
        ValueError: The file is the record of another run.
    """
    launched = plan if if_exists != "new" else distinct(plan)
    if target is None:
        return Beginning(launched, if_exists, None)
    in_folder = Path(target).suffix != ".json"
    path = Path(target) / _name(plan) if in_folder else Path(target)
    earlier = _earlier(path, plan, in_folder=in_folder)
    for record in earlier:
        if record.job_id is None:
            same = dataclasses.replace(plan, fingerprint=record.fingerprint)
            return Beginning(same, "adopt" if if_exists == "new" else if_exists, record)
    if earlier and if_exists == "new":
        if not in_folder:
            raise ValueError(
                f"{str(path)!r} is the record of job {earlier[0].job_id!r}, which another launch would "
                "overwrite; name another file, or a folder"
            )
        path = path.with_stem(f"{path.stem}-{launched.fingerprint[-8:]}")
    record = RunRecord.of(launched, plan_fingerprint=plan.fingerprint, path=path)
    record.save()
    return Beginning(launched, if_exists, record)


async def completed(
    record: RunRecord,
    gateway: Gateway,
    job: FineTuningJob,
    *,
    provider: Provider,
    patience: float,
) -> RunRecord:
    """Write down how a job ended: state, model, bill, and the best of its checkpoints.

    Args:
        record: What is known of the run so far.
        gateway: Where the job ran.
        job: The job as it ended.
        provider: The place, for its prices and habits.
        patience: Seconds to ask for its checkpoints.

    Raises:
        OSError: The record cannot be written.
    """
    best = None
    if succeeded(job):
        # A record without its best checkpoint is better than a wait that loses its model.
        with contextlib.suppress(*CALL_ERRORS):
            listed = await checkpoints_of(gateway, job, provider.profile, patience=patience)
            best = listed.best
    bill = Bill.of(job, kind=provider.kind, expected=record.expected)
    return record.seen(job, bill=bill, best=best)


def _earlier(path: Path, plan: LaunchPlan, *, in_folder: bool) -> list[RunRecord]:
    """Return the records of the same plan: the one at that path and, in a folder, those beside it."""
    records = [RunRecord.load(place) for place in _places(path, in_folder=in_folder)]
    for record in records:
        if record.plan_fingerprint != plan.fingerprint:
            raise ValueError(
                f"{str(record.path)!r} is the record of another run, of {record.model} on "
                f"{record.training.rows} rows; name another file, or a folder"
            )
    return records


def _places(path: Path, *, in_folder: bool) -> list[Path]:
    if not in_folder:
        return [path] if path.exists() else []
    named = re.compile(rf"{re.escape(path.stem)}(-[0-9a-f]{{8}})?\.json")
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    return sorted(place for place in beside if named.fullmatch(place.name))


def _name(plan: LaunchPlan) -> str:
    words = re.sub(r"[^A-Za-z0-9.-]+", "-", plan.suffix or plan.model)
    return f"{words}-{plan.fingerprint[:12]}.json"
