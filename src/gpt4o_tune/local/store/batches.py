"""Batches: their state, and each result from the moment that it is computed until the files are written."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gpt4o_tune.local.store.paging import read_page
from gpt4o_tune.local.store.records import OPEN_BATCHES, BatchRecord, Page
from gpt4o_tune.local.store.webhooks import write_webhook

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Iterator

    from gpt4o_tune.local.store.database import Database


class BatchEdit:
    """A batch inside a transaction; what is changed here is written together or not at all."""

    def __init__(self, connection: sqlite3.Connection, batch: BatchRecord, *, now: float) -> None:
        self._connection = connection
        self._now = now
        self.batch = batch

    def change(self, **fields: object) -> None:
        """Replace fields of the batch."""
        self.batch = self.batch.model_copy(update=fields)

    def finish(self, **fields: object) -> None:
        """Give the batch its final state; webhooks tell of it, and its results are in files by now."""
        self.change(**fields)
        self._connection.execute("DELETE FROM batch_results WHERE batch_id = ?", (self.batch.id,))
        kind = f"batch.{self.batch.status}"
        write_webhook(self._connection, kind, self.batch.id, now=self._now)

    def result(self, line: int, text: str, *, is_error: bool) -> None:
        """Keep the result of the request on a line, and count it."""
        self._connection.execute(
            "INSERT INTO batch_results (batch_id, line, is_error, text) VALUES (?, ?, ?, ?)",
            (self.batch.id, line, is_error, text),
        )
        count = "failed" if is_error else "completed"
        self.change(**{count: getattr(self.batch, count) + 1})


class BatchStore:
    """Batches and their results."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, batch: BatchRecord) -> None:
        """Insert a batch."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO batches (id, status, record) VALUES (?, ?, ?)",
                (batch.id, batch.status, batch.model_dump_json()),
            )

    @contextmanager
    def editing(self, batch_id: str) -> Generator[BatchEdit]:
        """Read a batch, and write what the block made of it.

        Raises:
            KeyError: There is no such batch.
        """
        with self._database.writing() as connection:
            edit = BatchEdit(connection, _read(connection, batch_id), now=self._database.now())
            before = edit.batch
            yield edit
            if edit.batch is not before:
                connection.execute(
                    "UPDATE batches SET status = ?, record = ? WHERE id = ?",
                    (edit.batch.status, edit.batch.model_dump_json(), batch_id),
                )

    def get(self, batch_id: str) -> BatchRecord:
        """Look a batch up.

        Raises:
            KeyError: There is no such batch.
        """
        with self._database.reading() as connection:
            return _read(connection, batch_id)

    def needs_folder(self, batch_id: str) -> bool:
        """Tell whether a batch has work before it, or failed and may have left a log."""
        try:
            return self.get(batch_id).status in {*OPEN_BATCHES, "failed"}
        except KeyError:
            return False

    def page(self, *, after: str | None, limit: int) -> Page[BatchRecord]:
        """List batches, newest first.

        Raises:
            UnknownCursorError: No batch has the id `after`.
        """
        with self._database.reading() as connection:
            rows, has_more = read_page(
                connection, "batches", after=after, limit=limit, order="desc"
            )
        batches = tuple(BatchRecord.model_validate_json(row["record"]) for row in rows)
        return Page(items=batches, has_more=has_more)

    def oldest_open(self) -> BatchRecord | None:
        """Find the batch whose turn it is."""
        query = (
            "SELECT record FROM batches WHERE status IN (SELECT value FROM json_each(?)) "
            "ORDER BY seq LIMIT 1"
        )
        with self._database.reading() as connection:
            row = connection.execute(query, (json.dumps([*OPEN_BATCHES]),)).fetchone()
        return None if row is None else BatchRecord.model_validate_json(row["record"])

    def answered(self, batch_id: str) -> set[int]:
        """The lines whose requests have a result."""
        query = "SELECT line FROM batch_results WHERE batch_id = ?"
        with self._database.reading() as connection:
            return {row["line"] for row in connection.execute(query, (batch_id,))}

    def results(self, batch_id: str, *, is_error: bool) -> Iterator[str]:
        """Yield the results of one kind in the order of the input."""
        query = "SELECT text FROM batch_results WHERE batch_id = ? AND is_error = ? ORDER BY line"
        with self._database.reading() as connection:
            for row in connection.execute(query, (batch_id, is_error)):
                yield row["text"]


def _read(connection: sqlite3.Connection, batch_id: str) -> BatchRecord:
    row = connection.execute("SELECT record FROM batches WHERE id = ?", (batch_id,)).fetchone()
    if row is None:
        raise KeyError(batch_id)
    return BatchRecord.model_validate_json(row["record"])
