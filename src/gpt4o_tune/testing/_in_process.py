"""Transports of the official client that call the application directly, without a socket."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeVar

import httpx2

from gpt4o_tune.testing._layer import ABORT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from starlette.types import ASGIApp, Message

T = TypeVar("T")


class AsyncAppTransport(httpx2.AsyncBaseTransport):
    """Answers each request by the application, in the running event loop.

    Unlike `httpx2.ASGITransport` it hands on an answer while it is being made, honours the read timeout,
    and can break off.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Run the application until it answers."""
        exchange = _Exchange(self._app, request, await request.aread())
        try:
            start = await exchange.next_message()
        except BaseException:
            await exchange.aclose()
            raise
        return httpx2.Response(start["status"], headers=start["headers"], stream=exchange)


class _Exchange(httpx2.AsyncByteStream):
    """One request on its way through the application; its body is that of the answer."""

    def __init__(self, app: ASGIApp, request: httpx2.Request, content: bytes) -> None:
        self._request = request
        self._content: bytes | None = content
        self._timeout: float | None = request.extensions.get("timeout", {}).get("read")
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._is_left = asyncio.Event()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": (request.url.host, request.url.port),
            "client": ("in-process", 0),
            "extensions": {ABORT: self._abort},
        }
        self._task = asyncio.ensure_future(app(scope, self._receive, self._messages.put))
        self._failure: BaseException | None = None
        self._task.add_done_callback(self._note_end)

    async def next_message(self) -> Message:
        """Return what the application sends next.

        Raises:
            httpx2.ReadTimeout: It took longer than the client waits.
            httpx2.RemoteProtocolError: The connection was cut.
        """
        try:
            message = await asyncio.wait_for(self._messages.get(), self._timeout)
        except TimeoutError as error:
            raise httpx2.ReadTimeout(
                "The read operation timed out.", request=self._request
            ) from error
        if message["type"] == "http.disconnect":
            words = "Server disconnected before its answer was complete."
            raise httpx2.RemoteProtocolError(words, request=self._request) from self._failure
        return message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the answer piece by piece."""
        while True:
            message = await self.next_message()
            if body := message.get("body", b""):
                yield body
            if not message.get("more_body"):
                return

    async def aclose(self) -> None:
        """Leave; an application that is still at work is stopped."""
        self._is_left.set()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _receive(self) -> Message:
        if self._content is None:
            await self._is_left.wait()
            return {"type": "http.disconnect"}
        content, self._content = self._content, None
        return {"type": "http.request", "body": content, "more_body": False}

    def _note_end(self, task: asyncio.Future[None]) -> None:
        self._failure = None if task.cancelled() else task.exception()
        self._abort()

    def _abort(self) -> None:
        self._is_left.set()
        self._messages.put_nowait({"type": "http.disconnect"})


class LoopThread:
    """An event loop in a thread of its own, for callers that block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Run to the end, and return or raise what comes of it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Stop what still runs, and the thread."""
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class AppTransport(httpx2.BaseTransport):
    """As `AsyncAppTransport` for the blocking client; the application runs in the loop's thread."""

    def __init__(self, app: ASGIApp, loop: LoopThread) -> None:
        self._inner = AsyncAppTransport(app)
        self._loop = loop

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Run the application until it answers."""
        request.read()
        answer = self._loop.run(self._inner.handle_async_request(request))
        body = _BlockingBody(answer, self._loop)
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=body)


class _BlockingBody(httpx2.SyncByteStream):
    def __init__(self, answer: httpx2.Response, loop: LoopThread) -> None:
        self._answer = answer
        self._loop = loop

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._answer.aiter_raw()
        while (piece := self._loop.run(_next(pieces))) is not None:
            yield piece

    def close(self) -> None:
        self._loop.run(self._answer.aclose())


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
