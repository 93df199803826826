"""Two processes launch the same job at the same moment, their requests in every order that was drawn."""

from __future__ import annotations

import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import Dataset, FineTuneJob, Provider
from tests.conftest import VirtualClock
from tests.jobs.service import Service
from tests.jobs.wire import Wire, WireServer
from tests.rows import routing_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpt4o_tune.jobs import LaunchPlan

REQUESTS = 6
"""What a launch without faults sends: jobs, model, files, upload, create, jobs."""


class Turns:
    """Lets two processes send one request each time it is their turn, and none before the last is done.

    Each process asks for its turn where the client asks for the API key: right before a request.
    """

    def __init__(self, order: Sequence[int]) -> None:
        self._order = list(order)
        self._finished: set[int] = set()
        self._holder: int | None = None
        self._changed = threading.Condition()

    def take(self, process: int) -> str:
        """Wait for the turn of a process; its previous request is done by now."""
        with self._changed:
            self._release(process)
            if not self._changed.wait_for(lambda: self._next() == process, timeout=10):
                raise TimeoutError(f"process {process} never got its turn")
            if self._order:
                self._order.pop(0)
            self._holder = process
        return "key"

    def finish(self, process: int) -> None:
        """Say that a process sends nothing more."""
        with self._changed:
            self._finished.add(process)
            self._release(process)

    def _release(self, process: int) -> None:
        if self._holder == process:
            self._holder = None
        self._changed.notify_all()

    def _next(self) -> int | None:
        if self._holder is not None:
            return None
        self._order = [process for process in self._order if process not in self._finished]
        if self._order:
            return self._order[0]
        return next((process for process in (0, 1) if process not in self._finished), None)


@pytest.fixture(scope="module")
def served() -> Iterator[WireServer]:
    """One socket for all tests of this file."""
    with WireServer() as server:
        yield server


@pytest.fixture(scope="module")
def plan(served: WireServer) -> LaunchPlan:
    """What both processes launch."""
    provider = Provider.compatible(served.base_url, api_key="key")
    return FineTuneJob.plan(Dataset.from_records(routing_rows(12)), provider=provider)


def race(
    served: WireServer, plan: LaunchPlan, service: Service, order: Sequence[int]
) -> list[FineTuneJob]:
    """Launch the plan in two threads whose requests take turns, and return what each of them got."""
    turns, clock = Turns(order), VirtualClock()
    served.plugged = Wire(service, clock)

    def launch(process: int) -> FineTuneJob:
        provider = replace(plan.provider, api_key=lambda: turns.take(process), clock=clock)
        try:
            return FineTuneJob.launch(replace(plan, provider=provider))
        finally:
            turns.finish(process)
            provider.close()

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(launch, (0, 1)))


def orders(count: int) -> list[tuple[int, ...]]:
    """Draw orders in which two times six requests can be sent, and the three that matter most."""
    both_look_first = (0, 1) * REQUESTS
    second_creates_last = (1, 1, 1, 1, *(0,) * REQUESTS, 1, 1)
    second_is_a_step_behind = (0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1)
    draw = random.Random(7)  # repeatable, not secret
    places = list(itertools.combinations(range(2 * REQUESTS), REQUESTS))
    drawn = [
        tuple(int(place in mine) for place in range(2 * REQUESTS))
        for mine in draw.sample(places, count)
    ]
    return [both_look_first, second_creates_last, second_is_a_step_behind, *drawn]


def check_races(served: WireServer, plan: LaunchPlan, count: int) -> None:
    """Race in that many orders; one job must be left alive each time, held by both."""
    for number, order in enumerate(orders(count)):
        # Jobs of one second, whose ids may sort against the order in which they were made.
        service = Service(ids_ascend=number % 2 == 0, filters_by_metadata=number % 3 > 0)
        first, second = race(served, plan, service, order)

        alive = [job.id for job in service.jobs if job.is_live]
        assert [first.id] == [second.id] == alive, order
        service.run_out()
        assert service.charges == 1


def test_two_processes_end_with_one_job(served: WireServer, plan: LaunchPlan) -> None:
    """In every order of their requests one job stays alive, and both processes hold it."""
    check_races(served, plan, 60)


@pytest.mark.slow
def test_two_processes_in_every_order(served: WireServer, plan: LaunchPlan) -> None:
    """As above, with all 924 orders."""
    check_races(served, plan, 924)


def test_a_process_killed_before_it_cancelled_the_twin_is_made_good(
    served: WireServer, plan: LaunchPlan
) -> None:
    """Twins that an earlier launch left behind are found by the next one, which keeps the first."""
    service = Service()
    clock = VirtualClock()
    served.plugged = Wire(service, clock)
    request = {"model": plan.model, "training_file": "file-0"}
    marked = {**request, "metadata": plan.request("file-0", None)["metadata"]}
    older, newer = service.add_job(marked), service.add_job(marked)

    job = FineTuneJob.launch(replace(plan, provider=replace(plan.provider, clock=clock)))

    assert (job.id, job.adopted) == (older.id, True)
    assert newer.status == "cancelled"
    assert len(service.jobs) == 2


def test_a_server_that_ignores_the_filter_is_searched_page_by_page(
    served: WireServer, plan: LaunchPlan
) -> None:
    """The equal job is found among hundreds of others that the list holds as well."""
    service = Service(filters_by_metadata=False)
    clock = VirtualClock()
    served.plugged = Wire(service, clock)
    here = replace(plan, provider=replace(plan.provider, clock=clock))
    first = FineTuneJob.launch(here)
    for _ in range(250):
        service.add_job({"model": "gpt-4o", "training_file": "file-0"})

    again = FineTuneJob.launch(here)

    assert (again.id, again.adopted) == (first.id, True)
    assert served.plugged.count("POST", "/fine_tuning/jobs") == 1
