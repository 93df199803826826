"""The service of `tests/jobs/service.py` on a real socket, and what can go wrong between it and a client.

Nothing waits in real time: an answer that comes too late moves the virtual clock on by the timeout that
the client has announced, and drops the connection.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Self, get_args

from tests.jobs.service import Answer, Request, Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.conftest import VirtualClock

Fault = Literal[
    # The service has not acted.
    "408",
    "409",
    "429",
    "429 with hint",
    "429 for five minutes",
    "429 for a day",
    "500",
    "502",
    "503",
    "reset",
    "hang",
    "outage",
    # The service has acted.
    "408 after",
    "500 after",
    "502 after",
    "reset after",
    "hang after",
    "cut body",
    "garbled body",
    "page of a proxy",
    # The service acts some seconds after it has dropped the connection.
    "late",
    # Only where events are listed.
    "doubled events",
    "shuffled events",
]
FAULTS: Final = tuple(fault for fault in get_args(Fault) if fault != "429 for a day")
"""The faults that schedules draw from: all but the one that no patience outlasts."""

LATEST: Final = 5.0
"""Seconds until a late request is acted upon; the look-ups after a doubtful failure take six."""
OUTAGE: Final = (1.0, 300.0)
"""Seconds for which a service that was killed stays away."""


@dataclass
class Wire:
    """Carries requests to a service and answers back, through the weather.

    Args:
        service: What is behind the wire; replaced between tests.
        clock: What hangs and outages take their time from.
        weather: Says what happens to a request; fair by default.
        draw: Where lengths of time and orders come from.
    """

    service: Service
    clock: VirtualClock
    weather: Callable[[Request], Fault | None] = lambda request: None
    draw: random.Random = field(default_factory=random.Random)
    requests: list[Request] = field(default_factory=list)
    injected: dict[str, int] = field(default_factory=dict)
    down_until: float = 0.0
    _late: list[tuple[float, Request]] = field(default_factory=list)

    def count(self, method: str, path: str) -> int:
        return sum(seen.method == method and seen.path == path for seen in self.requests)

    def settle(self) -> None:
        """Act on every late request whose time has come."""
        for due, request in self._late[:]:
            if due <= self.clock.now():
                self._late.remove((due, request))
                self.service.answer(request)

    def carry(self, request: Request) -> tuple[bytes | None, bool]:
        """Return what goes back over the wire, or None, and whether the connection is dropped then."""
        self.settle()
        self.requests.append(request)
        if self.clock.now() < self.down_until:
            return None, True
        fault = self.weather(request)
        if fault is None:
            return _written(self.service.answer(request)), False
        self.injected[fault] = self.injected.get(fault, 0) + 1
        return self._spoil(request, fault)

    def _spoil(self, request: Request, fault: Fault) -> tuple[bytes | None, bool]:
        if fault == "outage":
            self.down_until = self.clock.now() + self.draw.uniform(*OUTAGE)
            return None, True
        if fault == "late":
            self._late.append((self.clock.now() + self.draw.uniform(0.1, LATEST), request))
            return None, True
        if fault[:3].isdigit():
            if fault.endswith("after"):
                self.service.answer(request)
            return _written(self._failure(fault)), False
        answer = None if fault in ("reset", "hang") else self.service.answer(request)
        if fault.startswith("hang"):
            self.clock.sleep(float(request.headers["x-stainless-read-timeout"]))
        if answer is None or fault in ("reset after", "hang after"):
            return None, True
        if fault == "page of a proxy":
            return _framed(200, b"<html>Please log in</html>", {"content-type": "text/html"}), False
        if fault.endswith("events"):
            return _written(self._mixed_up(answer, fault)), False
        content = json.dumps(answer.body).encode()
        half = content[: len(content) // 2]
        length = len(content) if fault == "cut body" else len(half)
        return _framed(answer.status, half, {"content-length": str(length)}), fault == "cut body"

    def _failure(self, fault: Fault) -> Answer:
        hints = {
            "429 with hint": str(self.draw.randint(0, 40)),
            "429 for five minutes": "300",
            "429 for a day": "86400",
        }
        headers = {"retry-after": hints[fault]} if fault in hints else {}
        return Answer({"error": {"message": fault}}, int(fault[:3]), headers)

    def _mixed_up(self, answer: Answer, fault: Fault) -> Answer:
        events: list[dict[str, object]] = list(answer.body["data"])  # type: ignore[call-overload]  # a list
        if fault == "doubled events":
            events = [event for event in events for _ in range(self.draw.randint(1, 3))]
        else:
            # Events of one second have no order but the server's, so they stay together.
            seconds = sorted(
                {event["created_at"] for event in events}, key=lambda _: self.draw.random()
            )
            events.sort(key=lambda event: seconds.index(event["created_at"]))
        return Answer({**answer.body, "data": events})


class WireServer:
    """Serves whatever wire is `plugged` in, from one thread, on one port for the whole session."""

    def __init__(self) -> None:
        self.plugged: Wire | None = None
        self._port = 0
        self._open: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def start(self) -> None:
        """Listen, on the port of the last time."""
        # With the protocol named, asyncio switches Nagle's algorithm off.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        start = self._loop.create_server(lambda: _Connection(self, self._open), sock=listening)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result()

    @property
    def is_listening(self) -> bool:
        return self._server.is_serving()

    def kill(self) -> None:
        """Drop every connection and refuse new ones."""

        async def stop() -> None:
            self._server.close()
            for transport in tuple(self._open):
                transport.abort()

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def carry(self, request: Request) -> tuple[bytes | None, bool]:
        assert self.plugged is not None
        return self.plugged.carry(request)


class _Connection(asyncio.Protocol):
    """Just enough HTTP/1.1 for the client: keep-alive, lengths, chunks."""

    def __init__(self, server: WireServer, all_open: set[asyncio.Transport]) -> None:
        self._server = server
        self._open = all_open
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # TCP is one
        self._open.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        line, *fields = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (text.split(": ", 1) for text in fields)}
        body = _body(headers, rest)
        if body is None:
            return
        self._buffer = b""
        method, target, _ = line.split(" ")
        content, is_dropped = self._server.carry(Request(method, target, headers, body))
        if content is not None:
            self._transport.write(content)
        if is_dropped:
            self._transport.close() if content is not None else self._transport.abort()


def _body(headers: dict[str, str], rest: bytes) -> bytes | None:
    """Return the body, or None while it is not complete."""
    if headers.get("transfer-encoding") != "chunked":
        length = int(headers.get("content-length", 0))
        return rest if len(rest) >= length else None
    if not rest.endswith(b"0\r\n\r\n"):
        return None
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return body
        body, rest = body + rest[:length], rest[length + 2 :]


def _written(answer: Answer) -> bytes:
    return _framed(answer.status, json.dumps(answer.body).encode(), answer.headers)


def _framed(status: int, content: bytes, headers: object) -> bytes:
    fields = {
        "content-type": "application/json",
        "content-length": str(len(content)),
        **dict(headers),  # type: ignore[call-overload]  # a mapping
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + content
