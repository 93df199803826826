"""Receiving a multipart upload with bounded memory: the file part goes to disk as it arrives."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from gpt4o_tune.local.envelope import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from python_multipart.multipart import MultipartCallbacks
    from starlette.requests import Request

_MAX_FIELD_BYTES = 64 * 1024
_MAX_FIELDS = 32


@dataclass(slots=True)
class Upload:
    """What a multipart request brought."""

    path: Path
    """The bytes of the form's file, synced to disk."""
    filename: str | None = None
    """None where the request had no file."""
    fields: dict[str, str] = field(default_factory=dict[str, str])


async def receive_upload(
    request: Request, part: Path, *, max_file_bytes: int, file_field: str = "file"
) -> Upload:
    """Write the file of a multipart request to `part` and collect its other fields.

    The file at `part` is removed where this fails.

    Args:
        request: The request, whose body nobody has read.
        part: Where to write.
        max_file_bytes: A larger file is refused.
        file_field: The name of the form's field that holds the file.

    Raises:
        ApiError: The request is no multipart form, is malformed, or its file is too large.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise ApiError(
            f"Bytes are sent as multipart/form-data, in the field {file_field!r}.",
            code="invalid_content_type",
        )
    upload = Upload(path=part)
    try:
        with part.open("wb") as target:
            form = _Form(upload, target, max_file_bytes=max_file_bytes, file_field=file_field)
            parser = MultipartParser(boundary, form.callbacks())
            await _feed(parser, request)
            if not form.is_complete:
                raise ApiError("The multipart body ends before its closing boundary.")
            target.flush()
            await run_in_threadpool(os.fsync, target.fileno())
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, ClientDisconnect):
            raise ApiError("The client closed the connection during the upload.") from error
        if isinstance(error, FormParserError):
            raise ApiError(f"We could not parse the multipart body: {error}") from error
        raise
    return upload


async def _feed(parser: MultipartParser, request: Request) -> None:
    """Parse to the end; a fault is raised after the rest was read and thrown away.

    Clients do not look for an answer while they still send.
    """
    fault: FormParserError | ApiError | OSError | None = None
    async for chunk in request.stream():
        if fault is None:
            try:
                await run_in_threadpool(parser.write, chunk)
            except (FormParserError, ApiError, OSError) as error:
                fault = error
    if fault is not None:
        raise fault


class _Form:
    """Callbacks of the parser: they sort the bytes of each part to disk or into a small field."""

    def __init__(
        self, upload: Upload, target: BinaryIO, *, max_file_bytes: int, file_field: str
    ) -> None:
        self.is_complete = False
        self._upload = upload
        self._target = target
        self._file_field = file_field
        self._file_bytes_left = self._max_file_bytes = max_file_bytes
        self._header_name = b""
        self._header_value = b""
        self._name = ""
        self._is_file = False
        self._value = bytearray()

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._add_header_name,
            "on_header_value": self._add_header_value,
            "on_header_end": self._end_header,
            "on_part_data": self._add_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        self._name, self._is_file, self._value = "", False, bytearray()

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        name, value = self._header_name.lower(), self._header_value
        self._header_name = self._header_value = b""
        if name != b"content-disposition":
            return
        _, options = parse_options_header(value)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = self._name == self._file_field
        if self._is_file:
            if self._upload.filename is not None:
                raise ApiError("Send one file a request.", param=self._file_field)
            self._upload.filename = options.get(b"filename", b"").decode("utf-8", "replace")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._file_bytes_left -= end - start
            if self._file_bytes_left < 0:
                limit = self._max_file_bytes / 1024**2
                raise ApiError(
                    f"File is larger than {limit:,.0f} MB.", status=413, param=self._file_field
                )
            self._target.write(memoryview(data)[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > _MAX_FIELD_BYTES:
            raise ApiError(f"The form field is too long: {self._name!r}.", param=self._name)

    def _end_part(self) -> None:
        if self._is_file:
            return
        if len(self._upload.fields) >= _MAX_FIELDS:
            raise ApiError("The form has too many fields.")
        self._upload.fields[self._name] = self._value.decode("utf-8", "replace")

    def _end(self) -> None:
        self.is_complete = True
