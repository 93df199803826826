"""How long waits and launches wait, and what they make of odd answers: on virtual time, over a socket."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import openai
import pytest
from openai.types.fine_tuning import FineTuningJob

from gpt4o_tune import Dataset, FineTuneJob, JobFailedError, JobTimeoutError, Provider
from tests.conftest import VirtualClock
from tests.jobs.service import LIVES, Job, Request, Service
from tests.jobs.wire import Fault, Wire, WireServer
from tests.rows import routing_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune.jobs import Event

JOBS = "/fine_tuning/jobs"
SIX_HOURS = 6 * 3600.0


@pytest.fixture(scope="module")
def served() -> Iterator[WireServer]:
    """One socket for all tests of this file."""
    with WireServer() as server:
        yield server


@pytest.fixture
def wire(served: WireServer, clock: VirtualClock) -> Wire:
    """A wire of the test's own, in fair weather."""
    served.plugged = Wire(Service(), clock)
    return served.plugged


@pytest.fixture
def provider(served: WireServer, wire: Wire, clock: VirtualClock) -> Provider:
    """The service as the library sees it, waiting on virtual time."""
    return replace(Provider.compatible(served.base_url, api_key="key"), clock=clock)


@pytest.fixture
def job(wire: Wire, provider: Provider) -> FineTuneJob:
    """A job that somebody else has launched; nothing has looked at it yet."""
    return taken(wire.service.add_job({"model": "gpt-4o", "training_file": "file-0"}), provider)


def taken(there: Job, provider: Provider) -> FineTuneJob:
    """Take hold of a job without a request."""
    raw = {"id": there.id, "status": there.status, "model": "gpt-4o"}
    return FineTuneJob(FineTuningJob.model_construct(**raw), provider=provider)


def spoil(wire: Wire, path_end: str, *faults: Fault | None) -> None:
    """Let the next requests whose path ends so meet these faults, one each; None lets one through."""
    left = list(faults)

    def weather(request: Request) -> Fault | None:
        return left.pop(0) if left and request.path.endswith(path_end) else None

    wire.weather = weather


def test_retry_after_of_five_minutes_is_waited_for(
    wire: Wire, job: FineTuneJob, clock: VirtualClock
) -> None:
    """Where the client itself gives up (above 120 s), the wait goes on when the server said."""
    spoil(wire, job.id, "429 for five minutes", "429 for five minutes")

    job.wait()

    assert clock.sleeps.count(300.0) == 2
    assert wire.count("GET", f"{JOBS}/{job.id}") == 2 + len(LIVES["openai"]) - 1


def test_retry_after_of_zero_is_no_busy_loop(
    wire: Wire, job: FineTuneJob, clock: VirtualClock
) -> None:
    """Our own backoff is the least: an hour of `Retry-After: 0` costs hundreds of requests, not millions."""
    wire.draw.randint = lambda low, high: low  # type: ignore[method-assign]  # every hint is 0
    wire.weather = lambda request: "429 with hint" if clock.seconds < 3600 else None

    job.wait()

    assert wire.count("GET", f"{JOBS}/{job.id}") < 300


@pytest.mark.parametrize("fault", ["500", "502", "503", "reset", "page of a proxy", "garbled body"])
def test_an_hour_of_failures_does_not_lose_a_six_hour_job(
    wire: Wire, job: FineTuneJob, clock: VirtualClock, fault: Fault
) -> None:
    """The wait looks again until the service is back, and returns the model."""
    wire.service.jobs[0].life = ("running", "succeeded")
    wire.service.moves_on = lambda: clock.seconds >= SIX_HOURS
    wire.weather = lambda request: fault if 3 * 3600 < clock.seconds < 4 * 3600 else None

    assert job.wait(ready_timeout=0).name.endswith(job.id[6:])
    assert SIX_HOURS < clock.seconds < SIX_HOURS + 30


