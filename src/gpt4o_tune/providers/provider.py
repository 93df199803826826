"""`Provider`: one value that says where jobs run and how to speak to that place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from gpt4o_tune._connection import SYSTEM_CLOCK, Clock, Connection
from gpt4o_tune.errors import ProviderError
from gpt4o_tune.providers.environment import variable
from gpt4o_tune.providers.profiles import AZURE, LOCAL, OPENAI, Profile, ProfileName, named

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.catalog import ProviderKind

__all__ = ["AZURE_SCOPE", "Provider"]

OPENAI_URL = "https://api.openai.com/v1"
AZURE_SCOPE = "https://ai.azure.com/.default"
"""The scope of a token for the data plane of Azure OpenAI; some older resources want
`https://cognitiveservices.azure.com/.default` instead."""

_CHOICES = """choose one:
  Provider.openai(api_key=...)                      or set OPENAI_API_KEY
  Provider.azure(endpoint=..., api_key=...)         or set AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY
  Provider.compatible(base_url=..., api_key=...)    or set OPENAI_BASE_URL and OPENAI_API_KEY
  LocalServer().provider                            or set GPT4O_TUNE_LOCAL_URL and GPT4O_TUNE_LOCAL_KEY
The local server needs no account: `pip install 'gpt4o-tune[local]'`, then `python -m gpt4o_tune.local`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Where a job runs. Make one with `openai`, `azure`, `compatible`, `local` or `from_environment`.

    Example:
        >>> Provider.openai(api_key="sk-example")
        Provider(kind='openai', base_url='https://api.openai.com/v1')
    """

    kind: ProviderKind
    """Which of the four kinds; prices and limits follow from it."""
    base_url: str
    """Address of the REST API, without a trailing slash."""
    api_key: str | Callable[[], str] = field(repr=False)
    """The key, or a function that returns a fresh one."""
    profile: Profile = field(default=OPENAI, repr=False)
    """How the service differs from OpenAI."""
    organization: str | None = field(default=None, repr=False)
    project: str | None = field(default=None, repr=False)
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False, compare=False)
    """Where waiting takes its time from; tests pass their own."""

    @classmethod
    def openai(
        cls,
        api_key: str | None = None,
        *,
        organization: str | None = None,
        project: str | None = None,
    ) -> Self:
        """Use OpenAI itself. What is not given is read from the environment.

        Raises:
            ProviderError: There is no key.
        """
        return cls(
            kind="openai",
            base_url=OPENAI_URL,
            api_key=_key(api_key, "OPENAI_API_KEY", "OpenAI"),
            organization=organization or variable("OPENAI_ORG_ID"),
            project=project or variable("OPENAI_PROJECT_ID"),
        )

    @classmethod
    def azure(
        cls,
        endpoint: str | None = None,
        *,
        api_key: str | None = None,
        token_provider: Callable[[], str] | None = None,
        training_type: str | None = None,
    ) -> Self:
        """Use an Azure OpenAI resource through its v1 endpoint.

        Args:
            endpoint: Such as `https://my-resource.openai.azure.com`, or the address of a Foundry
                project, `https://my-resource.services.ai.azure.com/api/projects/my-project`.
            api_key: The resource's key; not needed with a token provider.
            token_provider: Returns a fresh token, such as azure-identity's `get_bearer_token_provider`
                gives for `AZURE_SCOPE`.
            training_type: `standard`, `globalStandard` or `developerTier`; passed on as it is. None
                leaves it to the service.

        Raises:
            ProviderError: The endpoint or the key is missing, or the endpoint is no https address.
        """
        address = endpoint or variable("AZURE_OPENAI_ENDPOINT")
        if address is None:
            raise ProviderError(
                "Azure needs the address of your resource: pass endpoint= or set AZURE_OPENAI_ENDPOINT"
            )
        fields = () if training_type is None else (("trainingType", training_type),)
        return cls(
            kind="azure",
            base_url=_azure_v1(address),
            api_key=token_provider or _key(api_key, "AZURE_OPENAI_API_KEY", "Azure"),
            profile=replace(AZURE, create_fields=fields),
        )

    @classmethod
    def compatible(
        cls,
        base_url: str | None = None,
        *,
        api_key: str | Callable[[], str] | None = None,
        profile: Profile | ProfileName = OPENAI,
    ) -> Self:
        """Use a service that speaks the same REST API.

        Args:
            base_url: The address that ends in `/v1`; that of the profile where none is given.
            api_key: The service's key, or a function that returns a fresh one. Where none is given,
                OPENAI_API_KEY counts if OPENAI_BASE_URL holds this very address.
            profile: How the service differs from OpenAI: a `Profile`, or the name of a ready one
                (`nebius`, `llmariner`, `litellm`, `portkey`, `bedrock`, `rose-server`).

        Raises:
            ProviderError: There is no key, no address, or no ready profile of that name.
        """
        quirks = named(profile)
        address = base_url or quirks.base_url
        if address is None:
            raise ProviderError(
                f"profile {quirks.name!r} has no address that all users share: pass base_url="
            )
        return cls(
            kind="compatible",
            base_url=address.rstrip("/"),
            api_key=api_key or _key_of(address.rstrip("/")),
            profile=quirks,
        )

    @classmethod
    def local(cls, base_url: str | None = None, *, api_key: str | None = None) -> Self:
        """Use a running local server. `LocalServer().provider` starts one and gives this value.

        Raises:
            ProviderError: The address or the key is missing.
        """
        address = base_url or variable("GPT4O_TUNE_LOCAL_URL")
        if address is None:
            raise ProviderError(
                "no local server is named: start one with `python -m gpt4o_tune.local`, which prints "
                "what to set, or use `with LocalServer() as server` and server.provider"
            )
        return cls(
            kind="local",
            base_url=address.rstrip("/"),
            api_key=_key(api_key, "GPT4O_TUNE_LOCAL_KEY", "the local server"),
            profile=LOCAL,
        )

    @classmethod
    def from_environment(cls) -> Self:
        """Use the one provider that the environment names.

        Raises:
            ProviderError: It names none, or more than one, so that nobody pays at the wrong place.
        """
        named = {
            "local": variable("GPT4O_TUNE_LOCAL_URL"),
            "azure": variable("AZURE_OPENAI_ENDPOINT"),
            "openai": variable("OPENAI_API_KEY"),
        }
        found = [kind for kind, value in named.items() if value]
        if not found:
            raise ProviderError(f"no provider was given and the environment names none; {_CHOICES}")
        if len(found) > 1:
            raise ProviderError(
                f"the environment names several providers ({', '.join(found)}); pass provider= to {_CHOICES}"
            )
        if found == ["local"]:
            return cls.local()
        if found == ["azure"]:
            return cls.azure()
        base_url = variable("OPENAI_BASE_URL")
        if base_url is None or base_url.rstrip("/") == OPENAI_URL:
            return cls.openai()
        return cls.compatible(base_url)

    @property
    def address(self) -> str:
        """The address without what may be secret in one: a name and password, or a key in its query."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def connection(self) -> Connection:
        """What a client needs to reach this place."""
        return Connection(
            base_url=self.base_url,
            api_key=self.api_key,
            organization=self.organization,
            project=self.project,
            headers=self.profile.headers,
            query=self.profile.query,
            clock=self.clock,
        )

    def blocking(self) -> Gateway:
        """Return the gateway of the synchronous face."""
        from gpt4o_tune import _gateway

        return _gateway.blocking(self.connection)

    def asynchronous(self) -> Gateway:
        """Return the gateway of the asynchronous face, for the running event loop."""
        from gpt4o_tune import _gateway

        return _gateway.asynchronous(self.connection)

    def close(self) -> None:
        """Close open connections of the synchronous face; the next call opens new ones."""
        from gpt4o_tune import _gateway

        _gateway.forget_blocking(self.connection)

    async def close_async(self) -> None:
        """Close open connections of the asynchronous face that belong to the running event loop."""
        from gpt4o_tune import _gateway

        await _gateway.forget_asynchronous(self.connection)


def _azure_v1(endpoint: str) -> str:
    """Return the v1 address of a resource or a Foundry project, whichever part of it was given."""
    address = endpoint.split("?")[0].rstrip("/")
    if not address.startswith("https://") or "/openai/deployments" in address:
        raise ProviderError(
            f"{endpoint!r} is not the address of an Azure OpenAI resource; it looks like "
            "https://my-resource.openai.azure.com, with nothing behind it"
        )
    return f"{address.removesuffix('/openai/v1').removesuffix('/openai')}/openai/v1"


def _key_of(address: str) -> str:
    """Return the environment's key of a compatible service, and of no other one."""
    named_address = (variable("OPENAI_BASE_URL") or "").rstrip("/")
    key = variable("OPENAI_API_KEY")
    if key is None or named_address != address:
        raise ProviderError(
            f"the service at {address} needs a key: pass api_key=. OPENAI_API_KEY is sent to the "
            "address in OPENAI_BASE_URL only, never to another one"
        )
    return key


def _key(given: str | None, name: str, place: str) -> str:
    key = given or variable(name)
    if key is None:
        raise ProviderError(f"{place} needs a key: pass api_key= or set {name}. Or {_CHOICES}")
    return key
