"""Deploying a fine-tuned model at Azure, which serves none before it is deployed.

Azure Resource Manager has an address and a token of its own; `Provider.azure` reaches the data plane only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import quote

from gpt4o_tune._connection import SYSTEM_CLOCK, Clock
from gpt4o_tune._drive import run
from gpt4o_tune.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.providers._arm import ArmGateway
    from gpt4o_tune.providers.provider import Provider

__all__ = ["AZURE_MANAGEMENT_SCOPE", "AzureDeployments", "Deployment"]

T = TypeVar("T")

AZURE_MANAGEMENT_SCOPE = "https://management.azure.com/.default"
"""The scope of a token for Azure Resource Manager."""
API_VERSION = "2024-10-01"
LONGEST_NAME = 64
FIRST_POLL, LONGEST_POLL, GROWTH = 2.0, 30.0, 1.5
"""Seconds between two looks, where Azure does not ask for other ones."""
FAILED = ("failed", "canceled", "cancelled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """A model as it is, or will be, served; call it by its name."""

    name: str
    """What requests name as their model."""
    model: str
    """The fine-tuned model behind it."""
    sku: str
    """How it is served and billed, such as `standard` or `globalstandard`."""
    capacity: int
    """Thousands of tokens per minute."""
    state: str
    """`Succeeded`, `Failed`, or on its way (`Accepted`, `Creating`, `Deleting`, ...)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureDeployments:
    """The deployments of one Azure OpenAI resource.

    A standard deployment is billed by the hour from its creation until `delete`, used or not.

    Example:
        >>> credential = DefaultAzureCredential()
        >>> deployments = AzureDeployments(
        ...     subscription="...", resource_group="ml", resource="my-resource",
        ...     token_provider=get_bearer_token_provider(credential, AZURE_MANAGEMENT_SCOPE),
        ... )
        >>> deployments.create("tickets", model=job.fine_tuned_model)
        >>> deployments.wait("tickets")
        >>> deployments.probe("tickets", provider=job.provider)
    """

    subscription: str
    """Id of the subscription."""
    resource_group: str
    resource: str
    """Name of the resource, the first part of its address."""
    token_provider: Callable[[], str | Awaitable[str]] = field(repr=False)
    """Returns a fresh token for `AZURE_MANAGEMENT_SCOPE`; another one than the data plane's."""
    base_url: str = "https://management.azure.com"
    """Address of Azure Resource Manager; sovereign clouds have their own."""
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False, compare=False)
    """Where waiting takes its time from; tests pass their own."""

    def create(
        self,
        name: str,
        *,
        model: str,
        sku: str = "standard",
        capacity: int = 1,
        model_format: str = "OpenAI",
        version: str = "1",
    ) -> Deployment:
        """Ask for a deployment, or change the one of that name, and return it as it stands.

        Args:
            name: Up to 64 characters; requests name it as their model.
            model: The fine-tuned model.
            sku: `standard`, `globalstandard` or `DeveloperTier`; passed on as it is. A developer
                deployment costs nothing by the hour and vanishes after a day.
            capacity: Thousands of tokens per minute.
            model_format: `OpenAI`, or the maker of an open-weight model, such as `Meta`.
            version: Version of the model.

        Raises:
            ProviderError: Azure refused, with its code and message.
            ValueError: The name or the capacity is not possible.
        """
        body = _body(name, model, sku, capacity, model_format, version)
        return self._blocking(lambda arm: self._put(arm, name, body))

    async def create_async(
        self,
        name: str,
        *,
        model: str,
        sku: str = "standard",
        capacity: int = 1,
        model_format: str = "OpenAI",
        version: str = "1",
    ) -> Deployment:
        """As `create`, without blocking."""
        body = _body(name, model, sku, capacity, model_format, version)
        return await self._asynchronous(lambda arm: self._put(arm, name, body))

    def wait(self, name: str, *, timeout: float = 1800.0) -> Deployment:
        """Wait until Azure has finished a deployment; `probe` tells whether it answers, too.

        Args:
            name: Name of the deployment.
            timeout: Seconds until the wait gives up.

        Raises:
            ProviderError: The deployment failed, is not there, or is not finished in time.
        """
        return self._blocking(lambda arm: self._wait(arm, name, timeout))

    async def wait_async(self, name: str, *, timeout: float = 1800.0) -> Deployment:
        """As `wait`, without blocking."""
        return await self._asynchronous(lambda arm: self._wait(arm, name, timeout))

    def probe(self, name: str, *, provider: Provider, timeout: float = 300.0) -> None:
        """Wait until a deployment answers: a finished one may still be `DeploymentNotReady`.

        Each look asks for one token.

        Args:
            name: Name of the deployment.
            provider: The same resource, as `Provider.azure` gives it.
            timeout: Seconds until the wait gives up.

        Raises:
            ProviderError: It does not answer in time.
            openai.APIError: The service refused for another reason.
        """
        run(_probe(provider.blocking(), name, timeout))

    async def probe_async(self, name: str, *, provider: Provider, timeout: float = 300.0) -> None:
        """As `probe`, without blocking."""
        await _probe(provider.asynchronous(), name, timeout)

    def list(self) -> tuple[Deployment, ...]:
        """Return every deployment of the resource, of base models too.

        Raises:
            ProviderError: Azure refused, with its code and message.
        """
        return self._blocking(self._list)

    async def list_async(self) -> tuple[Deployment, ...]:
        """As `list`, without blocking."""
        return await self._asynchronous(self._list)

    def delete(self, name: str, *, timeout: float = 600.0) -> None:
        """Delete a deployment and wait until it is gone; one that is not there is no error.

        The model stays and can be deployed again.

        Args:
            name: Name of the deployment.
            timeout: Seconds until the wait gives up; the deletion goes on.

        Raises:
            ProviderError: Azure refused, with its code and message, or is not done in time.
        """
        self._blocking(lambda arm: self._delete(arm, name, timeout))

    async def delete_async(self, name: str, *, timeout: float = 600.0) -> None:
        """As `delete`, without blocking."""
        await self._asynchronous(lambda arm: self._delete(arm, name, timeout))

    async def _put(self, arm: ArmGateway, name: str, body: Mapping[str, object]) -> Deployment:
        answer = await arm.send("PUT", self._path(name), query=_QUERY, body=body)
        return _read(answer.body)

    async def _wait(self, arm: ArmGateway, name: str, timeout: float) -> Deployment:
        end, pause = arm.now() + timeout, FIRST_POLL
        while True:
            answer = await arm.send("GET", self._path(name), query=_QUERY)
            deployment = _read(answer.body)
            if deployment.state == "Succeeded":
                return deployment
            if deployment.state.lower() in FAILED:
                raise ProviderError(
                    f"deployment {name!r} of {deployment.model!r} ended as {deployment.state!r}; the "
                    "activity log of the resource says why. Delete it and create it again"
                )
            if arm.now() >= end:
                raise ProviderError(
                    f"deployment {name!r} is still {deployment.state!r} after {timeout:g} s. It goes "
                    "on, and is billed once it stands; wait again"
                )
            await arm.sleep(min(answer.retry_after or pause, end - arm.now()))
            pause = min(pause * GROWTH, LONGEST_POLL)

    async def _list(self, arm: ArmGateway) -> tuple[Deployment, ...]:
        found: list[Deployment] = []
        path: str = self._path()
        query: Mapping[str, str] = _QUERY
        while True:
            answer = await arm.send("GET", path, query=query)
            entries = cast("list[Mapping[str, object]]", answer.body.get("value") or [])
            found += [_read(entry) for entry in entries]
            following = str(answer.body.get("nextLink") or "")
            if not following.startswith(f"{self.base_url}/"):
                # Nor is the token ever sent to another host.
                return tuple(found)
            path, query = following, {}

    async def _delete(self, arm: ArmGateway, name: str, timeout: float) -> None:
        end, pause = arm.now() + timeout, FIRST_POLL
        answer = await arm.send("DELETE", self._path(name), query=_QUERY, may_be_missing=True)
        while answer.status not in (204, 404):
            if arm.now() >= end:
                raise ProviderError(
                    f"deployment {name!r} is not gone after {timeout:g} s. The deletion goes on; look "
                    "again with list()"
                )
            await arm.sleep(min(answer.retry_after or pause, end - arm.now()))
            pause = min(pause * GROWTH, LONGEST_POLL)
            answer = await arm.send("GET", self._path(name), query=_QUERY, may_be_missing=True)

    def _path(self, name: str | None = None) -> str:
        parts = (
            "subscriptions",
            self.subscription,
            "resourceGroups",
            self.resource_group,
            "providers",
            "Microsoft.CognitiveServices",
            "accounts",
            self.resource,
            "deployments",
            *(() if name is None else (name,)),
        )
        return "".join(f"/{quote(part, safe='')}" for part in parts)

    def _blocking(self, verb: Callable[[ArmGateway], Coroutine[object, None, T]]) -> T:
        from gpt4o_tune.providers._arm import ArmGateway

        gateway = ArmGateway.blocking(self.base_url, self.token_provider, self.clock)
        return run(_closing(gateway, verb))

    async def _asynchronous(self, verb: Callable[[ArmGateway], Coroutine[object, None, T]]) -> T:
        from gpt4o_tune.providers._arm import ArmGateway

        gateway = ArmGateway.asynchronous(self.base_url, self.token_provider, self.clock)
        return await _closing(gateway, verb)


