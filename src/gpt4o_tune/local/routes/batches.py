"""`/v1/batches`: create, list, look up and cancel."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Literal, cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from gpt4o_tune.catalog import load
from gpt4o_tune.local.batches.run import INPUT
from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.ids import new_id
from gpt4o_tune.local.routes.bodies import Body, page_limit, read_json
from gpt4o_tune.local.routes.file_rules import require_expiry
from gpt4o_tune.local.routes.metadata import require_metadata
from gpt4o_tune.local.routes.objects import batch_object, listing
from gpt4o_tune.local.routes.uploads import ExpiresAfter  # noqa: TC001 - pydantic reads it
from gpt4o_tune.local.store import UnknownCursorError
from gpt4o_tune.local.store.records import BatchRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from gpt4o_tune.local.store import Store

_ENDPOINT = "/v1/chat/completions"
_WINDOW_S = 24 * 3600


class BatchBody(Body):
    """What a batch is created from."""

    input_file_id: str
    endpoint: str
    completion_window: Literal["24h"]
    metadata: dict[str, str] | None = None
    output_expires_after: ExpiresAfter | None = None


class BatchRoutes:
    """Serves batches.

    Args:
        store: Where batches are kept.
        wake: Called when there is a new batch.
    """

    def __init__(self, store: Store, *, wake: Callable[[], None]) -> None:
        self._store = store
        self._wake = wake
        self._limits = load().limits("local")

    def routes(self) -> list[Route]:
        """The resource's routes."""
        return [
            Route("/batches", self._create, methods=["POST"]),
            Route("/batches", self._list, methods=["GET"]),
            Route("/batches/{batch_id}", self._retrieve, methods=["GET"]),
            Route("/batches/{batch_id}/cancel", self._cancel, methods=["POST"]),
        ]

    async def _create(self, request: Request) -> JSONResponse:
        body = await read_json(request, BatchBody)
        return await run_in_threadpool(self._add, body)

    def _add(self, body: BatchBody) -> JSONResponse:
        if body.endpoint != _ENDPOINT:
            raise ApiError(
                f"The local server runs batches for {_ENDPOINT} only, not {body.endpoint!r}.",
                param="endpoint",
                code="invalid_value",
            )
        require_metadata(body.metadata or {}, self._limits)
        expiry = body.output_expires_after
        self._require_file(body.input_file_id)
        now = int(self._store.now())
        batch = BatchRecord(
            id=new_id("batch_", length=32),
            created_at=now,
            expires_at=now + _WINDOW_S,
            endpoint=body.endpoint,
            input_file_id=body.input_file_id,
            metadata=body.metadata,
            output_expires_after=expiry and require_expiry(expiry.seconds, self._limits),
        )
        folder = self._store.batch_dir(batch.id)
        try:
            self._store.files.hold(batch.input_file_id, folder / INPUT)
        except FileNotFoundError as error:
            shutil.rmtree(folder)
            raise ApiError("The file was deleted while the batch was being created.") from error
        self._store.batches.add(batch)
        self._wake()
        return JSONResponse(batch_object(batch))

    def _require_file(self, file_id: str) -> None:
        record = self._store.files.find(file_id)
        if record is None:
            raise ApiError(f"No such File object: {file_id}", param="input_file_id")
        if record.purpose != "batch":
            raise ApiError(
                f"{file_id} has the purpose {record.purpose!r}; upload it with the purpose 'batch'.",
                param="input_file_id",
                code="invalid_file_purpose",
            )

    def _list(self, request: Request) -> JSONResponse:
        after = request.query_params.get("after")
        limit = page_limit(request, default=20, most=100)
        try:
            page = self._store.batches.page(after=after, limit=limit)
        except UnknownCursorError as error:
            raise ApiError(
                f"No batch with id {str(error)!r} to list after.", param="after"
            ) from error
        objects = [batch_object(batch) for batch in page.items]
        return JSONResponse(listing(objects, has_more=page.has_more))

    def _retrieve(self, request: Request) -> JSONResponse:
        return JSONResponse(batch_object(self._find(request)))

    def _cancel(self, request: Request) -> JSONResponse:
        """Have a batch stop after the request it is at; asking again changes nothing."""
        batch_id = self._find(request).id
        now = int(self._store.now())
        with self._store.batches.editing(batch_id) as edit:
            if edit.batch.status == "validating":
                edit.finish(status="cancelled", cancelling_at=now, cancelled_at=now)
            elif edit.batch.status == "in_progress":
                edit.change(status="cancelling", cancelling_at=now)
            elif edit.batch.status not in ("cancelling", "cancelled"):
                raise ApiError(
                    f"{batch_id} is {edit.batch.status} and cannot be cancelled.",
                    code="invalid_batch_state",
                )
        self._wake()
        return JSONResponse(batch_object(edit.batch))

    def _find(self, request: Request) -> BatchRecord:
        batch_id = cast("str", request.path_params["batch_id"])
        try:
            return self._store.batches.get(batch_id)
        except KeyError as error:
            raise ApiError(
                f"No batch found with id {batch_id!r}.", status=404, param="batch_id"
            ) from error
