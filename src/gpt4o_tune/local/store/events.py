"""The history of jobs: each event stands once, however often its writer had to start again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gpt4o_tune.local.ids import derived_id
from gpt4o_tune.local.store.paging import page_of_job, read_record
from gpt4o_tune.local.store.records import EventRecord, EventType, Level, Page

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from gpt4o_tune.local.store.database import Database


class EventStore:
    """Reads the events of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, job_id: str, *, after: str | None, limit: int) -> Page[EventRecord]:
        """List a job's events, newest first."""
        with self._database.reading() as connection:
            return page_of_job(connection, "events", EventRecord, job_id, after=after, limit=limit)

    def metrics(self, job_id: str) -> list[EventRecord]:
        """Read the measurements of all steps, in order."""
        query = "SELECT * FROM events WHERE job_id = ? AND type = 'metrics' ORDER BY seq"
        with self._database.reading() as connection:
            return [read_record(EventRecord, row) for row in connection.execute(query, (job_id,))]


def write_event(
    connection: sqlite3.Connection,
    job_id: str,
    key: str,
    message: str,
    *,
    now: float,
    kind: EventType = "message",
    level: Level = "info",
    data: Mapping[str, object] | None = None,
) -> None:
    """Write an event inside the caller's transaction.

    The id follows from the job and `key`. A resumed worker that measures a step again overwrites
    the step's event in its place, so readers that remember ids or cursors see each step once.
    """
    connection.execute(
        "INSERT INTO events (id, job_id, created_at, level, type, message, data) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET message = excluded.message, data = excluded.data",
        (
            derived_id("ftevent-", job_id, key),
            job_id,
            int(now),
            level,
            kind,
            message,
            None if data is None else json.dumps(data),
        ),
    )
