"""Gives batches their turn: one worker process at a time, the oldest batch first."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from gpt4o_tune.local.batches.results import write_results
from gpt4o_tune.local.processes import end_worker, start_worker
from gpt4o_tune.local.store.records import OPEN_BATCHES, BatchFault, BatchRecord

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from gpt4o_tune.local.store import Store

logger = logging.getLogger("gpt4o_tune.local")

_RESTARTS = 3
_STOP_TIMEOUT_S = 5.0
_SHORT_PAUSE_S = 1.0
_LONG_PAUSE_S = 30.0


class BatchTurns:
    """Has batches answered until it is stopped; what it leaves open, the next continues."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._is_stopping = False
        self._worker: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._work, name="gpt4o-tune-batches", daemon=True)

    def start(self) -> None:
        """Begin, with the batches that an earlier server left open."""
        self._thread.start()

    def wake(self) -> None:
        """Look for work again: a batch was added."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """Stop the worker; its batch stays open, and no result is lost."""
        with self._changed:
            self._is_stopping = True
            worker = self._worker
            self._changed.notify_all()
        if worker is not None:
            end_worker(worker)
        self._thread.join(_STOP_TIMEOUT_S)

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            try:
                self._answer(batch)
            except Exception:
                if self._is_stopping:
                    return
                # A full disk is one reason, and it may have room again before long.
                logger.exception("batch %s cannot go on for now", batch.id)
                self._pause(_LONG_PAUSE_S)

    def _next(self) -> BatchRecord | None:
        """Wait for an open batch; None when it is time to stop."""
        with self._changed:
            while not self._is_stopping:
                batch = self._store.batches.oldest_open()
                if batch is not None:
                    return batch
                self._changed.wait()
        return None

    def _answer(self, batch: BatchRecord) -> None:
        exit_code = 0
        for attempt in range(1 + _RESTARTS):
            self._pause(_SHORT_PAUSE_S * max(0, attempt - 1))
            exit_code = self._run_worker(batch.id)
            if self._is_stopping or exit_code == 0:
                return
            logger.warning("the worker of batch %s ended with exit code %s", batch.id, exit_code)
        self._fail(
            batch.id,
            f"The process that answers died {1 + _RESTARTS} times, last with exit code {exit_code}. "
            f"Its output is in {self._log(batch.id)}.",
        )

    def _run_worker(self, batch_id: str) -> int:
        arguments = ["--data-dir", str(self._store.data_dir), "--batch", batch_id]
        with self._log(batch_id).open("ab") as log, self._changed:
            if self._is_stopping:
                return 0
            worker = start_worker("gpt4o_tune.local.batches.worker", arguments, log=log)
            self._worker = worker
        try:
            return worker.wait()
        finally:
            with self._changed:
                self._worker = None

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping, timeout=seconds)

    def _log(self, batch_id: str) -> Path:
        return self._store.batch_dir(batch_id) / "worker.log"

    def _fail(self, batch_id: str, message: str) -> None:
        """Give a batch up, with files of what was answered."""
        files = write_results(self._store, self._store.batches.get(batch_id))
        with self._store.batches.editing(batch_id) as edit:
            if edit.batch.status in OPEN_BATCHES:
                fault = BatchFault(code="server_error", message=message)
                now = int(self._store.now())
                edit.finish(status="failed", faults=(fault,), failed_at=now, **files)
