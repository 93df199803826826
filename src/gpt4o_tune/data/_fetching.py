"""The first bytes behind image addresses, over HTTP: the only module of this room that imports httpx."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import httpx

from gpt4o_tune._connection import SYSTEM_CLOCK, Paced
from gpt4o_tune._drive import run, settle
from gpt4o_tune._gateway.parallel import in_tasks, in_threads
from gpt4o_tune.data.checks.addresses import is_private
from gpt4o_tune.data.checks.images import image_format
from gpt4o_tune.data.checks.rule import Fetched
from gpt4o_tune.data.pixels import read_pixels

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence

__all__ = ["Fetcher", "Patience"]

In = TypeVar("In")
Out = TypeVar("Out")

MAX_REDIRECTS = 5
HEAD_BYTES = 1 << 20
"""Bytes of an image that are kept: behind so many a JPEG's frame surely stands."""
_HEADERS = {"accept": "image/*", "accept-encoding": "identity", "user-agent": "gpt4o-tune"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How much one address may cost."""

    timeout: float
    """Seconds for the whole answer, redirects included."""
    max_bytes: int
    """Reading stops behind so many."""
    allow_private: bool
    """Whether addresses that are not public are fetched."""


class _RefusedError(Exception):
    """There is nothing to fetch; the message is the end of a sentence about the address."""


class Fetcher(Paced):
    """Looks at images behind addresses, over one httpx client."""

    def __init__(self, client: httpx.Client | httpx.AsyncClient, patience: Patience) -> None:
        super().__init__(SYSTEM_CLOCK, blocking=isinstance(client, httpx.Client))
        # One annotation for both clients: `settle` awaits what needs awaiting.
        self._client = cast("httpx.AsyncClient", client)
        self._patience = patience

    @classmethod
    def blocking(cls, patience: Patience) -> Fetcher:
        """Open a fetcher for the synchronous face."""
        return cls(httpx.Client(headers=_HEADERS), patience)

    @classmethod
    def asynchronous(cls, patience: Patience) -> Fetcher:
        """Open a fetcher for the asynchronous face."""
        return cls(httpx.AsyncClient(headers=_HEADERS), patience)

    async def each(
        self,
        verb: Callable[[In], Coroutine[object, None, Out]],
        inputs: Sequence[In],
        *,
        at_once: int,
    ) -> list[Out]:
        """Apply `verb` to every input, at most `at_once` at the same time; results keep the order."""
        if self._blocking:
            return in_threads(lambda item: run(verb(item)), inputs, at_once=at_once)
        return await in_tasks(verb, inputs, at_once=at_once)

    async def look(self, url: str) -> Fetched:
        """Fetch as much of an image as tells format, mode and size."""
        end = self.now() + self._patience.timeout
        try:
            return await self._follow(url, end)
        except _RefusedError as refused:
            return Fetched("", url, str(refused))
        except httpx.TimeoutException:
            return Fetched("", url, self._too_slow)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return Fetched("", url, f"cannot be reached ({type(error).__name__})")

    @property
    def _too_slow(self) -> str:
        return f"does not give its image within {self._patience.timeout:g} s"

    async def _follow(self, url: str, end: float) -> Fetched:
        place = url
        for _ in range(1 + MAX_REDIRECTS):
            await self._refuse_private(place)
            left = max(end - self.now(), 0.001)
            request = self._client.build_request("GET", place, timeout=left)
            response = await settle(self._client.send(request, stream=True))
            try:
                if not response.has_redirect_location:
                    return await self._read(url, response, end)
                place = str(response.url.join(response.headers["location"]))
            finally:
                await settle(response.close() if self._blocking else response.aclose())
        raise _RefusedError(f"redirects more than {MAX_REDIRECTS} times")

    async def _refuse_private(self, url: str) -> None:
        """Stop before an address inside this machine's network is asked for anything."""
        if self._patience.allow_private:
            return
        # By the parser that will connect, so that no odd spelling means one host here and another there.
        host = httpx.URL(url).host
        if not is_private(host):
            addresses = await self._addresses(host)
            host = next(filter(is_private, addresses), None)
        if host is not None:
            raise _RefusedError(f"leads to {host!r}, which is not public; it was not fetched")

    async def _addresses(self, host: str) -> list[str]:
        try:
            if self._blocking:
                found = socket.getaddrinfo(host, None)
            else:
                found = await asyncio.get_running_loop().getaddrinfo(host, None)
        except (OSError, UnicodeError):
            # Behind a proxy names need not be known here; where there is none, the request fails.
            return []
        return [str(address[0]) for *_, address in found]

    async def _read(self, url: str, response: httpx.Response, end: float) -> Fetched:
        if not response.is_success:
            raise _RefusedError(f"answers with status {response.status_code}")
        declared = response.headers.get("content-length", "")
        size = int(declared) if declared.isdecimal() else None
        head, seen = bytearray(), 0
        async with contextlib.aclosing(self._pieces(response)) as pieces:
            async for piece in pieces:
                seen += len(piece)
                head += piece[: HEAD_BYTES - len(head)]
                is_told = size is not None and (read_pixels(bytes(head)) or len(head) >= HEAD_BYTES)
                if is_told or seen > self._patience.max_bytes:
                    break
                if self.now() > end:
                    raise _RefusedError(self._too_slow)
        return Fetched(
            "",
            url,
            fault="",
            content_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
            size=min(seen if size is None else size, self._patience.max_bytes + 1),
            format=image_format(bytes(head)),
            pixels=read_pixels(bytes(head)),
        )

    async def _pieces(self, response: httpx.Response) -> AsyncGenerator[bytes]:
        # As they come over the wire: unpacking could make gigabytes of a few bytes.
        if self._blocking:
            for piece in response.iter_raw():
                yield piece
        else:
            async for piece in response.aiter_raw():
                yield piece

    async def close(self) -> None:
        """Close the client's connections."""
        if self._blocking:
            cast("httpx.Client", self._client).close()
        else:
            await self._client.aclose()
