"""The input file of a batch: one request a line, all of which must be sound before any is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from gpt4o_tune.local.routes.bodies import MAX_JSON_BYTES, strict_json
from gpt4o_tune.local.store.records import BatchFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_REQUESTS = 50_000
MAX_FILE_BYTES = 200 * 1024 * 1024
"""The real service's limits, as its client documents them."""

_MAX_CUSTOM_ID_CHARS = 512
_SHOWN_FAULTS = 100
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One line of the input."""

    line: int
    """Counted from 1, blank lines included."""
    custom_id: str
    url: str
    body: dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """What a look at the whole file found."""

    total: int = 0
    model: str | None = None
    faults: tuple[BatchFault, ...] = ()


class _UnsoundLineError(Exception):
    """A line that is no request."""

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


def read_requests(path: Path) -> Iterator[Request]:
    """Yield the requests of a file that `survey` found sound."""
    for number, line in _lines(path):
        yield _parse(number, line)


def survey(path: Path, *, endpoint: str) -> Survey:
    """Look at every line before the first is answered; the first hundred faults are listed."""
    if path.stat().st_size > MAX_FILE_BYTES:
        message = f"The input file is larger than {MAX_FILE_BYTES // 1024**2} MB."
        return Survey(faults=(BatchFault(code="file_too_large", message=message),))
    total, model = 0, None
    faults: list[BatchFault] = []
    lines_by_id: dict[str, int] = {}
    for number, line in _lines(path):
        total += 1
        try:
            request = _parse(number, line)
            _require_endpoint(request, endpoint)
            model = model or _model(request)
            _require_alone(request, lines_by_id)
            _require_model(request, model)
        except _UnsoundLineError as error:
            faults.append(
                BatchFault(code=error.code, message=str(error), param=error.param, line=number)
            )
        if len(faults) == _SHOWN_FAULTS or total > MAX_REQUESTS:
            break
    if total > MAX_REQUESTS:
        message = f"The input file has more than {MAX_REQUESTS:,} requests."
        faults.append(BatchFault(code="too_many_requests", message=message))
    if total == 0:
        message = "The input file has no requests."
        faults.append(BatchFault(code="empty_file", message=message))
    return Survey(total=total, model=model, faults=tuple(faults))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_JSON_BYTES):
            number += 1
            if line.removeprefix(_BYTE_ORDER_MARK).strip():
                yield number, line
            while line and not line.endswith(b"\n"):  # A longer line is a fault; its rest is none.
                line = file.readline(MAX_JSON_BYTES)


def _parse(number: int, line: bytes) -> Request:
    if len(line) == MAX_JSON_BYTES and not line.endswith(b"\n"):
        message = f"This line is longer than {MAX_JSON_BYTES // 1024**2} MB."
        raise _UnsoundLineError(message, code="line_too_long")
    try:
        value = strict_json(line.removeprefix(_BYTE_ORDER_MARK))
    except (ValueError, RecursionError) as error:
        raise _UnsoundLineError(
            f"This line is no JSON: {error}.", code="invalid_json_line"
        ) from error
    if not isinstance(value, dict):
        raise _UnsoundLineError("This line is no JSON object.", code="invalid_json_line")
    fields = cast("dict[str, object]", value)
    custom_id, url, body = fields.get("custom_id"), fields.get("url"), fields.get("body")
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= _MAX_CUSTOM_ID_CHARS:
        raise _UnsoundLineError(
            f"'custom_id' must be a text of 1 to {_MAX_CUSTOM_ID_CHARS} characters.",
            code="invalid_custom_id",
            param="custom_id",
        )
    if fields.get("method") != "POST":
        raise _UnsoundLineError("'method' must be 'POST'.", code="invalid_method", param="method")
    if not isinstance(url, str):
        raise _UnsoundLineError("'url' is missing.", code="invalid_url", param="url")
    if not isinstance(body, dict):
        raise _UnsoundLineError("'body' must be an object.", code="invalid_body", param="body")
    return Request(line=number, custom_id=custom_id, url=url, body=cast("dict[str, object]", body))


def _require_endpoint(request: Request, endpoint: str) -> None:
    if request.url != endpoint:
        raise _UnsoundLineError(
            f"'url' is {request.url!r}, but the batch was created for {endpoint}.",
            code="invalid_url",
            param="url",
        )


def _model(request: Request) -> str:
    model = request.body.get("model")
    if not isinstance(model, str):
        raise _UnsoundLineError(
            "'body.model' is missing.", code="missing_model", param="body.model"
        )
    return model


def _require_model(request: Request, model: str) -> None:
    if _model(request) != model:
        raise _UnsoundLineError(
            f"'body.model' is {_model(request)!r}, but an earlier line names {model!r}; the requests "
            "of a batch go to one model.",
            code="mismatched_model",
            param="body.model",
        )


def _require_alone(request: Request, lines_by_id: dict[str, int]) -> None:
    first = lines_by_id.setdefault(request.custom_id, request.line)
    if first != request.line:
        raise _UnsoundLineError(
            f"The custom_id {request.custom_id!r} stands on line {first} already.",
            code="duplicate_custom_id",
            param="custom_id",
        )
