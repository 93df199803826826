"""`/v1/files`: upload, list, look up, read and delete."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast, get_args

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from gpt4o_tune.catalog import load
from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.routes.bodies import page_limit
from gpt4o_tune.local.routes.objects import file_object, listing
from gpt4o_tune.local.routes.uploading import Upload, receive_upload
from gpt4o_tune.local.store import UnknownCursorError
from gpt4o_tune.local.store.records import FilePurpose, FileRecord

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from gpt4o_tune.local.store import FileStore

_PURPOSES: tuple[str, ...] = tuple(
    purpose for purpose in get_args(FilePurpose) if purpose != "fine-tune-results"
)
_FIRST_LINE_BYTES = 8 * 1024 * 1024
_NOT_JSONL = "Expected file to have JSONL format, where every line is a JSON dictionary."


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
        purpose = upload.fields.get("purpose")
        if purpose not in _PURPOSES:
            offered = ", ".join(repr(each) for each in _PURPOSES)
            raise ApiError(
                f"Invalid value for 'purpose': {purpose!r}. The local server takes {offered}.",
                param="purpose",
                code="invalid_value",
            )
        if purpose == "fine-tune":
            _require_jsonl(upload.path, upload.filename)
        record = self._files.add(
            upload.path,
            filename=upload.filename,
            purpose=cast("FilePurpose", purpose),
            expires_after_s=self._expiry(upload.fields),
        )
        return JSONResponse(file_object(record))

    def _expiry(self, fields: dict[str, str]) -> int | None:
        text = fields.get("expires_after[seconds]")
        if text is None:
            return None
        shortest, longest = self._limits.file_expiry_seconds
        if not re.fullmatch(r"\d{1,9}", text) or not shortest <= int(text) <= longest:
            raise ApiError(
                f"Invalid value: {text!r}. Expected seconds from {shortest} to {longest}.",
                param="expires_after[seconds]",
                code="invalid_value",
            )
        return int(text)

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


def _require_jsonl(path: Path, filename: str) -> None:
    """Refuse at once what is no JSONL by its name or its first line; the job checks the rest."""
    if not filename.lower().endswith(".jsonl"):
        raise ApiError("Invalid file format for Fine-Tuning API. Must be .jsonl", param="file")
    with path.open("rb") as file:
        line = file.readline(_FIRST_LINE_BYTES)
    if not line or len(line) == _FIRST_LINE_BYTES:
        return
    try:
        first = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        first = None
    if not isinstance(first, dict):
        raise ApiError(f"{_NOT_JSONL} Line 1 is not a dictionary.", param="file")