def test_a_server_that_refuses_connections_is_waited_for(
    served: WireServer, wire: Wire, job: FineTuneJob, clock: VirtualClock
) -> None:
    """Killed, and started again after ten minutes with its state kept: the wait never notices."""
    served.kill()

    def sleep(seconds: float) -> None:
        VirtualClock.sleep(clock, seconds)
        if clock.seconds > 600 and not served.is_listening:
            served.start()

    clock.sleep = sleep  # type: ignore[method-assign]  # the server comes back as time goes by

    job.wait()

    assert 600 < clock.seconds < 900


def test_an_outage_beyond_an_hour_ends_the_wait_with_advice(wire: Wire, job: FineTuneJob) -> None:
    """The client's error passes through and says how to go on; the job is not touched."""
    wire.weather = lambda request: "503"

    with pytest.raises(openai.InternalServerError) as caught:
        job.wait()

    assert any(f"FineTuneJob.get({job.id!r})" in note for note in caught.value.__notes__)
    assert wire.service.jobs[0].is_live


@pytest.mark.parametrize("fault", ["hang", "429 for five minutes", "503", "outage", "garbled body"])
@pytest.mark.parametrize("timeout", [0.0, 3.0, 90.0, 1000.0])
def test_the_deadline_holds_whatever_the_server_does(
    wire: Wire, job: FineTuneJob, clock: VirtualClock, fault: Fault, timeout: float
) -> None:
    """A wait ends within one short call of its deadline, and says that the job goes on."""
    wire.weather = lambda request: fault

    with pytest.raises(JobTimeoutError, match=rf"FineTuneJob\.get\('{job.id}'\)"):
        job.wait(timeout=timeout)

    assert clock.seconds <= timeout + 10


def test_the_deadline_holds_on_the_asynchronous_face(
    wire: Wire, job: FineTuneJob, clock: VirtualClock
) -> None:
    """Both faces are one coroutine."""
    wire.weather = lambda request: "hang"

    async def wait() -> None:
        try:
            await job.wait_async(timeout=90)
        finally:
            await job.provider.close_async()

    with pytest.raises(JobTimeoutError):
        asyncio.run(wait())

    assert clock.seconds <= 100


@pytest.mark.parametrize("life", sorted(LIVES))
@pytest.mark.parametrize("is_sparse", [False, True], ids=["full", "sparse"])
def test_every_life_is_followed_to_its_end(
    wire: Wire, job: FineTuneJob, life: str, is_sparse: bool
) -> None:
    """Unknown states, Azure's states, pauses, nulls and `error: {}` keep no wait from ending well."""
    wire.service.is_sparse = is_sparse
    wire.service.jobs[0].life = LIVES[life]
    seen: list[Event] = []

    if life == "failing":
        with pytest.raises(JobFailedError, match="worker was lost"):
            job.wait(on_event=seen.append)
    else:
        assert job.wait(on_event=seen.append).name.endswith(job.id[6:])

    assert [event.id for event in seen] == [event["id"] for event in wire.service.jobs[0].events]


def test_events_that_cannot_be_read_lose_no_model(
    wire: Wire, job: FineTuneJob, caplog: pytest.LogCaptureFixture
) -> None:
    """A service whose list of events is broken still trains; the log says what is missing."""
    wire.weather = lambda request: "500" if request.path.endswith("/events") else None

    assert job.wait(on_event=print).name.endswith(job.id[6:])
    assert "events of job" in caplog.text


def test_events_that_nobody_reads_are_not_asked_for(wire: Wire, job: FineTuneJob) -> None:
    """Without a callback, a rule or a terminal, the state is all that is looked at."""
    job.wait()

    assert wire.count("GET", f"{JOBS}/{job.id}/events") == 0


def test_a_list_that_never_ends_is_read_once(wire: Wire, job: FineTuneJob) -> None:
    """A service that ignores the cursor and promises more for ever does not hang the wait."""
    wire.service.knows_paging = False
    seen: list[Event] = []

    job.wait(on_event=seen.append)

    assert [event.id for event in seen] == [event["id"] for event in wire.service.jobs[0].events]


