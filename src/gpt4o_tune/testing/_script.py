"""What moves scripted jobs on: nothing happens between two requests, everything due at the next one."""

from __future__ import annotations

import logging
import math
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpt4o_tune.local.engines import Resolved, Saved, Step
from gpt4o_tune.local.engines.scripted import ScriptedEngine
from gpt4o_tune.local.store.records import OPEN_STATUSES, JobFault
from gpt4o_tune.local.training import TrainingRun
from gpt4o_tune.local.validation import validate_job
from gpt4o_tune.testing.transitions import Outcome

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Generator, Iterator
    from typing import Literal

    from gpt4o_tune.local.engines import Update
    from gpt4o_tune.local.store import Store
    from gpt4o_tune.testing.clock import VirtualClock
    from gpt4o_tune.testing.transitions import Transitions

logger = logging.getLogger("gpt4o_tune.testing")


class Timeline:
    """The time that the store writes down: the clock's, or an earlier one at which things were due."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._local = threading.local()

    def now(self) -> float:
        """Return seconds since 1970."""
        due: float | None = getattr(self._local, "due", None)
        return self._clock.time() if due is None else due

    @contextmanager
    def at(self, due: float | None) -> Generator[None]:
        """Let it be another time for this thread, where one is given."""
        self._local.due = due
        try:
            yield
        finally:
            self._local.due = None


@dataclass(slots=True)
class _Life:
    """Where a job stands. Positions count in the unit of the transitions, from the job's creation."""

    job_id: str
    created: float
    outcome: Outcome
    since: float = 0.0
    """When its present state began."""
    due: float = 0.0
    """When it moves on next."""
    is_paused: bool = False
    reads: int = 0
    updates: Iterator[Update] | None = None
    total_steps: int = 0
    first_step: int = 0
    """Steps that were trained before the present stretch of training began."""
    step: int = 0


@dataclass(slots=True)
class Script:
    """Moves the jobs of a store on.

    Each change is the real one: the files are checked, an engine runs, events are written. Only its
    moment is scripted.
    """

    store: Store
    timeline: Timeline
    transitions: Transitions
    outcomes: deque[Outcome]
    _lives: dict[str, _Life] = field(default_factory=dict[str, _Life])
    _known: set[str] = field(default_factory=set[str])
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def is_due(self) -> bool:
        """Whether anything is to be done by now; jobs that were added or changed need `catch_up`."""
        with self._lock:
            return any(life.due <= self._position(life) for life in self._lives.values())

    def catch_up(self) -> None:
        """Do what is due by now; jobs are moved on in the order in which they were created."""
        with self._lock:
            while job := self.store.jobs.oldest(OPEN_STATUSES, besides=self._known):
                outcome = self.outcomes.popleft() if self.outcomes else Outcome.succeeded()
                self._known.add(job.id)
                self._lives[job.id] = _Life(job.id, self.timeline.now(), outcome)
            for life in [*self._lives.values()]:
                try:
                    while self._advance(life):
                        pass
                except Exception as error:
                    logger.exception("the scripted job %s broke", life.job_id)
                    fault = JobFault(code="server_error", message=f"The script broke: {error!r}")
                    self._finish(life, "failed", fault)

    def note_read(self, job_id: str) -> None:
        """Count a look-up that was answered."""
        with self._lock:
            if job_id in self._lives:
                self._lives[job_id].reads += 1

    def _advance(self, life: _Life) -> bool:
        """Make the next change of a job where it is due; False where it is not."""
        match self.store.jobs.get(life.job_id).status:
            case "validating_files":
                return self._do_when_due(life, self.transitions.validating, self._validate)
            case "queued":
                if life.is_paused:
                    life.is_paused, life.since = False, self._position(life)
                return self._do_when_due(life, self.transitions.queued, self._begin)
            case "running" | "pausing":
                steps = life.total_steps + 1
                done = life.step - life.first_step
                span = self.transitions.running * (done + 1) / steps
                return self._do_when_due(life, span, self._train, starts_state=False)
            case "paused":
                # Time stands still for it.
                life.is_paused, life.due = True, math.inf
                return False
            case _:
                del self._lives[life.job_id]
                return False

    def _do_when_due(
        self,
        life: _Life,
        span: float,
        change: Callable[[_Life], None],
        *,
        starts_state: bool = True,
    ) -> bool:
        due = life.due = life.since + span
        if due > self._position(life):
            return False
        if starts_state:
            life.since = due
        in_seconds = self.transitions.unit == "seconds"
        with self.timeline.at(life.created + due if in_seconds else None):
            change(life)
        return True

    def _position(self, life: _Life) -> float:
        if self.transitions.unit == "reads":
            return life.reads
        return self.timeline.now() - life.created

    def _validate(self, life: _Life) -> None:
        if not self._end_by_script(life, None):
            validate_job(self.store, self.store.jobs.get(life.job_id))

    def _begin(self, life: _Life) -> None:
        outcome = life.outcome
        engine = ScriptedEngine(train_loss=outcome.train_loss, valid_loss=outcome.valid_loss)
        life.updates = TrainingRun(self.store, life.job_id, engine=engine).updates()
        life.first_step = life.step
        for update in life.updates:
            if isinstance(update, Resolved):
                life.total_steps = update.total_steps
                return

    def _train(self, life: _Life) -> None:
        """Train one step, or publish the model after the last one."""
        if self._end_by_script(life, life.step):
            return
        for update in life.updates or ():
            match update:
                case Step():
                    life.step = update.step
                case Saved():
                    return
                case _:
                    pass

    def _end_by_script(self, life: _Life, steps: int | None) -> bool:
        """End a job that does not succeed, at the latest when all steps are trained."""
        outcome = life.outcome
        if outcome.status == "succeeded" or (steps is None) != (outcome.after_steps is None):
            return False
        if steps is not None and steps < min(outcome.after_steps or 0, life.total_steps):
            return False
        fault = JobFault(code=outcome.code, message=outcome.message, param=outcome.param)
        self._finish(life, outcome.status, fault if outcome.status == "failed" else None)
        return True

    def _finish(
        self, life: _Life, status: Literal["failed", "cancelled"], fault: JobFault | None
    ) -> None:
        with self.store.jobs.editing(life.job_id) as edit:
            edit.finish(status, fault=fault)
            if fault:
                edit.event("failed", fault.message, level="error")
            else:
                edit.event("cancelled", "Fine-tuning job cancelled")
