"""Cursor pages, the same for every table: rows after (or before) the row that the cursor names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, TypeVar

from gpt4o_tune.local.store.records import Page, Record

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

Order = Literal["asc", "desc"]
R = TypeVar("R", bound=Record)

_JSON_COLUMNS = frozenset({"data", "metrics"})


class UnknownCursorError(LookupError):
    """The listing has no row with the id that `after` names."""


def read_record(kind: type[R], row: sqlite3.Row) -> R:
    """Build a value from a row whose columns are the value's fields."""
    fields = {
        key: json.loads(row[key]) if key in _JSON_COLUMNS and row[key] is not None else row[key]
        for key in row.keys()  # noqa: SIM118 - iterating a Row gives its values
    }
    return kind.model_validate(fields)


def read_page(
    connection: sqlite3.Connection,
    table: Literal[
        "files", "events", "checkpoints", "jobs", "completions", "batches", "permissions"
    ],
    *,
    where: Sequence[str] = (),
    arguments: Sequence[object] = (),
    after: str | None,
    limit: int,
    order: Order,
) -> tuple[list[sqlite3.Row], bool]:
    """Read up to `limit` rows in order of insertion, and whether more follow.

    Args:
        connection: Where to read.
        table: One of the store's tables.
        where: SQL conditions, all of which must hold.
        arguments: Values for the conditions' placeholders.
        after: Id of the row that the page follows, or None to begin at the end of the order.
        limit: Most rows to read.
        order: `"asc"` lists the oldest first.

    Raises:
        UnknownCursorError: No row has the id `after`.
    """
    conditions, values = list(where), list(arguments)
    if after is not None:
        cursor = connection.execute(f"SELECT seq FROM {table} WHERE id = ?", (after,)).fetchone()  # noqa: S608 - a literal
        if cursor is None:
            raise UnknownCursorError(after)
        conditions.append("seq > ?" if order == "asc" else "seq < ?")
        values.append(cursor["seq"])
    selection = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f"SELECT * FROM {table}{selection} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - literals
    rows = connection.execute(query, (*values, limit + 1)).fetchall()
    return rows[:limit], len(rows) > limit


def page_of_job(
    connection: sqlite3.Connection,
    table: Literal["events", "checkpoints"],
    kind: type[R],
    job_id: str,
    *,
    after: str | None,
    limit: int,
) -> Page[R]:
    """Read what belongs to one job, newest first; errors as for `read_page`."""
    rows = read_page(
        connection,
        table,
        where=["job_id = ?"],
        arguments=[job_id],
        after=after,
        limit=limit,
        order="desc",
    )
    return page_of(kind, rows)


def page_of(kind: type[R], rows: tuple[list[sqlite3.Row], bool]) -> Page[R]:
    """Turn what `read_page` gave into a page of values."""
    found, has_more = rows
    return Page(items=tuple(read_record(kind, row) for row in found), has_more=has_more)
