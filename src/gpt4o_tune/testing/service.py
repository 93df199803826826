"""`FakeService`: the local server with scripted training, for users' own tests."""

from __future__ import annotations

import tempfile
import threading
import warnings
from collections import deque
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from gpt4o_tune.local import require_extra
from gpt4o_tune.testing.clock import VirtualClock
from gpt4o_tune.testing.faults import Faults, UnusedFaultWarning
from gpt4o_tune.testing.recording import RecordedRequests
from gpt4o_tune.testing.transitions import Outcome, Transitions

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    import httpx2
    import openai
    from starlette.types import ASGIApp

    from gpt4o_tune.providers import Provider
    from gpt4o_tune.testing._in_process import LoopThread

_HOST = "127.0.0.1"
_IN_PROCESS_URL = "http://in-process/v1"
_KEY = "key-of-the-fake-service"


class FakeService:
    """A fine-tuning service for tests: the real local server, except that nothing is trained.

    Routes, checks of the training data, files, paging and errors are those of `LocalServer`. Jobs move
    on by script, time is virtual, and losses follow a formula; the first event of each job says so. A
    model repeats the answers of its training rows.

    Example:
        >>> with FakeService(transitions=Transitions.after_reads(1)) as service:
        ...     job = FineTuneJob.create(train, provider=service.provider)
        ...     service.faults.add("GET /v1/fine_tuning/jobs/*", status=503, times=3)
        ...     model = job.wait()

    Args:
        transitions: When jobs move on.
        outcomes: How the coming jobs end, in the order of their creation; all others succeed.
        clock: The time of the service and of its `provider`; None for a fresh clock.
        seed: Repeats what faults leave to chance.
        unused_faults: What happens at the end where a fault met no request.

    Attributes:
        outcomes: What is left of them; more can be added.
        faults: What goes wrong.
        requests: What was asked.
        clock: The time.
        api_key: The key that clients send.
    """

    def __init__(
        self,
        *,
        transitions: Transitions | None = None,
        outcomes: Iterable[Outcome] = (),
        clock: VirtualClock | None = None,
        seed: int = 0,
        unused_faults: Literal["raise", "warn", "ignore"] = "warn",
    ) -> None:
        require_extra()
        self.transitions = transitions or Transitions.immediate()
        self.outcomes = deque(outcomes)
        self.clock = clock or VirtualClock()
        self.faults = Faults(clock=self.clock, seed=seed)
        self.requests = RecordedRequests()
        self.api_key = _KEY
        self._unused_faults = unused_faults
        self._running: _Running | None = None

    def __enter__(self) -> Self:
        self._running = _Running(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.close()
        if kind is None:
            self._report_unused()

    def __repr__(self) -> str:
        state = f"{len(self.requests)} requests" if self._running else "not started"
        return f"{type(self).__name__}({state}, {self.clock!r})"

    @property
    def base_url(self) -> str:
        """Address on this machine; ends in `/v1`. The first look at it opens the port."""
        return f"http://{_HOST}:{self._started.port()}/v1"

    @property
    def provider(self) -> Provider:
        """The value that `provider=` takes everywhere; what waits on it waits on the virtual clock."""
        return self._started.provider()

    def transport(self) -> httpx2.BaseTransport:
        """Make a transport for the blocking client of `httpx2` that needs no socket."""
        from gpt4o_tune.testing._in_process import AppTransport

        return AppTransport(self._started.app, self._started.loop())

    def async_transport(self) -> httpx2.AsyncBaseTransport:
        """As `transport`, for the asynchronous client."""
        from gpt4o_tune.testing._in_process import AsyncAppTransport

        return AsyncAppTransport(self._started.app)

    def client(self, *, max_retries: int = 0, timeout: float | None = None) -> openai.OpenAI:
        """Make an official client that needs no socket; it is closed with the service.

        Args:
            max_retries: How often the client itself tries again; it sleeps in real time.
            timeout: Real seconds that it waits; None for the client's own default.
        """
        from gpt4o_tune.testing._clients import blocking_client

        client = blocking_client(
            _IN_PROCESS_URL, self.api_key, self.transport(), retries=max_retries, timeout=timeout
        )
        self._started.stack.callback(client.close)
        return client

    def async_client(
        self, *, max_retries: int = 0, timeout: float | None = None
    ) -> openai.AsyncOpenAI:
        """As `client`, for an event loop of yours."""
        from gpt4o_tune.testing._clients import suspending_client

        return suspending_client(
            _IN_PROCESS_URL,
            self.api_key,
            self.async_transport(),
            retries=max_retries,
            timeout=timeout,
        )

    @property
    def _started(self) -> _Running:
        if self._running is None:
            raise RuntimeError("the service is not running; use it in a with block")
        return self._running

    def _report_unused(self) -> None:
        unused = self.faults.unused
        if not unused or self._unused_faults == "ignore":
            return
        message = "no request met " + ", ".join(repr(fault) for fault in unused)
        if self._unused_faults == "raise":
            raise AssertionError(message)
        warnings.warn(message, UnusedFaultWarning, stacklevel=3)


class _Running:
    """All that a running service holds; `close` gives it back in reverse order."""

    def __init__(self, service: FakeService) -> None:
        from gpt4o_tune.local.app import build_app
        from gpt4o_tune.local.stand_in import SCRIPTED
        from gpt4o_tune.local.store import Store
        from gpt4o_tune.testing._layer import Faulty, Paced
        from gpt4o_tune.testing._script import Script, Timeline

        self._clock = service.clock
        self._lock = threading.RLock()
        self._listener: socket.socket | None = None
        self._provider: Provider | None = None
        self._loop: LoopThread | None = None
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gpt4o-tune-"))
            timeline = Timeline(service.clock)
            store = Store(Path(folder), now=timeline.now)
            stack.callback(store.close)
            script = Script(store, timeline, service.transitions, service.outcomes)
            served = build_app(store, api_key=_KEY, wake=script.catch_up, engine=SCRIPTED)
            faulty = Faulty(Paced(served, script), faults=service.faults, requests=service.requests)
            self.app: ASGIApp = faulty
            self._faulty = faulty
            self.stack = stack.pop_all()

    def port(self) -> int:
        """Return the port, opened now if it is not open yet."""
        from gpt4o_tune.local.http_thread import HttpThread, listen

        with self._lock:
            if self._listener is None:
                self._listener = self.stack.enter_context(listen(_HOST, 0))
                http = HttpThread(self.app, self._listener)
                http.start()
                self.stack.callback(http.stop)
            port: int = self._listener.getsockname()[1]
            return port

    def provider(self) -> Provider:
        """Return the provider; its connections are closed with the service."""
        from gpt4o_tune.providers import Provider

        url = f"http://{_HOST}:{self.port()}/v1"
        with self._lock:
            if self._provider is None:
                plain = Provider.local(base_url=url, api_key=_KEY)
                self._provider = replace(plain, clock=self._clock)
                self.stack.callback(self._provider.close)
            return self._provider

    def loop(self) -> LoopThread:
        """Return the thread in which the application runs for blocking callers."""
        from gpt4o_tune.testing._in_process import LoopThread

        with self._lock:
            if self._loop is None:
                self._loop = LoopThread()
                self.stack.callback(self._loop.close)
            return self._loop

    def close(self) -> None:
        self._faulty.is_closing = True
        self.stack.close()
