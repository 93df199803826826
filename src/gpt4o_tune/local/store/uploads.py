"""Uploads in parts: a row for each upload and each part, and one file a part until they become one."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from gpt4o_tune.local.ids import new_id
from gpt4o_tune.local.store.files import PART_SUFFIX
from gpt4o_tune.local.store.paging import read_record
from gpt4o_tune.local.store.records import (
    FilePurpose,
    FileRecord,
    UploadPartRecord,
    UploadRecord,
    UploadStatus,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from pathlib import Path

    from gpt4o_tune.local.store.database import Database
    from gpt4o_tune.local.store.files import FileStore

LIFE_S = 3600
"""Seconds that an upload stays open, as on the real service."""

_COPY_BYTES = 1 << 20
_STALE = "status = 'pending' AND expires_at <= ?"


class UploadStore:
    """Open and closed uploads. A part that has an id is complete on disk."""

    def __init__(self, database: Database, files: FileStore, folder: Path) -> None:
        self._database = database
        self._files = files
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def part_path(self) -> Path:
        """Give a fresh path to write a coming part to; `add_part` takes it from there."""
        return self._folder / f"{new_id('incoming-')}{PART_SUFFIX}"

    def create(
        self, *, size: int, filename: str, purpose: FilePurpose, file_expires_after: int | None
    ) -> UploadRecord:
        """Open an upload for `size` bytes; uploads that have expired make room for it."""
        self.expire()
        now = int(self._database.now())
        upload = UploadRecord(
            id=new_id("upload_"),
            bytes=size,
            created_at=now,
            expires_at=now + LIFE_S,
            filename=filename,
            purpose=purpose,
            file_expires_after=file_expires_after,
        )
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO uploads (id, bytes, created_at, expires_at, filename, purpose, status, "
                "file_expires_after) VALUES (:id, :bytes, :created_at, :expires_at, :filename, "
                ":purpose, :status, :file_expires_after)",
                upload.model_dump(),
            )
        return upload

    def find(self, upload_id: str) -> UploadRecord | None:
        """Look an upload up, in the state that it has by now."""
        self.expire()
        with self._database.reading() as connection:
            return _find(connection, upload_id)

    def add_part(self, upload_id: str, path: Path, *, most_bytes: int) -> UploadPartRecord | None:
        """Take over a written and synced part, or return None where the upload has no place for it.

        Args:
            upload_id: An upload that should be open.
            path: Where the part was written.
            most_bytes: What all parts of the upload may take together.
        """
        part = UploadPartRecord(
            id=new_id("part_"),
            upload_id=upload_id,
            bytes=path.stat().st_size,
            created_at=int(self._database.now()),
        )
        with self._database.writing() as connection:
            upload = _find(connection, upload_id)
            held = sum(each.bytes for each in _parts(connection, upload_id))
            if upload is None or upload.status != "pending" or held + part.bytes > most_bytes:
                return None
            path.replace(self._folder / part.id)
            connection.execute(
                "INSERT INTO upload_parts (id, upload_id, bytes, created_at) "
                "VALUES (:id, :upload_id, :bytes, :created_at)",
                part.model_dump(),
            )
        return part

    def parts(self, upload_id: str) -> list[UploadPartRecord]:
        """List the parts of an upload by time of arrival."""
        with self._database.reading() as connection:
            return _parts(connection, upload_id)

    def assemble(self, parts: Iterable[UploadPartRecord], path: Path) -> str:
        """Write parts one after the other to `path`, sync them, and return the MD5 of the whole, in hex.

        Raises:
            FileNotFoundError: The upload was closed meanwhile and its parts are gone.
        """
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("wb") as target:
            for part in parts:
                with (self._folder / part.id).open("rb") as source:
                    while piece := source.read(_COPY_BYTES):
                        digest.update(piece)
                        target.write(piece)
            target.flush()
            os.fsync(target.fileno())
        return digest.hexdigest()

    def complete(self, upload_id: str, path: Path) -> tuple[UploadRecord, FileRecord] | None:
        """Make the assembled bytes at `path` a file, or return None where the upload is not open.

        The file is listed and the upload closed in one transaction.
        """
        with self._database.writing() as connection:
            upload = _find(connection, upload_id)
            if upload is None or upload.status != "pending":
                return None
            file = self._files.take_over(
                connection,
                path,
                filename=upload.filename,
                purpose=upload.purpose,
                expires_after_s=upload.file_expires_after,
            )
            gone = _close(connection, upload_id, "completed", file_id=file.id)
        self._remove(gone)
        return upload.model_copy(update={"status": "completed", "file_id": file.id}), file

    def cancel(self, upload_id: str) -> UploadRecord | None:
        """Close an upload and remove its parts, or return None where it is not open."""
        with self._database.writing() as connection:
            upload = _find(connection, upload_id)
            if upload is None or upload.status != "pending":
                return None
            gone = _close(connection, upload_id, "cancelled")
        self._remove(gone)
        return upload.model_copy(update={"status": "cancelled"})

    def expire(self) -> None:
        """Close the uploads whose time is over and remove their parts."""
        now = self._database.now()
        query = f"SELECT id FROM uploads WHERE {_STALE}"  # noqa: S608 - a literal
        with self._database.reading() as connection:
            if connection.execute(query, (now,)).fetchone() is None:
                return
        with self._database.writing() as connection:
            stale = [row["id"] for row in connection.execute(query, (now,))]
            gone = [part for upload in stale for part in _close(connection, upload, "expired")]
        self._remove(gone)

    def sweep(self) -> None:
        """Close expired uploads, and remove what requests cut off by a crash left behind."""
        self.expire()
        with self._database.reading() as connection:
            kept = {row["id"] for row in connection.execute("SELECT id FROM upload_parts")}
        for path in self._folder.iterdir():
            if path.name not in kept:
                path.unlink()

    def _remove(self, part_ids: Iterable[str]) -> None:
        for part_id in part_ids:
            (self._folder / part_id).unlink(missing_ok=True)


def _find(connection: sqlite3.Connection, upload_id: str) -> UploadRecord | None:
    row = connection.execute("SELECT * FROM uploads WHERE id = ?", (upload_id,)).fetchone()
    return None if row is None else read_record(UploadRecord, row)


def _parts(connection: sqlite3.Connection, upload_id: str) -> list[UploadPartRecord]:
    rows = connection.execute(
        "SELECT * FROM upload_parts WHERE upload_id = ? ORDER BY seq", (upload_id,)
    )
    return [read_record(UploadPartRecord, row) for row in rows]


def _close(
    connection: sqlite3.Connection,
    upload_id: str,
    status: UploadStatus,
    *,
    file_id: str | None = None,
) -> list[str]:
    """Give an upload its final state and return the ids of its parts, whose bytes can go then."""
    gone = [part.id for part in _parts(connection, upload_id)]
    connection.execute("DELETE FROM upload_parts WHERE upload_id = ?", (upload_id,))
    connection.execute(
        "UPDATE uploads SET status = ?, file_id = ? WHERE id = ?", (status, file_id, upload_id)
    )
    return gone
