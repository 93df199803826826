"""One schedule of faults: a user's program against the service, until it has its model.

The program creates a job and waits for it. It is started again when its process is killed or its launch
fails, as a user or a supervisor would do. A schedule is drawn from its number alone, so it can be replayed:

    python -c "from tests.jobs.schedules import replay; replay(1234)"
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import openai

from gpt4o_tune import Dataset, FineTuneJob, JobFailedError, JobTimeoutError, Provider
from tests.conftest import VirtualClock
from tests.jobs.service import LIVES, Job, Request, Service
from tests.jobs.wire import FAULTS, LATEST, Fault, Wire, WireServer
from tests.rows import routing_rows

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from types import TracebackType
    from typing import Self

    from gpt4o_tune.jobs import Event, LaunchPlan

KILLED: Final = "own process killed"
MOST_STARTS: Final = 40
OVERSHOOT: Final = 10.0
"""Seconds past the deadline that a wait may take: its last look and its last page of events, five each."""


class ProcessKilledError(BaseException):
    """The process of the program ends here; nothing in the library may stop that."""


class Key:
    """The API key. The client fetches it before every request, and a schedule may kill the process there."""

    def __init__(self) -> None:
        self.requests_left: int | None = None

    def __call__(self) -> str:
        if self.requests_left is not None:
            self.requests_left -= 1
            if self.requests_left < 0:
                self.requests_left = None
                raise ProcessKilledError
        return "key"


@dataclass
class Weather:
    """Draws a fault for some of the requests, from the kinds of one schedule, until there were enough."""

    draw: random.Random
    kinds: Sequence[Fault]
    chance: float
    left: int

    def __call__(self, request: Request) -> Fault | None:
        # What must not be done twice is tried harder.
        chance = max(self.chance, 0.3) if request.creates else self.chance
        if self.left == 0 or self.draw.random() >= chance:
            return None
        kinds = (*self.kinds, "late") if request.creates else self.kinds
        fault = self.draw.choice(kinds)
        if fault.endswith("events") and not request.path.endswith("/events"):
            return None
        if fault == "late" and not request.creates:
            return None
        self.left -= 1
        return fault


@dataclass
class Tally:
    """What a number of schedules came to."""

    schedules: int = 0
    requests: int = 0
    launches: int = 0
    failed_launches: int = 0
    timeouts: int = 0
    unread_logs: int = 0
    injected: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.injected.items()))
        return (
            f"{self.schedules} schedules, {self.requests} requests, "
            f"{self.injected.total()} faults: {kinds}\n"
            f"{self.launches} launches ({self.failed_launches} raised and were started again), "
            f"{self.timeouts} deadlines, {self.unread_logs} waits that ended before their last events"
        )


class Bench:
    """A socket, a plan and an event loop that all schedules share; only the service is new each time."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.key = Key()
        self._server = WireServer()
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._server.__enter__()
        self.provider = replace(
            Provider.compatible(self._server.base_url, api_key="key"), api_key=self.key
        )
        self.plan = FineTuneJob.plan(Dataset.from_records(routing_rows(12)), provider=self.provider)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self.provider.close_async())
        self._runner.close()
        self.provider.close()
        self._server.__exit__(kind, error, trace)

    def run(self, number: int) -> None:
        """Run one schedule and check what must hold; half of them on each face."""
        draw = random.Random(number)  # repeatable, not secret
        # The library's own jitter comes from here.
        random.seed(number)
        clock = VirtualClock()
        wire = Wire(_service(draw), clock, _weather(draw), draw)
        self._server.plugged = wire
        plan = replace(self.plan, provider=replace(self.provider, clock=clock))
        face = _Blocking() if number % 2 else _Asynchronous(self._runner)
        program = _Program(face, plan, clock, wire, draw, self.key, self.tally)
        try:
            program.run()
            program.check_end()
        except BaseException as error:
            error.add_note(f"This was schedule {number}.")
            raise
        finally:
            self.key.requests_left = None
        self.tally.schedules += 1
        self.tally.requests += len(wire.requests)
        self.tally.injected.update(wire.injected)


def replay(number: int) -> None:
    """Run one schedule with the library's log on."""
    logging.basicConfig(level=logging.INFO)
    with Bench() as bench:
        bench.run(number)


def _service(draw: random.Random) -> Service:
    service = Service(
        life=LIVES[draw.choice(sorted(LIVES))],
        filters_by_metadata=draw.random() < 0.7,
        is_sparse=draw.random() < 0.3,
        ids_ascend=draw.random() < 0.5,
        events_per_second=draw.choice((1, 3)),
        largest_page=draw.choice((2, 5, 100)),
    )
    for _ in range(draw.choice((0, 0, 3))):
        service.add_job(
            {"model": "gpt-4o", "training_file": "file-0", "metadata": {"by": "others"}}
        )
    return service


def _weather(draw: random.Random) -> Weather:
    kinds = draw.sample(FAULTS, draw.choice((1, 2, 5, len(FAULTS))))
    return Weather(draw, kinds, draw.choice((0.05, 0.2, 0.5, 0.9)), draw.randint(1, 15))