_QUERY: Mapping[str, str] = {"api-version": API_VERSION}


async def _closing(
    gateway: ArmGateway, verb: Callable[[ArmGateway], Coroutine[object, None, T]]
) -> T:
    try:
        return await verb(gateway)
    finally:
        await gateway.close()


async def _probe(data_plane: Gateway, name: str, timeout: float) -> None:
    from gpt4o_tune._gateway import CALL_ERRORS

    question = {
        "model": name,
        "messages": [{"role": "user", "content": "Say yes."}],
        "max_completion_tokens": 1,
    }
    end, pause = data_plane.now() + timeout, FIRST_POLL
    while True:
        try:
            await data_plane.chat(question)
        except CALL_ERRORS as error:
            if getattr(error, "status_code", None) != 404 and not _is_not_ready(error):
                raise
            if data_plane.now() >= end:
                raise ProviderError(
                    f"deployment {name!r} does not answer after {timeout:g} s. Delete it, create it "
                    "again, and give it five minutes"
                ) from error
            await data_plane.sleep(min(pause, end - data_plane.now()))
            pause = min(pause * GROWTH, LONGEST_POLL)
        else:
            return


def _is_not_ready(error: Exception) -> bool:
    return getattr(error, "code", None) == "DeploymentNotReady"


def _body(
    name: str, model: str, sku: str, capacity: int, model_format: str, version: str
) -> dict[str, object]:
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError(
            f"deployment name {name!r} has {len(name)} characters; 1 to {LONGEST_NAME} are taken"
        )
    if capacity < 1:
        raise ValueError(
            f"capacity must be 1 or more (thousand tokens per minute), not {capacity!r}"
        )
    return {
        "sku": {"name": sku, "capacity": capacity},
        "properties": {"model": {"format": model_format, "name": model, "version": version}},
    }


def _read(body: Mapping[str, object]) -> Deployment:
    properties = cast("Mapping[str, object]", body.get("properties") or {})
    model = cast("Mapping[str, object]", properties.get("model") or {})
    sku = cast("Mapping[str, object]", body.get("sku") or {})
    return Deployment(
        name=str(body.get("name") or ""),
        model=str(model.get("name") or ""),
        sku=str(sku.get("name") or ""),
        capacity=int(cast("int", sku.get("capacity") or 0)),
        state=str(properties.get("provisioningState") or "unknown"),
    )
