"""Cleaning up: delete what this library left at a provider and no job needs any more."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import TYPE_CHECKING, Literal

from gpt4o_tune._display import html_table, plural, table
from gpt4o_tune._drive import run
from gpt4o_tune._gateway import CALL_ERRORS
from gpt4o_tune.jobs.plan import FINGERPRINT_KEY
from gpt4o_tune.jobs.states import is_final
from gpt4o_tune.providers import Provider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway

__all__ = ["CleanupReport", "Leftover", "cleanup", "cleanup_async"]

OWN_FILE = re.compile(r"gpt4o-tune-.+\.jsonl")
"""How the files are named that this library uploads."""
EVERY_JOB = 1_000_000
"""A live job may stand anywhere in the list, so the list is read to its end."""

Fate = Literal["kept", "to be deleted", "deleted", "failed"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Leftover:
    """A file or model of this library that is older than the limit."""

    kind: Literal["file", "model"]
    id: str
    created_at: dt.datetime
    """By the server's clock, in UTC."""
    fate: Fate
    reason: str = ""
    """Why it was kept, or why it could not be deleted."""
    bytes: int | None = None
    """Size of a file."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CleanupReport:
    """What a clean-up found and did."""

    dry_run: bool
    older_than_days: int
    leftovers: tuple[Leftover, ...]
    """Files first, each kind oldest first."""

    @property
    def deleted(self) -> tuple[Leftover, ...]:
        """What was deleted; in a dry run, what would be."""
        return self._with("deleted", "to be deleted")

    @property
    def kept(self) -> tuple[Leftover, ...]:
        """What is old enough but still needed."""
        return self._with("kept")

    @property
    def failed(self) -> tuple[Leftover, ...]:
        """What the provider refused to delete."""
        return self._with("failed")

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values, ready for `json.dumps`."""
        return {
            "dry_run": self.dry_run,
            "older_than_days": self.older_than_days,
            "leftovers": [
                {**dataclasses.asdict(each), "created_at": each.created_at.isoformat()}
                for each in self.leftovers
            ],
        }

    def _with(self, *fates: Fate) -> tuple[Leftover, ...]:
        return tuple(each for each in self.leftovers if each.fate in fates)

    def _rows(self) -> list[list[str]]:
        return [
            [
                each.kind,
                each.id,
                f"{each.created_at:%Y-%m-%d}",
                "" if each.bytes is None else f"{each.bytes:,}",
                f"{each.fate}: {each.reason}" if each.reason else each.fate,
            ]
            for each in self.leftovers
        ]

    def _title(self) -> str:
        age = f"older than {plural(self.older_than_days, 'day')}"
        if not self.leftovers:
            return f"Nothing of this library is {age}."
        if self.dry_run:
            return (
                f"Dry run: {plural(len(self.deleted), 'thing')} {age} would be deleted. Delete with "
                "dry_run=False."
            )
        return f"Deleted {plural(len(self.deleted), 'thing')} {age}."

    def __str__(self) -> str:
        if not self.leftovers:
            return self._title()
        return f"{self._title()}\n{table(_HEADERS, self._rows(), align='<<<><')}"

    def _repr_html_(self) -> str:
        return f"<p>{self._title()}</p>{html_table(_HEADERS, self._rows())}"


_HEADERS = ("kind", "id", "created", "bytes", "fate")


def cleanup(
    provider: Provider | None = None,
    *,
    older_than_days: int,
    dry_run: bool = True,
    models: bool = False,
) -> CleanupReport:
    """Find, and with `dry_run=False` delete, old training files and models of this library.

    Only files named as this library names them are looked at, and only models of jobs that it
    launched. What a job needs that has not ended stays, and so does everything else.

    Args:
        provider: Where; read from the environment where none is given.
        older_than_days: What was made on a day further back than this, counted in UTC.
        dry_run: Say what would be deleted, and delete nothing.
        models: Look at fine-tuned models as well. A deleted model is gone for good.

    Raises:
        ValueError: The number of days is negative.
        ProviderError: No provider was given and the environment names none.
        openai.APIError: The service refused to list, or stayed out of reach.
    """
    place = provider or Provider.from_environment()
    return run(_cleanup(place.blocking(), place, older_than_days, dry_run, models))


async def cleanup_async(
    provider: Provider | None = None,
    *,
    older_than_days: int,
    dry_run: bool = True,
    models: bool = False,
) -> CleanupReport:
    """As `cleanup`, without blocking."""
    place = provider or Provider.from_environment()
    return await _cleanup(place.asynchronous(), place, older_than_days, dry_run, models)


async def _cleanup(
    gateway: Gateway,
    provider: Provider,
    older_than_days: int,
    dry_run: bool,
    models: bool,
) -> CleanupReport:
    if older_than_days < 0:
        raise ValueError(f"older_than_days must be 0 or more, not {older_than_days!r}")
    limit = provider.clock.today() - dt.timedelta(days=older_than_days)
    # Files first: a job that is created in between is then found among the jobs.
    found = await _old_files(gateway, limit)
    jobs = await gateway.find_jobs(None, most=EVERY_JOB)
    if models:
        found += await _old_models(gateway, jobs, limit)
    needed = _needed(jobs)
    leftovers = [
        dataclasses.replace(each, fate="kept", reason=f"job {needed[each.id]} needs it")
        if each.id in needed
        else each
        for each in found
    ]
    if not dry_run:
        leftovers = [await _deleted(gateway, each) for each in leftovers]
    return CleanupReport(
        dry_run=dry_run, older_than_days=older_than_days, leftovers=tuple(leftovers)
    )


async def _old_files(gateway: Gateway, limit: dt.date) -> list[Leftover]:
    old = [
        Leftover(
            kind="file",
            id=file.id,
            created_at=made,
            fate="to be deleted",
            bytes=file.bytes,
        )
        for file in await gateway.list_files()
        if OWN_FILE.fullmatch(file.filename) and (made := _when(file.created_at)).date() < limit
    ]
    return sorted(old, key=lambda each: each.created_at)


async def _old_models(
    gateway: Gateway, jobs: Sequence[FineTuningJob], limit: dt.date
) -> list[Leftover]:
    there = {model.id for model in await gateway.list_models()}
    old = [
        Leftover(kind="model", id=name, created_at=made, fate="to be deleted")
        for job in jobs
        if FINGERPRINT_KEY in (job.metadata or {})
        and (name := job.fine_tuned_model)
        and name in there
        and (made := _when(job.finished_at or job.created_at)).date() < limit
    ]
    return sorted(old, key=lambda each: each.created_at)


def _needed(jobs: Sequence[FineTuningJob]) -> dict[str, str]:
    """Return what jobs that have not ended need, each with the job that needs it."""
    return {
        part: job.id
        for job in jobs
        if not is_final(job)
        for part in (job.training_file, job.validation_file, job.model)
        if part
    }


async def _deleted(gateway: Gateway, leftover: Leftover) -> Leftover:
    if leftover.fate != "to be deleted":
        return leftover
    delete = gateway.delete_file if leftover.kind == "file" else gateway.delete_model
    try:
        await delete(leftover.id)
    except CALL_ERRORS as error:
        return dataclasses.replace(leftover, fate="failed", reason=str(error))
    return dataclasses.replace(leftover, fate="deleted")


def _when(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(float(seconds), dt.UTC)
