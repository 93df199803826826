"""Webhooks that wait: a row for each address until the address has accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.local.ids import derived_id
from gpt4o_tune.local.store.paging import read_record
from gpt4o_tune.local.store.records import DeliveryRecord

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from gpt4o_tune.local.store.database import Database


class WebhookStore:
    """What is to be delivered, and where."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def configure(self, urls: Sequence[str]) -> None:
        """Set the addresses for what happens from now on.

        What waits for an address that is no longer among them is dropped; the rest is due at once.
        """
        with self._database.writing() as connection:
            connection.execute("DELETE FROM webhook_addresses")
            connection.executemany(
                "INSERT OR IGNORE INTO webhook_addresses (url) VALUES (?)", [(url,) for url in urls]
            )
            connection.execute(
                "DELETE FROM webhook_deliveries WHERE url NOT IN (SELECT url FROM webhook_addresses)"
            )
            connection.execute("UPDATE webhook_deliveries SET due_at = 0")

    def next_due(self, url: str) -> DeliveryRecord | None:
        """Find what should go to an address now, longest due first."""
        query = (
            "SELECT id, url, kind, object_id, created_at, attempts FROM webhook_deliveries "
            "WHERE url = ? AND due_at <= ? ORDER BY due_at, seq LIMIT 1"
        )
        with self._database.reading() as connection:
            row = connection.execute(query, (url, self._database.now())).fetchone()
        return None if row is None else read_record(DeliveryRecord, row)

    def forget(self, delivery: DeliveryRecord) -> None:
        """Drop what was accepted, or will not be tried again."""
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM webhook_deliveries WHERE id = ? AND url = ?",
                (delivery.id, delivery.url),
            )

    def postpone(self, delivery: DeliveryRecord, *, seconds: float) -> None:
        """Count an attempt and make the next one due later."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE webhook_deliveries SET attempts = attempts + 1, due_at = ? "
                "WHERE id = ? AND url = ?",
                (self._database.now() + seconds, delivery.id, delivery.url),
            )


def write_webhook(connection: sqlite3.Connection, kind: str, object_id: str, *, now: float) -> None:
    """Make a webhook due at every address, inside the transaction that changes the object."""
    connection.execute(
        "INSERT OR IGNORE INTO webhook_deliveries (id, url, kind, object_id, created_at) "
        "SELECT ?, url, ?, ?, ? FROM webhook_addresses",
        (derived_id("evt_", object_id, kind), kind, object_id, int(now)),
    )
