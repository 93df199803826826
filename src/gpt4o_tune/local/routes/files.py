"""`/v1/files`: upload, list, look up, read and delete."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from gpt4o_tune.catalog import load
from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.routes.bodies import page_limit
from gpt4o_tune.local.routes.file_rules import (
    require_expiry,
    require_jsonl_name,
    require_jsonl_start,
    require_purpose,
)
from gpt4o_tune.local.routes.objects import file_object, listing
from gpt4o_tune.local.routes.uploading import Upload, receive_upload
from gpt4o_tune.local.store import UnknownCursorError

if TYPE_CHECKING:
    from starlette.requests import Request

    from gpt4o_tune.local.store import FileStore
    from gpt4o_tune.local.store.records import FileRecord


class FileRoutes:
    """Serves the file store."""

    def __init__(self, files: FileStore) -> None:
        self._files = files
        self._limits = load().limits("local")

    def routes(self) -> list[Route]:
        """The resource's routes."""
        return [
            Route("/files", self._create, methods=["POST"]),
            Route("/files", self._list, methods=["GET"]),
            Route("/files/{file_id}", self._retrieve, methods=["GET"]),
            Route("/files/{file_id}", self._delete, methods=["DELETE"]),
            Route("/files/{file_id}/content", self._content, methods=["GET"]),
        ]

    async def _create(self, request: Request) -> JSONResponse:
        part = self._files.part_path()
        limit = self._limits.max_file_bytes
        upload = await receive_upload(request, part, max_file_bytes=limit)
        try:
            return await run_in_threadpool(self._keep, upload)
        finally:
            part.unlink(missing_ok=True)

    def _keep(self, upload: Upload) -> JSONResponse:
        if upload.filename is None:
            raise ApiError("Missing required parameter: 'file'.", param="file")
        purpose = require_purpose(upload.fields.get("purpose"))
        if purpose == "fine-tune":
            require_jsonl_name(upload.filename, param="file")
            require_jsonl_start(upload.path, param="file")
        record = self._files.add(
            upload.path,
            filename=upload.filename,
            purpose=purpose,
            expires_after_s=self._expiry(upload.fields),
        )
        return JSONResponse(file_object(record))

    def _expiry(self, fields: dict[str, str]) -> int | None:
        text = fields.get("expires_after[seconds]")
        if text is None:
            return None
        if not re.fullmatch(r"\d{1,9}", text):
            raise ApiError(
                f"Invalid value: {text!r}. Expected whole seconds.",
                param="expires_after[seconds]",
                code="invalid_value",
            )
        return require_expiry(int(text), self._limits)

    def _list(self, request: Request) -> JSONResponse:
        query = request.query_params
        order = query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise ApiError(f"Invalid 'order': {order!r}. Expected 'asc' or 'desc'.", param="order")
        try:
            page = self._files.page(
                after=query.get("after"),
                limit=page_limit(request, default=10_000, most=10_000),
                order=order,
                purpose=query.get("purpose"),
            )
        except UnknownCursorError as error:
            raise _no_such_file(str(error), param="after") from error
        objects = [file_object(record) for record in page.items]
        return JSONResponse(listing(objects, has_more=page.has_more))

    def _retrieve(self, request: Request) -> JSONResponse:
        return JSONResponse(file_object(self._find(request)))

    def _delete(self, request: Request) -> JSONResponse:
        record = self._find(request)
        self._files.delete(record.id)
        return JSONResponse({"object": "file", "id": record.id, "deleted": True})

    def _content(self, request: Request) -> FileResponse:
        record = self._find(request)
        path = self._files.path(record.id)
        return FileResponse(
            path, media_type="application/octet-stream", filename=record.filename or record.id
        )

    def _find(self, request: Request) -> FileRecord:
        file_id = cast("str", request.path_params["file_id"])
        record = self._files.find(file_id)
        if record is None:
            raise _no_such_file(file_id, param="id", status=404)
        return record


def _no_such_file(file_id: str, *, param: str, status: int = 400) -> ApiError:
    return ApiError(f"No such File object: {file_id}", status=status, param=param)
