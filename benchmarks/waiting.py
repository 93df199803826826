"""What waiting for a six-hour job costs in requests, and how late each way of waiting notices the end.

    python -m benchmarks.waiting

Run from the repository's root, as the service is the one of the tests: in memory, on a real socket, asked
by the real client. Time is virtual, so the six hours pass in seconds; about a minute in all. The figures
stand on the page docs/design/waiting.md.

No way of waiting knows when the job will end, so one long run gives the delay for every end: the time from
each possible end to the next look, over ends in the second half of a length.
"""

from __future__ import annotations

import bisect
import dataclasses
import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import openai

from gpt4o_tune import FineTuneJob, Provider
from tests.conftest import VirtualClock
from tests.jobs.service import Request, Service
from tests.jobs.wire import Fault, Wire, WireServer

SIX_HOURS = 6 * 3600.0
LENGTHS = {"10 s": 10.0, "1 min": 60.0, "10 min": 600.0, "6 h": SIX_HOURS}

Weather = Callable[[VirtualClock], Callable[[Request], Fault | None]]
"""Makes, for a clock, what says what happens to a request."""


def fair(clock: VirtualClock) -> Callable[[Request], Fault | None]:
    return lambda request: None


def between(fault: Fault, start: float, end: float) -> Weather:
    return lambda clock: lambda request: fault if start <= clock.now() < end else None


def once(fault: Fault, start: float) -> Weather:
    def weather(clock: VirtualClock) -> Callable[[Request], Fault | None]:
        left = [fault]
        return lambda request: left.pop() if left and clock.now() >= start else None

    return weather


WEATHERS: dict[str, Weather] = {
    "one 500": once("500", 3600),
    "ten minutes of 503": between("503", 3600, 4200),
    "an hour of 500": between("500", 3600, 7200),
    "429, Retry-After 300": once("429 for five minutes", 3600),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One wait: when each request was sent, which of them looked at the job, and how it ended."""

    requests: list[float]
    looks: list[float]
    error: str | None

    def sent_by(self, second: float) -> int:
        """Requests that were sent until then."""
        return sum(sent <= second for sent in self.requests)

    def delays(self, length: float) -> list[float]:
        """Seconds from an end to the next look, for a thousand ends in the second half of `length`."""
        ends = [length * (0.5 + 0.5 * step / 1000) for step in range(1000)]
        return [self.looks[bisect.bisect_left(self.looks, end)] - end for end in ends]


def ours(provider: Provider, job_id: str, clock: VirtualClock) -> None:
    FineTuneJob.get(job_id, provider=replace(provider, clock=clock)).wait(ready_timeout=0)


def ours_with_events(provider: Provider, job_id: str, clock: VirtualClock) -> None:
    job = FineTuneJob.get(job_id, provider=replace(provider, clock=clock))
    job.wait(ready_timeout=0, on_event=lambda event: None)


def sleep_loop(provider: Provider, job_id: str, clock: VirtualClock) -> None:
    """The loop of most wrappers: job and events every five seconds, the client's retries off."""
    with openai.OpenAI(base_url=provider.base_url, api_key="key", max_retries=0) as client:
        while client.fine_tuning.jobs.retrieve(job_id).status != "succeeded":
            client.fine_tuning.jobs.list_events(job_id, limit=10)
            clock.sleep(5)


def client_alone(provider: Provider, job_id: str, clock: VirtualClock) -> None:
    """The client as it comes, with its two retries, asked every five seconds."""
    with openai.OpenAI(base_url=provider.base_url, api_key="key") as client:
        while client.fine_tuning.jobs.retrieve(job_id).status != "succeeded":
            clock.sleep(5)


WAYS = {
    "gpt4o_tune wait()": ours,
    "gpt4o_tune wait(on_event=)": ours_with_events,
    "sleep(5) loop with events": sleep_loop,
    "openai client alone": client_alone,
}


def measure(
    server: WireServer,
    way: Callable[[Provider, str, VirtualClock], None],
    *,
    weather: Weather = fair,
) -> Run:
    clock = VirtualClock()
    service = Service(
        life=("queued", "running", "succeeded"), moves_on=lambda: clock.seconds >= SIX_HOURS
    )
    job = service.add_job({"model": "gpt-4o", "training_file": "file-0"})
    job.step = 1
    strike = weather(clock)
    requests: list[float] = []
    looks: list[float] = []

    def watch(request: Request) -> Fault | None:
        requests.append(clock.now())
        if request.path.endswith(job.id):
            looks.append(clock.now())
        return strike(request)

    server.plugged = Wire(service, clock, weather=watch)
    provider = Provider.compatible(server.base_url, api_key="key")
    try:
        way(provider, job.id, clock)
    except openai.OpenAIError as error:
        return Run(requests, looks, f"{type(error).__name__} at {clock.seconds / 3600:.2f} h")
    return Run(requests, looks, None)


def show_costs(server: WireServer) -> None:
    print(f"{'':28}" + "".join(f"{title:>26}" for title in LENGTHS))
    for name, way in WAYS.items():
        run = measure(server, way)
        cells = [
            f"{run.sent_by(length)}, {statistics.mean(run.delays(length)):.2f} s, "
            f"{max(run.delays(length)):.2f} s"
            for length in LENGTHS.values()
        ]
        print(f"{name:28}" + "".join(f"{cell:>26}" for cell in cells))
    print("requests, mean and longest time until the end is noticed; by length of the job\n")


def show_faults(server: WireServer) -> None:
    for title, weather in WEATHERS.items():
        for name, way in WAYS.items():
            run = measure(server, way, weather=weather)
            print(f"{title:22} {name:28} {run.error or 'model'}")


def main() -> None:
    logging.getLogger("gpt4o_tune").setLevel(logging.ERROR)
    with WireServer() as server:
        show_costs(server)
        show_faults(server)
    print(f"{time.process_time():.0f} CPU seconds")


if __name__ == "__main__":
    main()
