"""Stored answers: the completions that requests with `store` left, and what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.local.store.paging import Order, read_page
from gpt4o_tune.local.store.records import CompletionRecord, Page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.local.store.database import Database


class CompletionStore:
    """Stored completions, kept until they are deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, completion: CompletionRecord) -> None:
        """Keep a completion."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO completions (id, model, record) VALUES (?, ?, ?)",
                (completion.id, completion.model, completion.model_dump_json()),
            )

    def find(self, completion_id: str) -> CompletionRecord | None:
        """Look a completion up."""
        query = "SELECT record FROM completions WHERE id = ?"
        with self._database.reading() as connection:
            row = connection.execute(query, (completion_id,)).fetchone()
        return None if row is None else CompletionRecord.model_validate_json(row["record"])

    def replace(self, completion: CompletionRecord) -> None:
        """Keep a changed completion in the place of the one with its id, if that is still there."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE completions SET record = ? WHERE id = ?",
                (completion.model_dump_json(), completion.id),
            )

    def delete(self, completion_id: str) -> None:
        """Forget a completion."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM completions WHERE id = ?", (completion_id,))

    def page(
        self,
        *,
        after: str | None,
        limit: int,
        order: Order,
        model: str | None,
        metadata: Mapping[str, str],
    ) -> Page[CompletionRecord]:
        """List completions in order of their making.

        Args:
            after: Id of the completion that the page follows.
            limit: Most completions on the page.
            order: `"asc"` lists the oldest first.
            model: List only the answers of this model.
            metadata: Pairs that a completion must carry.

        Raises:
            UnknownCursorError: No completion has the id `after`.
        """
        where = [] if model is None else ["model = ?"]
        arguments = [] if model is None else [model]
        for pair in metadata.items():
            where.append(
                "EXISTS (SELECT 1 FROM json_each(completions.record, '$.metadata') AS pair "
                "WHERE pair.key = ? AND pair.value = ?)"
            )
            arguments.extend(pair)
        with self._database.reading() as connection:
            rows, has_more = read_page(
                connection,
                "completions",
                where=where,
                arguments=arguments,
                after=after,
                limit=limit,
                order=order,
            )
        found = tuple(CompletionRecord.model_validate_json(row["record"]) for row in rows)
        return Page(items=found, has_more=has_more)
