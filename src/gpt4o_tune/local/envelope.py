"""OpenAI's error envelope: every error of the local server leaves in this one shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

OFFERED = "files, uploads, fine_tuning/jobs, models and chat/completions"


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


HANDLERS = {
    ApiError: answer_api_error,
    HTTPException: answer_http_exception,
    Exception: answer_unexpected,
}
"""Starlette's exception handlers of the whole application."""
