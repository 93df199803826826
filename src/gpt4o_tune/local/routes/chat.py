"""`/v1/chat/completions`: answers, whole or as server-sent events."""

from __future__ import annotations

import json
import logging
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gpt4o_tune.local.completions import Completion
from gpt4o_tune.local.envelope import envelope
from gpt4o_tune.local.routes.bodies import read_json
from gpt4o_tune.local.routes.chat_bodies import ChatBody

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from starlette.requests import Request

    from gpt4o_tune.local.answering import Answering
    from gpt4o_tune.local.store import CompletionStore

logger = logging.getLogger("gpt4o_tune.local")


_SLICE_S = 0.01
"""How long one answer is written before the next one's turn comes: shorter slices cost more in
changing threads than in writing, longer ones keep 64 callers waiting for their first word."""
_WRITERS = 4
"""Answers written in the same moment. Python runs one thread at a time, so more would not be
quicker; they would take the threads that all other requests are served from."""


class ChatRoutes:
    """Serves answers."""

    def __init__(
        self, answering: Answering, completions: CompletionStore, *, now: Callable[[], float]
    ) -> None:
        self._answering = answering
        self._completions = completions
        self._now = now
        self._writers: CapacityLimiter | None = None

    def routes(self) -> list[Route]:
        """The resource's routes."""
        return [Route("/chat/completions", self._create, methods=["POST"])]

    async def _create(self, request: Request) -> Response:
        body = await read_json(request, ChatBody)
        body.require_offered()
        completion = await run_in_threadpool(self._prepare, body)
        chunks = self._kept(completion) if body.store else completion.chunks()
        if body.stream:
            return StreamingResponse(self._server_sent(chunks), media_type="text/event-stream")
        async with aclosing(self._slices(chunks)) as slices:
            async for _ in slices:
                pass
        return JSONResponse(completion.rendered())

    def _prepare(self, body: ChatBody) -> Completion:
        return Completion(self._answering.choose(body.model), body, now=self._now())

    def _kept(self, completion: Completion) -> Generator[dict[str, object]]:
        """Keep an answer that was written to its end."""
        yield from completion.chunks()
        self._completions.add(completion.record())

    async def _slices(
        self, chunks: Generator[dict[str, object]]
    ) -> AsyncGenerator[list[dict[str, object]], None]:
        """Write an answer in turn with the others; where the client leaves, no more is written."""
        self._writers = self._writers or CapacityLimiter(_WRITERS)
        try:
            while written := await to_thread.run_sync(_slice, chunks, limiter=self._writers):
                yield written
        finally:
            chunks.close()

    async def _server_sent(
        self, chunks: Generator[dict[str, object]]
    ) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._slices(chunks)) as slices:
                async for written in slices:
                    for chunk in written:
                        yield _event(chunk)
        except Exception:
            logger.exception("a streamed answer broke off")
            yield _event(envelope("The local server had an error while answering.", status=500))
            return
        yield b"data: [DONE]\n\n"


def _slice(chunks: Generator[dict[str, object]]) -> list[dict[str, object]]:
    """Take chunks until the slice of time is used up; none are left where the list is empty."""
    until = time.monotonic() + _SLICE_S
    written: list[dict[str, object]] = []
    for chunk in chunks:
        written.append(chunk)
        if time.monotonic() >= until:
            break
    return written


def _event(content: object) -> bytes:
    return b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n"
