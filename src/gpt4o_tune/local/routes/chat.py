"""`/v1/chat/completions`: answers, whole or as server-sent events."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

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

logger = logging.getLogger("gpt4o_tune.local")


class ChatRoutes:
    """Serves answers."""

    def __init__(self, answering: Answering, *, now: Callable[[], float]) -> None:
        self._answering = answering
        self._now = now

    def routes(self) -> list[Route]:
        """The resource's routes."""
        return [Route("/chat/completions", self._create, methods=["POST"])]

    async def _create(self, request: Request) -> Response:
        body = await read_json(request, ChatBody)
        body.require_offered()
        completion = await run_in_threadpool(self._prepare, body)
        if body.stream:
            return StreamingResponse(
                _server_sent(completion.chunks()), media_type="text/event-stream"
            )
        return JSONResponse(await run_in_threadpool(completion.whole))

    def _prepare(self, body: ChatBody) -> Completion:
        return Completion(self._answering.choose(body.model), body, now=self._now())


async def _server_sent(chunks: Generator[dict[str, object]]) -> AsyncGenerator[bytes, None]:
    """Send chunks as they are generated; where the client leaves, nothing more is generated."""
    try:
        while (chunk := await run_in_threadpool(next, chunks, None)) is not None:
            yield _event(chunk)
    except Exception:
        logger.exception("a streamed answer broke off")
        yield _event(envelope("The local server had an error while answering.", status=500))
        return
    finally:
        chunks.close()
    yield b"data: [DONE]\n\n"


def _event(content: object) -> bytes:
    return b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n"
