"""Files: a row each in the database, and the bytes on disk."""

from __future__ import annotations

import os
import shutil
import sqlite3
from typing import TYPE_CHECKING

from gpt4o_tune.local.ids import new_id
from gpt4o_tune.local.store.paging import Order, page_of, read_page, read_record
from gpt4o_tune.local.store.records import FilePurpose, FileRecord, Page

if TYPE_CHECKING:
    from pathlib import Path

    from gpt4o_tune.local.store.database import Database

PART_SUFFIX = ".part"
"""Ends the name of a file that is still being written."""

_ALIVE = "(expires_at IS NULL OR expires_at > ?)"


class FileStore:
    """Uploaded files and results. A file that is listed is complete on disk."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def part_path(self) -> Path:
        """Give a fresh path to write a coming file to; `add` takes it from there."""
        return self._folder / f"{new_id('incoming-')}{PART_SUFFIX}"

    def path(self, file_id: str) -> Path:
        """Where the bytes of a file lie."""
        return self._folder / file_id

    def add(
        self,
        part: Path,
        *,
        filename: str,
        purpose: FilePurpose,
        file_id: str | None = None,
        expires_after_s: int | None = None,
    ) -> FileRecord:
        """Take over a written and synced part, then list it; a file of the same id is replaced.

        Files that have expired make room for it.
        """
        self.expire()
        with self._database.writing() as connection:
            return self.take_over(
                connection,
                part,
                filename=filename,
                purpose=purpose,
                file_id=file_id,
                expires_after_s=expires_after_s,
            )

    def take_over(
        self,
        connection: sqlite3.Connection,
        part: Path,
        *,
        filename: str,
        purpose: FilePurpose,
        file_id: str | None = None,
        expires_after_s: int | None = None,
    ) -> FileRecord:
        """Do as `add` does, inside the caller's transaction."""
        now = int(self._database.now())
        record = FileRecord(
            id=file_id or new_id("file-", length=22),
            bytes=part.stat().st_size,
            created_at=now,
            filename=filename,
            purpose=purpose,
            expires_at=None if expires_after_s is None else now + expires_after_s,
        )
        part.replace(self.path(record.id))
        insert_file(connection, record)
        return record

    def add_text(
        self, text: str, *, filename: str, purpose: FilePurpose, file_id: str
    ) -> FileRecord:
        """Write a short text as a file."""
        part = self.part_path()
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return self.add(part, filename=filename, purpose=purpose, file_id=file_id)

    def hold(self, file_id: str, target: Path) -> None:
        """Give `target` the bytes of a file, which it keeps when the file is deleted.

        Raises:
            FileNotFoundError: The file is gone.
        """
        source = self.path(file_id)
        try:
            os.link(source, target)
        except FileNotFoundError:
            raise
        except OSError:  # The file system has no hard links.
            shutil.copyfile(source, target)

    def find(self, file_id: str) -> FileRecord | None:
        """Look a file up; an expired one is gone."""
        query = f"SELECT * FROM files WHERE id = ? AND {_ALIVE}"  # noqa: S608 - a literal
        with self._database.reading() as connection:
            row = connection.execute(query, (file_id, self._database.now())).fetchone()
        return None if row is None else read_record(FileRecord, row)

    def page(
        self, *, after: str | None, limit: int, order: Order, purpose: str | None
    ) -> Page[FileRecord]:
        """List files by time of arrival."""
        where, arguments = [_ALIVE], [self._database.now()]
        if purpose is not None:
            where.append("purpose = ?")
        with self._database.reading() as connection:
            rows = read_page(
                connection,
                "files",
                where=where,
                arguments=arguments if purpose is None else [*arguments, purpose],
                after=after,
                limit=limit,
                order=order,
            )
        return page_of(FileRecord, rows)

    def delete(self, file_id: str) -> None:
        """Forget a file and remove its bytes."""
        try:
            self._forget(file_id)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            # A full disk has no room even for forgetting; the bytes make it.
            self.path(file_id).unlink(missing_ok=True)
            self._forget(file_id)
        self.path(file_id).unlink(missing_ok=True)

    def _forget(self, file_id: str) -> None:
        with self._database.writing() as connection:
            connection.execute("DELETE FROM files WHERE id = ?", (file_id,))

    def expire(self) -> None:
        """Remove the files whose time is over."""
        now = self._database.now()
        query = "SELECT id FROM files WHERE expires_at <= ?"
        with self._database.reading() as connection:
            expired = [row["id"] for row in connection.execute(query, (now,))]
        for file_id in expired:
            self.delete(file_id)

    def sweep(self) -> None:
        """Remove expired files, and what uploads and deletions cut off by a crash left behind."""
        self.expire()
        with self._database.reading() as connection:
            kept = {row["id"] for row in connection.execute("SELECT id FROM files")}
        found = {path.name for path in self._folder.iterdir()}
        for name in found - kept:
            (self._folder / name).unlink()
        for file_id in kept - found:
            self._forget(file_id)


def insert_file(connection: sqlite3.Connection, record: FileRecord) -> None:
    """Write a file's row inside the caller's transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO files (id, bytes, created_at, filename, purpose, expires_at) "
        "VALUES (:id, :bytes, :created_at, :filename, :purpose, :expires_at)",
        record.model_dump(),
    )
