"""Everything that the local server remembers, below one data folder."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from gpt4o_tune.local.store.batches import BatchEdit, BatchStore
from gpt4o_tune.local.store.completions import CompletionStore
from gpt4o_tune.local.store.database import Database
from gpt4o_tune.local.store.events import EventStore
from gpt4o_tune.local.store.files import FileStore
from gpt4o_tune.local.store.jobs import JobEdit, JobStore
from gpt4o_tune.local.store.models import ModelStore
from gpt4o_tune.local.store.paging import Order, UnknownCursorError
from gpt4o_tune.local.store.permissions import PermissionStore
from gpt4o_tune.local.store.uploads import UploadStore
from gpt4o_tune.local.store.webhooks import WebhookStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "BatchEdit",
    "BatchStore",
    "CompletionStore",
    "EventStore",
    "FileStore",
    "JobEdit",
    "JobStore",
    "ModelStore",
    "Order",
    "PermissionStore",
    "Store",
    "UnknownCursorError",
    "UploadStore",
    "WebhookStore",
]


class Store:
    """The tables of one data folder.

    The folder holds `state.db` (SQLite), `files/` (one file an id), `uploads/` (one file a part), `jobs/` (one folder a job:
    its own copy of the data, its log, its checkpoints) and `batches/` (one folder a batch: its own copy of the requests, its log).

    Args:
        data_dir: The folder, made where it is missing.
        now: Tells the time in seconds since 1970; tests pass a clock of their own.
    """

    def __init__(self, data_dir: Path, *, now: Callable[[], float] = time.time) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.data_dir = data_dir
        self.now = now
        self._database = Database(data_dir / "state.db", now=now)
        self.files = FileStore(self._database, data_dir / "files")
        self.uploads = UploadStore(self._database, self.files, data_dir / "uploads")
        self.jobs = JobStore(self._database)
        self.events = EventStore(self._database)
        self.models = ModelStore(self._database, data_dir)
        self.permissions = PermissionStore(self._database)
        self.batches = BatchStore(self._database)
        self.webhooks = WebhookStore(self._database)
        self.completions = CompletionStore(self._database)

    def job_dir(self, job_id: str) -> Path:
        """The folder of a job, made at first use."""
        folder = self.data_dir / "jobs" / job_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def batch_dir(self, batch_id: str) -> Path:
        """The folder of a batch, made at first use."""
        folder = self.data_dir / "batches" / batch_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def sweep(self) -> None:
        """Remove expired files and uploads, and what requests that a crash cut off left behind."""
        self.files.sweep()
        self.uploads.sweep()
        for folder in (self.data_dir / "jobs").glob("*"):
            if not self.jobs.exists(folder.name):
                shutil.rmtree(folder)
        for folder in (self.data_dir / "batches").glob("*"):
            if not self.batches.needs_folder(folder.name):
                shutil.rmtree(folder)

    def close(self) -> None:
        """Close the database."""
        self._database.close()
