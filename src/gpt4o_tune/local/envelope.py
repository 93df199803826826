"""OpenAI's error envelope: every error of the local server leaves in this one shape."""

from __future__ import annotations

import errno
import logging
import sqlite3
from typing import TYPE_CHECKING, cast

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

logger = logging.getLogger("gpt4o_tune.local")

OFFERED = (
    "files, uploads, fine_tuning/jobs, fine_tuning/checkpoints, fine_tuning/alpha/graders, "
    "fine_tuning/model_limits, batches, models, moderations and chat/completions"
)
_DISK_IS_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DISK_IS_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_DATABASE_IS_CLOSED = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR")


class ApiError(Exception):
    """A request that cannot be served; carries what the envelope says.

    Attributes:
        status: HTTP status code.
        code: Machine-readable error code, or None.
        param: The request field at fault, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param


def envelope(
    message: str, *, status: int, code: str | None = None, param: str | None = None
) -> dict[str, dict[str, str | None]]:
    """Build the JSON body of an error."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_response(error: ApiError, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Answer a request with an error."""
    body = envelope(str(error), status=error.status, code=error.code, param=error.param)
    return JSONResponse(body, status_code=error.status, headers=headers)


async def answer_api_error(_: Request, error: Exception) -> JSONResponse:
    """Answer an error that a route raised on purpose."""
    return error_response(cast("ApiError", error))


async def answer_http_exception(request: Request, error: Exception) -> JSONResponse:
    """Answer what the router itself refuses: no such route, or no such method on it."""
    refusal = cast("HTTPException", error)
    asked = f"{request.method} {request.url.path}"
    if refusal.status_code == 404:
        message = f"Unknown request URL: {asked}. The local server offers {OFFERED} under /v1."
        answer = ApiError(message, status=404, code="unknown_url")
    elif refusal.status_code == 405:
        answer = ApiError(f"Not allowed to {asked}.", status=405, code="method_not_supported")
    else:
        answer = ApiError(str(refusal.detail), status=refusal.status_code)
    return error_response(answer, headers=refusal.headers)


async def answer_unexpected(_: Request, __: Exception) -> JSONResponse:
    """Answer a fault of the server itself without showing its inside; uvicorn logs it."""
    message = "The local server had an error while processing this request; its log has details."
    return error_response(ApiError(message, status=500, code="server_error"))


async def answer_disk_error(request: Request, error: Exception) -> JSONResponse:
    """Answer where the disk is at fault, and say what to do; any other error is unexpected."""
    refusal = disk_error(error)
    if refusal is None:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return await answer_unexpected(request, error)
    logger.error("%s %s: %s (%s)", request.method, request.url.path, refusal, error)
    return error_response(refusal)


def disk_error(error: Exception) -> ApiError | None:
    """Put an error of the disk below the data folder into words, None where it is another."""
    code = error.errno if isinstance(error, OSError) else None
    state = error.sqlite_errorname if isinstance(error, sqlite3.OperationalError) else ""
    if code in _DISK_IS_FULL or state.startswith("SQLITE_FULL"):
        return ApiError(
            "The disk of the local server is full, and nothing of this request was kept. "
            "Make room in its data folder and send the request again.",
            status=507,
            code="insufficient_storage",
        )
    if code in _DISK_IS_CLOSED or state.startswith(_DATABASE_IS_CLOSED):
        return ApiError(
            "The local server cannot write to its data folder, and nothing of this request was "
            "kept. Make the folder writable and send the request again.",
            status=500,
            code="storage_not_writable",
        )
    return None


HANDLERS = {
    ApiError: answer_api_error,
    OSError: answer_disk_error,
    sqlite3.OperationalError: answer_disk_error,
    HTTPException: answer_http_exception,
    Exception: answer_unexpected,
}
"""Starlette's exception handlers of the whole application."""
