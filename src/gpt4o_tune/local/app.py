"""The ASGI application: the page at `/`, and the resources under `/v1` behind the key, marked as a stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.routing import Mount, Router

from gpt4o_tune.local.answering import Answering
from gpt4o_tune.local.auth import BearerAuth
from gpt4o_tune.local.envelope import HANDLERS
from gpt4o_tune.local.front_page.serving import FrontPage
from gpt4o_tune.local.grading import grader_runner
from gpt4o_tune.local.ids import new_id
from gpt4o_tune.local.routes.batches import BatchRoutes
from gpt4o_tune.local.routes.chat import ChatRoutes
from gpt4o_tune.local.routes.files import FileRoutes
from gpt4o_tune.local.routes.graders import GraderRoutes
from gpt4o_tune.local.routes.jobs import JobRoutes
from gpt4o_tune.local.routes.limits import LimitRoutes
from gpt4o_tune.local.routes.models import ModelRoutes
from gpt4o_tune.local.routes.moderations import ModerationRoutes
from gpt4o_tune.local.routes.permissions import PermissionRoutes
from gpt4o_tune.local.routes.stored_completions import StoredCompletionRoutes
from gpt4o_tune.local.routes.uploads import UploadRoutes
from gpt4o_tune.local.stand_in import ENGINE, HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gpt4o_tune.local.store import Store


def build_app(
    store: Store,
    *,
    api_key: str,
    wake: Callable[[], None],
    wake_batches: Callable[[], None] | None = None,
    engine: str = ENGINE,
    slots: int = 1,
    allow_python_graders: bool = False,
    host: str = "localhost",
) -> ASGIApp:
    """Assemble the application.

    Args:
        store: What it serves.
        api_key: What each request must carry.
        wake: Called when a job was added or cancelled.
        wake_batches: Called when a batch was added or cancelled; None where nothing answers batches,
            which are not offered then.
        engine: What trains new jobs and stands in for base models.
        slots: How many jobs train at the same time.
        allow_python_graders: Let graders run Python source on this machine.
        host: The name or address that the server listens on.
    """
    answering = Answering(store, engine=engine)
    resources = (
        FileRoutes(store.files),
        UploadRoutes(store),
        JobRoutes(store, wake=wake, engine=engine),
        PermissionRoutes(store),
        GraderRoutes(grader_runner(allow_python=allow_python_graders)),
        LimitRoutes(store, answering, slots=slots),
        *([] if wake_batches is None else [BatchRoutes(store, wake=wake_batches)]),
        ModelRoutes(store, answering),
        ModerationRoutes(),
        ChatRoutes(answering, store.completions, now=store.now),
        StoredCompletionRoutes(store.completions),
    )
    routes = [route for resource in resources for route in resource.routes()]
    v1 = Mount("/v1", app=Router(routes, redirect_slashes=False))
    starlette = Starlette(routes=[v1], exception_handlers=HANDLERS)
    starlette.router.redirect_slashes = False
    guarded = BearerAuth(starlette, api_key=api_key)
    return MarkedResponses(FrontPage(guarded, host=host), engine=engine)


class MarkedResponses:
    """ASGI wrapper that gives each response the stand-in's header and a request id."""

    def __init__(self, app: ASGIApp, *, engine: str) -> None:
        self._app = app
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and mark what comes back."""

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[HEADER] = self._engine
                headers["x-request-id"] = new_id("req_")
            await send(message)

        await self._app(scope, receive, send_marked)
