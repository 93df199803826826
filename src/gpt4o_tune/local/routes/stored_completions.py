"""`/v1/chat/completions`, stored ones: list, look up, read the messages, relabel and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.routes.bodies import page_limit, read_json
from gpt4o_tune.local.routes.chat_bodies import MetadataBody
from gpt4o_tune.local.routes.objects import completion_object, listing, stored_message_object
from gpt4o_tune.local.store import UnknownCursorError

if TYPE_CHECKING:
    from starlette.requests import Request

    from gpt4o_tune.local.store import CompletionStore, Order
    from gpt4o_tune.local.store.records import CompletionRecord

_COMPLETIONS = "/chat/completions"


class StoredCompletionRoutes:
    """Serves the answers that were asked for with `store`."""

    def __init__(self, completions: CompletionStore) -> None:
        self._completions = completions

    def routes(self) -> list[Route]:
        """The resource's routes."""
        one = f"{_COMPLETIONS}/{{completion_id}}"
        return [
            Route(_COMPLETIONS, self._list, methods=["GET"]),
            Route(one, self._retrieve, methods=["GET"]),
            Route(one, self._update, methods=["POST"]),
            Route(one, self._delete, methods=["DELETE"]),
            Route(f"{one}/messages", self._messages, methods=["GET"]),
        ]

    def _list(self, request: Request) -> JSONResponse:
        query = request.query_params
        metadata = {
            key.removeprefix("metadata[").removesuffix("]"): value
            for key, value in query.items()
            if key.startswith("metadata[") and key.endswith("]")
        }
        try:
            page = self._completions.page(
                after=query.get("after"),
                limit=page_limit(request, default=20, most=100),
                order=_order(request),
                model=query.get("model"),
                metadata=metadata,
            )
        except UnknownCursorError as error:
            raise _unknown_cursor(str(error)) from error
        objects = [completion_object(completion) for completion in page.items]
        return JSONResponse(listing(objects, has_more=page.has_more))

    def _retrieve(self, request: Request) -> JSONResponse:
        return JSONResponse(completion_object(self._find(request)))

    async def _update(self, request: Request) -> JSONResponse:
        body = await read_json(request, MetadataBody)
        return await run_in_threadpool(self._relabel, request, body)

    def _relabel(self, request: Request, body: MetadataBody) -> JSONResponse:
        completion = self._find(request).model_copy(update={"metadata": body.metadata})
        self._completions.replace(completion)
        return JSONResponse(completion_object(completion))

    def _delete(self, request: Request) -> JSONResponse:
        completion = self._find(request)
        self._completions.delete(completion.id)
        return JSONResponse(
            {"object": "chat.completion.deleted", "id": completion.id, "deleted": True}
        )

    def _messages(self, request: Request) -> JSONResponse:
        completion = self._find(request)
        messages = [
            stored_message_object(message, f"{completion.id}-{index}")
            for index, message in enumerate(completion.messages)
        ]
        if _order(request) == "desc":
            messages.reverse()
        after = request.query_params.get("after")
        if after is not None:
            places = [place for place, each in enumerate(messages, 1) if each["id"] == after]
            if not places:
                raise _unknown_cursor(after)
            messages = messages[places[0] :]
        limit = page_limit(request, default=20, most=100)
        return JSONResponse(listing(messages[:limit], has_more=len(messages) > limit))

    def _find(self, request: Request) -> CompletionRecord:
        completion_id = cast("str", request.path_params["completion_id"])
        completion = self._completions.find(completion_id)
        if completion is None:
            raise ApiError(
                f"No stored completion with id {completion_id!r}. Only answers that were asked for "
                "with store=true are kept.",
                status=404,
                param="completion_id",
            )
        return completion


def _order(request: Request) -> Order:
    order = request.query_params.get("order", "asc")
    if order not in ("asc", "desc"):
        raise ApiError(f"Invalid 'order': {order!r}. Expected 'asc' or 'desc'.", param="order")
    return order


def _unknown_cursor(after: str) -> ApiError:
    return ApiError(f"No object with id {after!r} to list after.", param="after")
