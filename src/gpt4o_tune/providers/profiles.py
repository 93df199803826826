"""How services that speak the OpenAI fine-tuning API differ from it: one field per quirk.

A profile is a value. Take a ready one by its name, `Provider.compatible(profile="nebius")`, make one that
needs an argument, `profiles.portkey("@openai-prod")`, or describe a service of your own:

    >>> from dataclasses import replace
    >>> ours = replace(NEBIUS, name="our-trainer", base_url="https://train.example.com/v1")
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from gpt4o_tune.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.catalog import Method

__all__ = [
    "AZURE",
    "LITELLM",
    "LLMARINER",
    "LOCAL",
    "NEBIUS",
    "OPENAI",
    "PROFILES",
    "ROSE_SERVER",
    "Profile",
    "ProfileName",
    "bedrock",
    "litellm",
    "named",
    "portkey",
]

ProfileName = Literal[
    "openai", "nebius", "llmariner", "litellm", "portkey", "bedrock", "rose-server"
]
"""The names of `PROFILES`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The quirks of a service; the defaults are OpenAI's own behaviour."""

    name: str = "openai"
    """How messages call the service."""
    base_url: str | None = None
    """Address of the REST API, where all users share one."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers of every request."""
    query: tuple[tuple[str, str], ...] = ()
    """Further query parameters of every request."""
    create_fields: tuple[tuple[str, str], ...] = ()
    """Further fields of the create request, such as Azure's `trainingType`."""
    cancel_fields: tuple[tuple[str, str], ...] = ()
    """Fields of the cancel request, which has no body elsewhere."""
    methods: frozenset[Method] = frozenset({"supervised", "dpo", "reinforcement"})
    """The training methods that a create request can ask for."""
    hyperparameters_in: Literal["method", "request"] = "method"
    """Where the create request carries hyperparameters: nested in `method`, or at the top level."""
    hyperparameters: frozenset[str] | None = None
    """Names of the hyperparameters, where they are not OpenAI's for the method."""
    max_epochs: int = 50
    """The highest `n_epochs`."""
    suffix: Literal["optional", "required", "refused"] = "optional"
    """Whether a job must, may or must not name a suffix."""
    suffix_max_chars: int | None = None
    """The longest suffix; None where the catalog's limit of the provider holds."""
    keeps_metadata: bool = True
    """Whether jobs keep `metadata` and can be listed by it; without it, equal jobs cannot be found."""
    needs_processed_file: bool = False
    """Whether a file must be `processed` before a job may name it."""
    needs_validation: frozenset[Method] = frozenset({"reinforcement"})
    """The methods that do not run without a validation file."""
    lists_events: bool = True
    """Whether `GET /fine_tuning/jobs/{id}/events` exists."""
    lists_checkpoints: bool = True
    """Whether `GET /fine_tuning/jobs/{id}/checkpoints` exists."""
    pauses: bool = True
    """Whether `POST /fine_tuning/jobs/{id}/pause` and `/resume` exist."""
    answers_late: bool = False
    """Whether a new model may answer 404 for minutes, so that `wait` asks it for a token until it is found."""


OPENAI = Profile(answers_late=True)
"""OpenAI itself, and services that behave like it."""
LOCAL = Profile(name="local")
"""The local server of this library."""
AZURE = Profile(name="azure", needs_processed_file=True)
"""Azure OpenAI through its v1 endpoint."""

NEBIUS = Profile(
    name="nebius",
    base_url="https://api.tokenfactory.nebius.com/v1",
    methods=frozenset({"supervised"}),
    hyperparameters_in="request",
    hyperparameters=frozenset(
        {
            "n_epochs",
            "batch_size",
            "learning_rate",
            "learning_rate_multiplier",
            "warmup_ratio",
            "weight_decay",
            "max_grad_norm",
            "packing",
            "context_length",
            "lora",
            "lora_r",
            "lora_alpha",
            "lora_dropout",
        }
    ),
    max_epochs=20,
    keeps_metadata=False,
    pauses=False,
)
"""Nebius Token Factory. Its create request has no `metadata` and refuses `method` beside
`hyperparameters` (API reference of 2026-05)."""

