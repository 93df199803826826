"""Azure Resource Manager over HTTP: the only module of this room that imports httpx.

Every call that is made here can be repeated without harm (GET, PUT and DELETE name what they are about),
so lost connections, 408, 429 and 5xx are waited out for a while.
"""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING, cast

import httpx

from gpt4o_tune._connection import Paced
from gpt4o_tune._drive import settle
from gpt4o_tune.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gpt4o_tune._connection import Clock

__all__ = ["Answer", "ArmGateway"]

TIMEOUT = 60.0
"""Seconds for one call."""
PATIENCE = 120.0
"""Seconds for which one call is repeated before its error is raised."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between repeats: they double; a tenth is jitter."""

_ADVICE = {
    401: "Check the token: it must be made for the scope of Azure Resource Manager",
    403: "Deploying takes the role Owner, Cognitive Services Contributor, or another one with "
    "Microsoft.CognitiveServices/accounts/deployments/write",
    404: "Check subscription, resource group, resource and deployment name",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer, or a plain 404 where the caller asked for it."""

    status: int
    body: Mapping[str, object]
    retry_after: float | None
    """Seconds after which the service wants to be asked again."""


class ArmGateway(Paced):
    """The calls that this library makes to Azure Resource Manager, over one httpx client."""

    def __init__(
        self,
        client: httpx.Client | httpx.AsyncClient,
        token: Callable[[], str | Awaitable[str]],
        clock: Clock,
    ) -> None:
        super().__init__(clock, blocking=isinstance(client, httpx.Client))
        # One annotation for both clients: `settle` awaits what needs awaiting.
        self._client = cast("httpx.AsyncClient", client)
        self._token = token

    @classmethod
    def blocking(
        cls, base_url: str, token: Callable[[], str | Awaitable[str]], clock: Clock
    ) -> ArmGateway:
        """Open a gateway for the synchronous face."""
        return cls(httpx.Client(base_url=base_url, timeout=TIMEOUT), token, clock)

    @classmethod
    def asynchronous(
        cls, base_url: str, token: Callable[[], str | Awaitable[str]], clock: Clock
    ) -> ArmGateway:
        """Open a gateway for the asynchronous face."""
        return cls(httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT), token, clock)

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Mapping[str, object] | None = None,
        may_be_missing: bool = False,
    ) -> Answer:
        """Make one call, repeating it while Azure is out of reach or asks for patience.

        Raises:
            ProviderError: Azure refused, with its code and message, or stayed out of reach.
        """
        end, pause = self.now() + PATIENCE, FIRST_PAUSE
        while True:
            hint, repeatable = None, True
            try:
                response = await self._once(method, path, query, body)
            except httpx.TransportError as error:
                fault = ProviderError(f"{self._client.base_url} could not be reached: {error!r}")
            else:
                status, hint = response.status_code, _retry_after(response)
                if response.is_success or (may_be_missing and status == 404):
                    return Answer(status, _json(response), hint)
                fault = _fault(response)
                repeatable = status in (408, 429) or status >= 500
            delay = hint if hint is not None else pause * random.uniform(0.9, 1.1)  # noqa: S311
            if not repeatable or self.now() + delay > end:
                raise fault
            await self.sleep(delay)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _once(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, object] | None
    ) -> httpx.Response:
        token = await settle(self._token())
        headers = {"authorization": f"Bearer {token}"}
        # An empty mapping would take the query out of the address of a next page.
        params = dict(query) or None
        return await settle(
            self._client.request(method, path, params=params, json=body, headers=headers)
        )

    async def close(self) -> None:
        """Close the client's connections."""
        if self._blocking:
            cast("httpx.Client", self._client).close()
        else:
            await self._client.aclose()


def _json(response: httpx.Response) -> Mapping[str, object]:
    try:
        return _mapping(response.json())
    except ValueError:
        return {}


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _fault(response: httpx.Response) -> ProviderError:
    said = _mapping(_json(response).get("error"))
    code = said.get("code") or response.status_code
    message = said.get("message") or response.reason_phrase or "no reason given"
    advice = _ADVICE.get(response.status_code)
    return ProviderError(f"Azure refused: {code}: {message}" + (f". {advice}" if advice else ""))