def test_looks_keep_step_with_the_time_waited(
    wire: Wire, job: FineTuneJob, clock: VirtualClock
) -> None:
    """Pauses are a twentieth of the time waited so far, between half a second and twenty."""
    wire.service.jobs[0].life = (*["running"] * 300, "succeeded")

    job.wait()

    begun = 0.0
    for pause in clock.sleeps:
        due = min(20.0, max(0.5, 0.05 * begun))
        assert 0.9 * due <= pause <= 1.1 * due
        begun += pause


def test_a_create_that_must_wait_a_day_is_given_up(
    wire: Wire, provider: Provider, clock: VirtualClock
) -> None:
    """Retry-After is honoured up to a quarter of an hour; beyond it, the launch is left for later."""
    plan = FineTuneJob.plan(Dataset.from_records(routing_rows(12)), provider=provider)
    spoil(wire, JOBS, None, "429 for a day")

    with pytest.raises(openai.RateLimitError):
        FineTuneJob.launch(plan)

    assert clock.seconds < 60
    assert wire.count("POST", JOBS) == 1


def test_a_create_waits_five_minutes_where_it_is_told_to(
    wire: Wire, provider: Provider, clock: VirtualClock
) -> None:
    """Beyond the 120 s at which the client gives up."""
    plan = FineTuneJob.plan(Dataset.from_records(routing_rows(12)), provider=provider)
    spoil(wire, JOBS, None, "429 for five minutes")

    FineTuneJob.launch(plan)

    assert 300.0 in clock.sleeps
    assert len(wire.service.jobs) == 1


def test_without_metadata_a_refusal_for_now_is_repeated(
    wire: Wire, provider: Provider, clock: VirtualClock
) -> None:
    """A 429 made no job, so it needs no look-up to be sent again."""
    forgetful = replace(provider, profile=replace(provider.profile, keeps_metadata=False))
    plan = FineTuneJob.plan(Dataset.from_records(routing_rows(12)), provider=forgetful)
    spoil(wire, JOBS, "429 for five minutes")

    job = FineTuneJob.launch(plan)

    assert [job.id] == [there.id for there in wire.service.jobs]
    assert wire.count("GET", JOBS) == 0
    assert clock.seconds > 300


def test_a_created_job_that_could_not_be_compared_is_named(wire: Wire, provider: Provider) -> None:
    """The launch raises, its error says which job runs, and the next launch adopts it."""
    plan = FineTuneJob.plan(Dataset.from_records(routing_rows(12)), provider=provider)
    wire.weather = lambda request: "503" if wire.service.jobs else None

    with pytest.raises(openai.InternalServerError) as caught:
        FineTuneJob.launch(plan)
    wire.weather = lambda request: None
    again = FineTuneJob.launch(plan)

    assert any(again.id in note for note in caught.value.__notes__)
    assert again.adopted
    assert len(wire.service.jobs) == 1


def test_a_key_that_is_fetched_serves_both_faces(wire: Wire, job: FineTuneJob) -> None:
    """A token provider is an ordinary function, as azure-identity gives it."""
    fetched = replace(job.provider, api_key=lambda: "fresh")

    async def look() -> FineTuneJob:
        try:
            return await FineTuneJob.get_async(job.id, provider=fetched)
        finally:
            await fetched.close_async()

    assert FineTuneJob.get(job.id, provider=fetched).id == asyncio.run(look()).id == job.id
    fetched.close()
    assert {request.headers["authorization"] for request in wire.requests} == {"Bearer fresh"}
    assert len(wire.requests) == 2


def test_a_cancel_whose_answer_was_lost_is_not_an_error(wire: Wire, job: FineTuneJob) -> None:
    """The second request is refused because the first one took effect; that is what was wanted."""
    spoil(wire, "/cancel", "reset after")

    assert job.cancel().status == "cancelled"


def test_a_clock_of_its_own_is_used(job: FineTuneJob, wire: Wire, clock: VirtualClock) -> None:
    """Providers that differ in their clock alone share a client, and keep their clocks."""
    other = VirtualClock()
    spoil(wire, job.id, "503")

    FineTuneJob.get(job.id, provider=replace(job.provider, clock=other))

    assert other.sleeps
    assert not clock.sleeps
