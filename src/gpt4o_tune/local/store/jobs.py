"""Jobs: every change is a read, a decision and a write inside one transaction."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gpt4o_tune.local.store.events import write_event
from gpt4o_tune.local.store.paging import page_of_job, read_page, read_record
from gpt4o_tune.local.store.records import (
    OPEN_STATUSES,
    CheckpointRecord,
    EventType,
    JobFault,
    JobRecord,
    JobStatus,
    Level,
    ModelRecord,
    Page,
)
from gpt4o_tune.local.store.webhooks import write_webhook

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Generator, Mapping

    from gpt4o_tune.local.store.database import Database


class JobEdit:
    """A job inside a transaction; what is changed here is written together or not at all."""

    def __init__(self, connection: sqlite3.Connection, job: JobRecord, *, now: float) -> None:
        self._connection = connection
        self._now = now
        self.job = job

    @property
    def is_open(self) -> bool:
        """Whether the job still has work before it."""
        return self.job.status in OPEN_STATUSES

    def change(self, **fields: object) -> None:
        """Replace fields of the job."""
        self.job = self.job.model_copy(update=fields)

    def finish(self, status: JobStatus, *, fault: JobFault | None = None) -> None:
        """Put the job into a final state; webhooks tell of it."""
        self.change(status=status, fault=fault, finished_at=int(self._now), estimated_finish=None)
        write_webhook(self._connection, f"fine_tuning.job.{status}", self.job.id, now=self._now)

    def event(
        self,
        key: str,
        message: str,
        *,
        kind: EventType = "message",
        level: Level = "info",
        data: Mapping[str, object] | None = None,
    ) -> None:
        """Add to the job's history; see `write_event`."""
        write_event(
            self._connection,
            self.job.id,
            key,
            message,
            now=self._now,
            kind=kind,
            level=level,
            data=data,
        )

    def checkpoint(self, record: CheckpointRecord) -> None:
        """Add a checkpoint, or replace the one of the same id."""
        self._connection.execute(
            "INSERT OR REPLACE INTO checkpoints (id, job_id, created_at, step, directory, metrics) "
            "VALUES (:id, :job_id, :created_at, :step, :directory, :metrics)",
            {**record.model_dump(), "metrics": json.dumps(record.metrics)},
        )

    def checkpoints(self) -> list[CheckpointRecord]:
        """Read the job's checkpoints, newest first."""
        query = "SELECT * FROM checkpoints WHERE job_id = ? ORDER BY step DESC"
        rows = self._connection.execute(query, (self.job.id,))
        return [read_record(CheckpointRecord, row) for row in rows]

    def forget_checkpoint(self, checkpoint_id: str) -> None:
        """Remove a checkpoint from the listing."""
        self._connection.execute("DELETE FROM checkpoints WHERE id = ?", (checkpoint_id,))

    def model(self, record: ModelRecord) -> None:
        """Publish a model."""
        self._connection.execute(
            "INSERT OR REPLACE INTO models (id, created, base_model, engine, job_id, directory) "
            "VALUES (:id, :created, :base_model, :engine, :job_id, :directory)",
            record.model_dump(),
        )


class JobStore:
    """Fine-tuning jobs and their checkpoints."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def creating(self, job: JobRecord) -> Generator[JobEdit]:
        """Insert a job together with what the block adds to it."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO jobs (id, status, record) VALUES (?, ?, ?)",
                (job.id, job.status, job.model_dump_json()),
            )
            connection.executemany(
                "INSERT INTO job_metadata (job_id, key, value) VALUES (?, ?, ?)",
                [(job.id, key, value) for key, value in (job.metadata or {}).items()],
            )
            yield JobEdit(connection, job, now=self._database.now())

    @contextmanager
    def editing(self, job_id: str) -> Generator[JobEdit]:
        """Read a job, and write what the block made of it.

        Raises:
            KeyError: There is no such job.
        """
        with self._database.writing() as connection:
            edit = JobEdit(connection, _read(connection, job_id), now=self._database.now())
            before = edit.job
            yield edit
            if edit.job is not before:
                connection.execute(
                    "UPDATE jobs SET status = ?, record = ? WHERE id = ?",
                    (edit.job.status, edit.job.model_dump_json(), job_id),
                )

    def get(self, job_id: str) -> JobRecord:
        """Look a job up.

        Raises:
            KeyError: There is no such job.
        """
        with self._database.reading() as connection:
            return _read(connection, job_id)

    def exists(self, job_id: str) -> bool:
        """Tell whether there is such a job."""
        query = "SELECT 1 FROM jobs WHERE id = ?"
        with self._database.reading() as connection:
            return connection.execute(query, (job_id,)).fetchone() is not None

    def page(
        self,
        *,
        after: str | None,
        limit: int,
        metadata: Mapping[str, str],
        is_without_metadata: bool = False,
    ) -> Page[JobRecord]:
        """List jobs, newest first.

        Args:
            after: Id of the job that the page follows.
            limit: Most jobs on the page.
            metadata: Pairs that a job must carry.
            is_without_metadata: List only jobs that carry none.

        Raises:
            UnknownCursorError: No job has the id `after`.
        """
        where: list[str] = []
        arguments: list[str] = []
        if is_without_metadata:
            where.append("NOT EXISTS (SELECT 1 FROM job_metadata WHERE job_id = jobs.id)")
        for pair in metadata.items():
            where.append("id IN (SELECT job_id FROM job_metadata WHERE key = ? AND value = ?)")
            arguments.extend(pair)
        with self._database.reading() as connection:
            rows, has_more = read_page(
                connection,
                "jobs",
                where=where,
                arguments=arguments,
                after=after,
                limit=limit,
                order="desc",
            )
        jobs = tuple(JobRecord.model_validate_json(row["record"]) for row in rows)
        return Page(items=jobs, has_more=has_more)

    def oldest(
        self, statuses: Collection[JobStatus], *, besides: Collection[str] = ()
    ) -> JobRecord | None:
        """Find the oldest job in one of these states, leaving out some ids."""
        query = (
            "SELECT record FROM jobs WHERE status IN (SELECT value FROM json_each(?)) "
            "AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT 1"
        )
        arguments = (json.dumps([*statuses]), json.dumps([*besides]))
        with self._database.reading() as connection:
            row = connection.execute(query, arguments).fetchone()
        return None if row is None else JobRecord.model_validate_json(row["record"])

    def count_open(self) -> Counter[str]:
        """Count the jobs that have work before them, by base model."""
        query = (
            "SELECT json_extract(record, '$.base_model') AS base FROM jobs "
            "WHERE status IN (SELECT value FROM json_each(?))"
        )
        with self._database.reading() as connection:
            rows = connection.execute(query, (json.dumps([*OPEN_STATUSES]),))
            return Counter(row["base"] for row in rows)

    def checkpoints(self, job_id: str, *, after: str | None, limit: int) -> Page[CheckpointRecord]:
        """List a job's checkpoints, newest first."""
        with self._database.reading() as connection:
            return page_of_job(
                connection, "checkpoints", CheckpointRecord, job_id, after=after, limit=limit
            )


def _read(connection: sqlite3.Connection, job_id: str) -> JobRecord:
    row = connection.execute("SELECT record FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        raise KeyError(job_id)
    return JobRecord.model_validate_json(row["record"])
