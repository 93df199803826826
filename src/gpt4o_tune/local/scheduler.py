"""Gives jobs their turn: one thread validates, and one thread a slot runs a worker process."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from gpt4o_tune.local.processes import end_worker, start_worker
from gpt4o_tune.local.store.records import TRAINING_STATUSES, JobFault, JobRecord
from gpt4o_tune.local.validation import validate_job

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from gpt4o_tune.local.store import Store
    from gpt4o_tune.local.store.records import JobStatus

logger = logging.getLogger("gpt4o_tune.local")

_RESTARTS = 3
_STOP_TIMEOUT_S = 5.0
_PAUSE_S = 30.0


class Scheduler:
    """Moves jobs through their states until it is stopped; what it leaves open, the next resumes.

    Args:
        store: Where jobs are kept; workers open the same data folder.
        slots: How many jobs train at the same time.
        is_screened: Have the moderation stand-in look at training files.
    """

    def __init__(self, store: Store, *, slots: int = 1, is_screened: bool = False) -> None:
        self._store = store
        self._is_screened = is_screened
        self._changed = threading.Condition()
        self._is_stopping = False
        self._claimed: set[str] = set()
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        trainers = [("trainer", {"queued", *TRAINING_STATUSES}, self._train)] * slots
        duties = [("validator", {"validating_files"}, self._validate), *trainers]
        self._threads = [
            threading.Thread(
                target=self._work_through,
                args=(statuses, duty),
                name=f"gpt4o-tune-{name}",
                daemon=True,
            )
            for name, statuses, duty in duties
        ]

    def start(self) -> None:
        """Begin, with the jobs that an earlier server left open first."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look for work again: a job was added."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """Stop the workers; their jobs stay open and continue from their saved state."""
        with self._changed:
            self._is_stopping = True
            workers = [*self._workers.values()]
            self._changed.notify_all()
        for worker in workers:
            end_worker(worker)
        for thread in self._threads:
            thread.join(_STOP_TIMEOUT_S)

    def _work_through(self, statuses: set[JobStatus], duty: Callable[[JobRecord], None]) -> None:
        while (job := self._next_job(statuses)) is not None:
            try:
                duty(job)
            except Exception as error:
                if self._is_stopping:
                    return
                logger.exception("job %s failed in the server", job.id)
                self._give_up(job.id, error)
            finally:
                with self._changed:
                    self._claimed.discard(job.id)
                    self._changed.notify_all()

    def _next_job(self, statuses: set[JobStatus]) -> JobRecord | None:
        """Wait for a job in one of these states and claim it; None when it is time to stop."""
        with self._changed:
            while not self._is_stopping:
                job = self._store.jobs.oldest(statuses, besides=self._claimed)
                if job is not None:
                    self._claimed.add(job.id)
                    return job
                self._changed.wait()
        return None

    def _validate(self, job: JobRecord) -> None:
        validate_job(self._store, job, is_screened=self._is_screened)

    def _train(self, job: JobRecord) -> None:
        exit_code = 0
        for _ in range(1 + _RESTARTS):
            exit_code = self._run_worker(job.id)
            if self._is_stopping or exit_code == 0:
                return
            logger.warning("the worker of job %s ended with exit code %s", job.id, exit_code)
        self._fail(
            job.id,
            f"The training process died {1 + _RESTARTS} times, last with exit code {exit_code}. "
            f"Its output is in {self._store.job_dir(job.id) / 'worker.log'}.",
        )

    def _run_worker(self, job_id: str) -> int:
        arguments = ["--data-dir", str(self._store.data_dir), "--job", job_id]
        with (self._store.job_dir(job_id) / "worker.log").open("ab") as log, self._changed:
            if self._is_stopping:
                return 0
            worker = start_worker("gpt4o_tune.local.worker", arguments, log=log)
            self._workers[job_id] = worker
        try:
            return worker.wait()
        finally:
            with self._changed:
                del self._workers[job_id]

    def _give_up(self, job_id: str, error: Exception) -> None:
        try:
            self._fail(job_id, f"The local server could not run the job: {error}")
        except Exception:
            # A full disk is one reason, and it may have room again before long.
            logger.exception("job %s cannot go on for now", job_id)
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopping, timeout=_PAUSE_S)

    def _fail(self, job_id: str, message: str) -> None:
        with self._store.jobs.editing(job_id) as edit:
            if edit.is_open:
                edit.finish("failed", fault=JobFault(code="server_error", message=message))
                edit.event("failed", message, level="error")