class _Blocking:
    def launch(self, plan: LaunchPlan) -> FineTuneJob:
        return FineTuneJob.launch(plan)

    def get(self, job_id: str, provider: Provider) -> FineTuneJob:
        return FineTuneJob.get(job_id, provider=provider)

    def wait(self, job: FineTuneJob, timeout: float | None, seen: list[Event]) -> str:
        return job.wait(timeout=timeout, on_event=seen.append, ready_timeout=0).name


class _Asynchronous:
    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    def launch(self, plan: LaunchPlan) -> FineTuneJob:
        return self._runner.run(FineTuneJob.launch_async(plan))

    def get(self, job_id: str, provider: Provider) -> FineTuneJob:
        return self._runner.run(FineTuneJob.get_async(job_id, provider=provider))

    def wait(self, job: FineTuneJob, timeout: float | None, seen: list[Event]) -> str:
        waiting = job.wait_async(timeout=timeout, on_event=seen.append, ready_timeout=0)
        return self._runner.run(_name(waiting))


async def _name(waiting: Coroutine[object, None, object]) -> str:
    return (await waiting).name  # type: ignore[attr-defined]  # a model


@dataclass
class _Program:
    """The user's program, and whoever starts it again."""

    face: _Blocking | _Asynchronous
    plan: LaunchPlan
    clock: VirtualClock
    wire: Wire
    draw: random.Random
    key: Key
    tally: Tally
    kills_left: int = field(init=False)

    def __post_init__(self) -> None:
        self.kills_left = self.draw.choice((0, 0, 1, 3))

    def run(self) -> None:
        """Launch and wait until the job has ended, starting anew as often as that takes."""
        for _ in range(MOST_STARTS):
            self._arm()
            try:
                job = self._launch()
                self._check_one_job(job)
                self._follow(job)
            except ProcessKilledError:
                self.wire.injected[KILLED] = self.wire.injected.get(KILLED, 0) + 1
                self.kills_left -= 1
            except openai.OpenAIError:
                self.tally.failed_launches += 1
            else:
                return
            # Nobody starts a program again before the service is done with the last one's request.
            self.clock.sleep(LATEST + self.draw.uniform(0, 120))
        raise AssertionError(f"no model after {MOST_STARTS} starts")

    def check_end(self) -> None:
        """Whatever still lives trains to its end: then one job was paid for, and one file uploaded."""
        self.clock.sleep(LATEST)
        self.wire.settle()
        self.key.requests_left = None
        self.wire.service.run_out()
        charged = [job for job in self._jobs() if job.was_charged and not job.failed]
        assert len(charged) <= 1, f"paid for {[job.id for job in charged]}"
        names = [file["filename"] for file in self.wire.service.files]
        assert len(set(names)) == len(names) == 1, f"uploaded {names}"

    def _arm(self) -> None:
        alive_for = self.draw.randint(0, 25)
        self.key.requests_left = alive_for if self.kills_left > 0 else None

    def _launch(self) -> FineTuneJob:
        self.tally.launches += 1
        return self.face.launch(self.plan)

    def _jobs(self) -> list[Job]:
        theirs = self.plan.fingerprint
        return [job for job in self.wire.service.jobs if theirs in job.metadata.values()]

    def _check_one_job(self, job: FineTuneJob) -> None:
        self.wire.settle()
        alive = {
            other.id for other in self._jobs() if other.status != "cancelled" and not other.failed
        }
        assert alive <= {job.id}, f"launched {job.id}, but there are {alive}"

    def _follow(self, job: FineTuneJob) -> None:
        for _ in range(MOST_STARTS):
            if self.draw.random() < 0.5:
                job = self.face.get(job.id, self.plan.provider)
            seen: list[Event] = []
            timeout = self.draw.choice((None, None, 0.0, 5.0, 100.0, 1000.0))
            started = self.clock.now()
            name = None
            try:
                name = self.face.wait(job, timeout, seen)
            except JobTimeoutError:
                self.tally.timeouts += 1
            except JobFailedError:
                return
            except openai.OpenAIError as error:
                raise AssertionError("a wait was lost to an outage") from error
            finally:
                self._check_wait(job, seen, started, timeout, has_ended=name is not None)
            if name is not None:
                assert name.endswith(job.id[6:])
                return
        raise AssertionError(f"no end after {MOST_STARTS} waits")

    def _check_wait(
        self,
        job: FineTuneJob,
        seen: Sequence[Event],
        started: float,
        timeout: float | None,
        *,
        has_ended: bool,
    ) -> None:
        [there] = [other for other in self._jobs() if other.id == job.id]
        happened = [event["id"] for event in there.events]
        shown = [event.id for event in seen]
        assert shown == happened[: len(shown)], f"events {shown} of {happened}"
        if has_ended and len(shown) < len(happened):
            self.tally.unread_logs += 1
        if timeout is not None:
            took = self.clock.now() - started
            assert took <= timeout + OVERSHOOT, f"waited {took} s of {timeout} s"
