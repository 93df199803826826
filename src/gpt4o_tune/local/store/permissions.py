"""Permissions of projects to use a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.local.ids import new_id
from gpt4o_tune.local.store.paging import Order, page_of, read_page, read_record
from gpt4o_tune.local.store.records import Page, PermissionRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpt4o_tune.local.store.database import Database


class PermissionStore:
    """One row for each checkpoint and project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def grant(self, model_id: str, project_ids: Sequence[str]) -> list[PermissionRecord]:
        """Give projects a permission; one that is there already stays as it is."""
        now = int(self._database.now())
        granted: list[PermissionRecord] = []
        with self._database.writing() as connection:
            for project_id in project_ids:
                connection.execute(
                    "INSERT OR IGNORE INTO permissions (id, model_id, project_id, created_at) "
                    "VALUES (?, ?, ?, ?)",
                    (new_id("cp_"), model_id, project_id, now),
                )
                row = connection.execute(
                    "SELECT * FROM permissions WHERE model_id = ? AND project_id = ?",
                    (model_id, project_id),
                ).fetchone()
                granted.append(read_record(PermissionRecord, row))
        return granted

    def page(
        self, model_id: str, *, after: str | None, limit: int, order: Order, project_id: str | None
    ) -> Page[PermissionRecord]:
        """List the permissions of a checkpoint, of one project where it is given.

        Raises:
            UnknownCursorError: No permission has the id `after`.
        """
        where, arguments = ["model_id = ?"], [model_id]
        if project_id is not None:
            where.append("project_id = ?")
            arguments.append(project_id)
        with self._database.reading() as connection:
            rows = read_page(
                connection,
                "permissions",
                where=where,
                arguments=arguments,
                after=after,
                limit=limit,
                order=order,
            )
        return page_of(PermissionRecord, rows)

    def revoke(self, model_id: str, permission_id: str) -> bool:
        """Remove a permission; tell whether it was there."""
        query = "DELETE FROM permissions WHERE model_id = ? AND id = ?"
        with self._database.writing() as connection:
            return connection.execute(query, (model_id, permission_id)).rowcount > 0
