"""Shows each JSON response that a client receives in this process to the API document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import httpx2

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.conformance.document import ApiDocument


def watch(document: ApiDocument, patch: pytest.MonkeyPatch) -> None:
    """Compare whatever the transports of httpx and httpx2 bring, until the patch is undone."""
    for library in (httpx, httpx2):
        patch.setattr(
            library.HTTPTransport, "handle_request", _reading(library.HTTPTransport, document)
        )
        patch.setattr(
            library.AsyncHTTPTransport,
            "handle_async_request",
            _reading_async(library.AsyncHTTPTransport, document),
        )


def _reading(transport: Any, document: ApiDocument) -> Callable[..., Any]:
    handle = transport.handle_request

    def handle_and_compare(self: object, request: Any) -> Any:
        response = handle(self, request)
        if _is_json(response):
            response.read()
            _compare(document, request, response)
        return response

    return handle_and_compare


def _reading_async(transport: Any, document: ApiDocument) -> Callable[..., Any]:
    handle = transport.handle_async_request

    async def handle_and_compare(self: object, request: Any) -> Any:
        response = await handle(self, request)
        if _is_json(response):
            await response.aread()
            _compare(document, request, response)
        return response

    return handle_and_compare


def _is_json(response: Any) -> bool:
    return response.headers.get("content-type", "").startswith("application/json")


def _compare(document: ApiDocument, request: Any, response: Any) -> None:
    document.check(request.method, request.url.path, response.status_code, response.json())
