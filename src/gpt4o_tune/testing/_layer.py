"""The ASGI layers in front of the local application: recording, faults, limits, and the script's turn."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, TypeVar, cast

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gpt4o_tune.local.envelope import envelope
from gpt4o_tune.testing.recording import RecordedRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gpt4o_tune.testing._script import Script
    from gpt4o_tune.testing.faults import Fault, Faults
    from gpt4o_tune.testing.recording import RecordedRequests

ABORT = "gpt4o_tune.abort"
"""Scope extension: a function that cuts the connection, where the transport gives one."""
GARBAGE = b"data: {this is no JSON\n\n"

T = TypeVar("T")

_SECRET = {"authorization", "api-key", "cookie"}
_JOB = re.compile(r"/v1/fine_tuning/jobs/([^/]+)")
_TURN_S = 0.02
"""How often a delayed request looks whether the service has closed."""


class Paced:
    """Lets the script catch up before each request, and counts the look-ups of jobs."""

    def __init__(self, app: ASGIApp, script: Script) -> None:
        self._app = app
        self._script = script

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on to jobs that stand where they should by now."""
        if self._script.is_due:
            await run_in_threadpool(self._script.catch_up)
        await self._app(scope, receive, send)
        looked_up = _JOB.fullmatch(scope["path"])
        if looked_up and scope["method"] == "GET":
            self._script.note_read(looked_up[1])


class Faulty:
    """Records each request, and does to it what its fault says."""

    def __init__(self, app: ASGIApp, *, faults: Faults, requests: RecordedRequests) -> None:
        self._app = app
        self._faults = faults
        self._requests = requests
        self.is_closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, spoil or refuse a request."""
        abort = _aborting(scope, receive)
        if Headers(scope=scope).get("content-type", "").startswith("application/json"):
            content = await Request(scope, receive).body()
            receive = _replaying(content, receive)
        else:
            content = b""
        request = _recorded(scope, content)
        self._requests.add(request)
        limit = self._faults.limit(request)
        if limit is not None:
            is_within, headers = limit.take()
            send = _with_headers(send, headers)
            if not is_within:
                await _drain(receive)
                await _refusal()(scope, receive, send)
                return
        fault = self._faults.choose(request)
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await self._spoil(fault, scope, receive, send, abort)

    async def _spoil(
        self, fault: Fault, scope: Scope, receive: Receive, send: Send, abort: Callable[[], None]
    ) -> None:
        answer = _answer(fault)
        if answer or fault.drop:
            if fault.after_commit:
                await self._app(scope, receive, _swallow)
            else:
                await _drain(receive)
        if fault.drop or not await self._wait(fault.delay):
            abort()
            await _drain(receive)
        elif answer:
            await answer(scope, receive, send)
        else:
            spoiled = _with_headers(send, fault.headers)
            if fault.duplicate or fault.reorder:
                spoiled = _Rearranging(spoiled, fault, self._faults)
            if fault.garbage_after is not None or fault.cut_after is not None:
                spoiled = _Breaking(spoiled, fault, abort)
            await self._app(scope, receive, spoiled)

    async def _wait(self, seconds: float) -> bool:
        """Wait in real time; False where the service closes meanwhile."""
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            if self.is_closing:
                return False
            await asyncio.sleep(min(left, _TURN_S))
        return True


class _Breaking:
    """Sends an answer up to a point, then garbage or nothing more."""

    def __init__(self, send: Send, fault: Fault, abort: Callable[[], None]) -> None:
        self._send = send
        self._fault = fault
        self._abort = abort
        self._is_stream = False
        self._is_cut = False
        self._events = 0

    async def __call__(self, message: Message) -> None:
        """Pass a message on, spoil it, or drop it."""
        if self._is_cut:
            return
        if message["type"] == "http.response.start":
            self._is_stream = _is_stream(message)
            await self._send(message)
        elif self._is_stream:
            await self._send_event(message)
        else:
            await self._send_body(message)

    async def _send_event(self, message: Message) -> None:
        if self._events == self._fault.garbage_after:
            await self._send({**message, "body": GARBAGE, "more_body": True})
        if self._events == self._fault.cut_after:
            self._cut()
            return
        self._events += 1
        await self._send(message)

    async def _send_body(self, message: Message) -> None:
        body = cast("bytes", message.get("body", b""))
        if self._fault.garbage_after is not None:
            # As long as the length that was announced.
            await self._send({**message, "body": b"<".ljust(len(body))})
            return
        await self._send({**message, "body": body[: len(body) // 2], "more_body": True})
        self._cut()

    def _cut(self) -> None:
        self._is_cut = True
        self._abort()


class _Rearranging:
    """Holds an answer back until it is complete, and repeats or shuffles what it lists."""

    def __init__(self, send: Send, fault: Fault, faults: Faults) -> None:
        self._send = send
        self._fault = fault
        self._faults = faults
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """Collect a message, and send the answer with the last one."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        if _is_stream(self._start):
            *events, done = self._body.split(b"\n\n")[:-1]
            parts = [b"%s\n\n" % event for event in [*self._rearranged(events), done]]
        else:
            parts = [self._rearranged_listing()]
            MutableHeaders(scope=self._start)["content-length"] = str(len(parts[0]))
        await self._send(self._start)
        for part in parts:
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _rearranged_listing(self) -> bytes:
        page = cast("dict[str, object]", json.loads(self._body))
        items = page.get("data")
        if not isinstance(items, list):
            return self._body
        listed = self._rearranged(cast("list[object]", items))
        return json.dumps({**page, "data": listed}).encode()

    def _rearranged(self, items: list[T]) -> list[T]:
        if self._fault.duplicate:
            items = [item for item in items for _ in range(2)]
        if self._fault.reorder:
            items = [items[place] for place in self._faults.shuffled(len(items))]
        return items