LLMARINER = Profile(
    name="llmariner",
    methods=frozenset({"supervised"}),
    hyperparameters_in="request",
    suffix="required",
    suffix_max_chars=18,
    keeps_metadata=False,
    lists_events=False,
    lists_checkpoints=False,
    pauses=False,
)
"""LLMariner on your own Kubernetes: create, list, retrieve and cancel only. It drops what stands in
`method.supervised` without a word (job-manager of 2025-09-26)."""

LITELLM = Profile(
    name="litellm",
    methods=frozenset({"supervised"}),
    hyperparameters_in="request",
    keeps_metadata=False,
    lists_events=False,
    lists_checkpoints=False,
    pauses=False,
)
"""A LiteLLM proxy with managed files. It passes on neither `method` nor `metadata`, and routes events
to the job itself. Without managed files it must be told where to go: see `litellm`."""

ROSE_SERVER = Profile(
    name="rose-server",
    base_url="http://localhost:8004/v1",
    methods=frozenset({"supervised"}),
    hyperparameters=frozenset(
        {"n_epochs", "batch_size", "learning_rate_multiplier", "lora_config"}
    ),
    keeps_metadata=False,
    lists_checkpoints=False,
)
"""rose-server on your own machine. Its list of checkpoints is always empty, and no source says that it
keeps metadata (2025-07-11)."""

PORTKEY = Profile(name="portkey", base_url="https://aigw.portkey.ai/v1")
"""The Portkey gateway with a key that already names the service behind it; else see `portkey`."""

BEDROCK = Profile(
    name="bedrock",
    methods=frozenset({"reinforcement"}),
    suffix="refused",
    keeps_metadata=False,
    needs_validation=frozenset(),
    pauses=False,
)
"""Amazon Bedrock's OpenAI-compatible endpoint, at an address of your own; see `bedrock`."""

PROFILES: Mapping[ProfileName, Profile] = MappingProxyType(
    {
        "openai": OPENAI,
        "nebius": NEBIUS,
        "llmariner": LLMARINER,
        "litellm": LITELLM,
        "portkey": PORTKEY,
        "bedrock": BEDROCK,
        "rose-server": ROSE_SERVER,
    }
)
"""The ready profiles by name."""


def litellm(upstream: str) -> Profile:
    """Describe a LiteLLM proxy without managed files.

    Args:
        upstream: Where the proxy sends the job on to: `openai`, `azure` or `vertex_ai`.
    """
    route = (("custom_llm_provider", upstream),)
    # The job routes read the query and the body, the file routes read the header.
    headers = (("custom-llm-provider", upstream),)
    return replace(LITELLM, headers=headers, query=route, create_fields=route, cancel_fields=route)


def portkey(upstream: str) -> Profile:
    """Describe the Portkey gateway in front of a service.

    Args:
        upstream: The provider as Portkey's header names it, such as `@openai-prod`.
    """
    return replace(PORTKEY, headers=(("x-portkey-provider", upstream),))


def bedrock(region: str) -> Profile:
    """Describe Amazon Bedrock in a region such as `us-west-2`: open-weight models, reinforcement only.

    The grader is an AWS Lambda function: `{"type": "lambda", "lambda": {"function": ARN}}`.
    """
    return replace(BEDROCK, base_url=f"https://bedrock-mantle.{region}.api.aws/v1")


def named(profile: Profile | ProfileName) -> Profile:
    """Return the ready profile of that name, or the profile itself.

    Raises:
        ProviderError: There is no ready profile of that name.
    """
    if isinstance(profile, Profile):
        return profile
    if profile not in PROFILES:
        raise ProviderError(
            f"no profile is called {profile!r}; ready are {', '.join(PROFILES)}. Describe another "
            "service with Profile(name=..., ...)"
        )
    return PROFILES[profile]
