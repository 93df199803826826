"""The way out for many calls at the same time: bodies in, answers as JSON out, with little work for each.

`docs/design/throughput.md` has the figures. The client spends most of its time per call on rebuilding the
request and on a pool that is searched through; here address and headers are the client's own, written
once, and the connections are spread over several small pools, or kept by aiohttp where it is installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, NamedTuple, cast

import httpx2
import jiter
import openai

from gpt4o_tune._gateway.failures import UnreadableAnswerError, status_error

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

__all__ = ["Lanes", "Reply"]

CALLS_PER_POOL = 16


class Reply(NamedTuple):
    """An answer, and what the service tells of its limits."""

    body: Mapping[str, object]
    headers: Mapping[str, str]


class Lanes:
    """Connections for up to `at_once` calls to one path, belonging to the running event loop."""

    def __init__(
        self,
        client: openai.OpenAI | openai.AsyncOpenAI,
        path: str,
        *,
        api_key: str | Callable[[], str],
        at_once: int,
    ) -> None:
        self._base_url = str(client.base_url).rstrip("/")
        self._url = httpx2.URL(self._base_url + path, params=dict(client.default_query) or None)
        self._headers = httpx2.Headers(
            {
                name: value
                for name, value in client.default_headers.items()
                if not isinstance(value, openai.Omit)
            }
        )
        # Headers of a provider's own may hold another way to sign in.
        self._fresh_key = None
        if callable(api_key):
            self._fresh_key = None if "authorization" in self._headers else api_key
        else:
            self._headers.setdefault("authorization", f"Bearer {api_key}")
        self._pools = _pools(at_once)
        self._next = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pool in self._pools:
            await pool.aclose()

    async def send(self, body: bytes, *, timeout: float) -> Reply:
        """Send one body once.

        Raises:
            openai.APIError: As the client itself would raise it.
        """
        headers = self._headers
        if self._fresh_key is not None:
            # A copy, as calls in flight hold the old one; fetching a key may use the network.
            headers = httpx2.Headers(headers)
            headers["authorization"] = f"Bearer {await asyncio.to_thread(self._fresh_key)}"
        request = httpx2.Request(
            "POST",
            self._url,
            headers=headers,
            content=body,
            extensions={"timeout": httpx2.Timeout(timeout).as_dict()},
        )
        try:
            response = await self._pool().send(request)
        except httpx2.TimeoutException as error:
            raise openai.APITimeoutError(request=request) from error
        except httpx2.RequestError as error:
            raise openai.APIConnectionError(request=request) from error
        if not response.is_success:
            raise status_error(response)
        return Reply(self._read(response.content), response.headers)

    def _pool(self) -> httpx2.AsyncClient:
        self._next = (self._next + 1) % len(self._pools)
        return self._pools[self._next]

    def _read(self, content: bytes) -> Mapping[str, object]:
        with contextlib.suppress(ValueError):
            body: object = jiter.from_json(content)
            if isinstance(body, dict) and "choices" in body:
                return cast("Mapping[str, object]", body)
        raise UnreadableAnswerError(self._base_url)


def _pools(at_once: int) -> Sequence[httpx2.AsyncClient]:
    # Without a number of its own, aiohttp would stop at 100.
    enough = httpx2.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    with contextlib.suppress(RuntimeError):  # aiohttp is not installed
        return [openai.DefaultAioHttpClient(limits=enough)]
    # One TLS context for all: reading the certificates takes 40 ms each time.
    trusted: ssl.SSLContext = httpx2.create_ssl_context()
    return [
        openai.DefaultAsyncHttpxClient(limits=enough, verify=trusted)
        for _ in range(math.ceil(at_once / CALLS_PER_POOL))
    ]