def _aborting(scope: Scope, receive: Receive) -> Callable[[], None]:
    """Find what cuts the connection under a request."""
    extensions = cast("Mapping[str, Callable[[], None]]", scope.get("extensions") or {})
    if ABORT in extensions:
        return extensions[ABORT]
    # An error before the answer makes uvicorn answer 500; only its transport can really hang up.
    cycle: object = getattr(receive, "__self__", None)
    return cast("asyncio.Transport", getattr(cycle, "transport")).abort  # noqa: B009 - no public name


def _recorded(scope: Scope, content: bytes) -> RecordedRequest:
    request = Request(scope)
    try:
        value: object = json.loads(content) if content else None
    except ValueError:
        value = None
    headers = {name: text for name, text in request.headers.items() if name not in _SECRET}
    return RecordedRequest(
        method=request.method,
        path=request.url.path,
        query=dict(request.query_params),
        headers=headers,
        json=value,
    )


def _replaying(content: bytes, receive: Receive) -> Receive:
    """Give a body that was read already once more."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": content, "more_body": False}

    return replay


async def _drain(receive: Receive) -> None:
    """Read a request to its end, so that its sender is through before it hears back."""
    while (await receive()).get("more_body"):
        pass


async def _swallow(_: Message) -> None:
    """Lose an answer."""


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    def add(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        return send(message)

    return add


def _answer(fault: Fault) -> Response | None:
    if fault.status is None:
        return None
    headers = dict(fault.headers)
    body = fault.body
    if isinstance(body, (str, bytes)):
        return Response(body, fault.status, headers, media_type="application/json")
    if body is None:
        message = f"A scripted fault answers {fault.status}."
        body = envelope(message, status=fault.status, code=fault.code)
    return JSONResponse(dict(body), fault.status, headers)


def _refusal() -> Response:
    error = envelope("Rate limit reached for requests.", status=429, code="rate_limit_exceeded")
    return JSONResponse(error, 429)


def _is_stream(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith("text/event-stream")
