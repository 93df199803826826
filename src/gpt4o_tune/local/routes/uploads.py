"""`/v1/uploads`: large files in parts, in any order and several at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, cast

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from gpt4o_tune.catalog import load
from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.routes.bodies import Body, read_json
from gpt4o_tune.local.routes.file_rules import (
    require_expiry,
    require_jsonl_name,
    require_jsonl_start,
    require_purpose,
)
from gpt4o_tune.local.routes.objects import upload_object, upload_part_object
from gpt4o_tune.local.routes.uploading import Upload, receive_upload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from starlette.requests import Request

    from gpt4o_tune.local.store import Store
    from gpt4o_tune.local.store.records import UploadPartRecord, UploadRecord

MAX_PART_BYTES = 64 * 1024 * 1024
"""The real service's limit."""


class ExpiresAfter(Body):
    """When a file goes."""

    anchor: Literal["created_at"]
    seconds: int


class CreateUpload(Body):
    """The body of `POST /uploads`."""

    bytes: Annotated[int, Field(ge=0)]
    filename: Annotated[str, Field(min_length=1)]
    mime_type: Annotated[str, Field(min_length=1)]
    purpose: str
    expires_after: ExpiresAfter | None = None


class CompleteUpload(Body):
    """The body of `POST /uploads/{id}/complete`."""

    part_ids: list[str]
    md5: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")] | None = None


class UploadRoutes:
    """Serves the upload store."""

    def __init__(self, store: Store) -> None:
        self._uploads = store.uploads
        self._files = store.files
        self._limits = load().limits("local")

    def routes(self) -> list[Route]:
        """The resource's routes."""
        one = "/uploads/{upload_id}"
        return [
            Route("/uploads", self._create, methods=["POST"]),
            Route(f"{one}/parts", self._add_part, methods=["POST"]),
            Route(f"{one}/complete", self._complete, methods=["POST"]),
            Route(f"{one}/cancel", self._cancel, methods=["POST"]),
        ]

    async def _create(self, request: Request) -> JSONResponse:
        return await run_in_threadpool(self._open, await read_json(request, CreateUpload))

    def _open(self, body: CreateUpload) -> JSONResponse:
        most = self._limits.max_upload_bytes
        if body.bytes > most:
            raise ApiError(
                f"Invalid value for 'bytes': {body.bytes}. An upload takes at most {most} bytes.",
                param="bytes",
                code="above_max_value",
            )
        purpose = require_purpose(body.purpose)
        if purpose == "fine-tune":
            require_jsonl_name(body.filename, param="filename")
        expiry = body.expires_after
        upload = self._uploads.create(
            size=body.bytes,
            filename=body.filename,
            purpose=purpose,
            file_expires_after=expiry and require_expiry(expiry.seconds, self._limits),
        )
        return JSONResponse(upload_object(upload))

    async def _add_part(self, request: Request) -> JSONResponse:
        path = self._uploads.part_path()
        part = await receive_upload(request, path, max_file_bytes=MAX_PART_BYTES, file_field="data")
        try:
            return await run_in_threadpool(self._keep, _upload_id(request), part)
        finally:
            path.unlink(missing_ok=True)

    def _keep(self, upload_id: str, received: Upload) -> JSONResponse:
        self._require_open(upload_id)
        if received.filename is None:
            raise ApiError("Missing required parameter: 'data'.", param="data")
        most = self._limits.max_upload_bytes
        part = self._uploads.add_part(upload_id, received.path, most_bytes=most)
        if part is None:
            self._require_open(upload_id)
            raise ApiError(f"The parts of an upload take at most {most} bytes.", param="data")
        return JSONResponse(upload_part_object(part))

    async def _complete(self, request: Request) -> JSONResponse:
        body = await read_json(request, CompleteUpload)
        return await run_in_threadpool(self._finish, _upload_id(request), body)

    def _finish(self, upload_id: str, body: CompleteUpload) -> JSONResponse:
        upload = self._require_open(upload_id)
        parts = _in_order(self._uploads.parts(upload_id), body.part_ids)
        _require_size(upload, parts)
        path = self._files.part_path()
        try:
            md5 = self._assemble(upload_id, parts, path)
            if body.md5 is not None and body.md5.lower() != md5:
                raise ApiError(
                    f"The parts have the MD5 {md5}, not {body.md5}.",
                    param="md5",
                    code="invalid_md5",
                )
            if upload.purpose == "fine-tune":
                require_jsonl_start(path, param="part_ids")
            done = self._uploads.complete(upload_id, path)
        finally:
            path.unlink(missing_ok=True)
        if done is None:
            self._refuse(upload_id)
        return JSONResponse(upload_object(*done))

    def _assemble(self, upload_id: str, parts: Sequence[UploadPartRecord], path: Path) -> str:
        try:
            return self._uploads.assemble(parts, path)
        except FileNotFoundError:
            # A cancellation at the same moment takes the parts away.
            self._refuse(upload_id)

    def _cancel(self, request: Request) -> JSONResponse:
        upload_id = _upload_id(request)
        self._require_open(upload_id)
        upload = self._uploads.cancel(upload_id)
        if upload is None:
            self._refuse(upload_id)
        return JSONResponse(upload_object(upload))

    def _require_open(self, upload_id: str) -> UploadRecord:
        upload = self._uploads.find(upload_id)
        if upload is None:
            raise ApiError(f"No such Upload object: {upload_id}", status=404, param="upload_id")
        if upload.status != "pending":
            raise ApiError(
                f"Upload {upload_id} is {upload.status} and takes no further requests.",
                param="upload_id",
                code=f"upload_{upload.status}",
            )
        return upload

    def _refuse(self, upload_id: str) -> NoReturn:
        """Say why an upload that was open a moment ago is not so now."""
        self._require_open(upload_id)
        raise ApiError(f"The parts of upload {upload_id} are gone.", param="upload_id")


def _upload_id(request: Request) -> str:
    return cast("str", request.path_params["upload_id"])


def _in_order(parts: Sequence[UploadPartRecord], part_ids: list[str]) -> list[UploadPartRecord]:
    """Pick the parts that a completion names; those that it leaves out are dropped."""
    if len(set(part_ids)) < len(part_ids):
        raise ApiError("Each part may be named once.", param="part_ids", code="invalid_value")
    known = {part.id: part for part in parts}
    for number, part_id in enumerate(part_ids):
        if part_id not in known:
            raise ApiError(
                f"No such part of this upload: {part_id}.",
                param=f"part_ids[{number}]",
                code="invalid_value",
            )
    return [known[part_id] for part_id in part_ids]


def _require_size(upload: UploadRecord, parts: Sequence[UploadPartRecord]) -> None:
    size = sum(part.bytes for part in parts)
    if size != upload.bytes:
        raise ApiError(
            f"The parts hold {size} bytes, but the upload was opened for {upload.bytes}.",
            param="part_ids",
            code="invalid_value",
        )
