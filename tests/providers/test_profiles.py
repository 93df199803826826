"""Profiles: ready by name, made with an argument, or described; each quirk is a field."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gpt4o_tune import Profile, Provider, ProviderError, catalog
from gpt4o_tune.providers import profiles

KEY = "sk-secret"


@pytest.mark.parametrize(
    ("profile", "base_url"),
    [
        ("nebius", "https://api.tokenfactory.nebius.com/v1"),
        ("rose-server", "http://localhost:8004/v1"),
        (profiles.portkey("@openai-prod"), "https://aigw.portkey.ai/v1"),
        (profiles.bedrock("eu-west-1"), "https://bedrock-mantle.eu-west-1.api.aws/v1"),
    ],
)
def test_a_profile_knows_the_address_that_all_users_share(
    profile: Profile | str, base_url: str
) -> None:
    """No address is asked for where there is only one."""
    assert Provider.compatible(api_key=KEY, profile=profile).base_url == base_url


@pytest.mark.parametrize("profile", ["llmariner", "litellm", "bedrock", Profile()])
def test_an_address_of_your_own_must_be_given(profile: Profile | str) -> None:
    """Self-hosted services and regions are not guessed; a given address always wins."""
    with pytest.raises(ProviderError, match="pass base_url="):
        Provider.compatible(api_key=KEY, profile=profile)

    ours = Provider.compatible("http://tune.internal:8080/v1/", api_key=KEY, profile=profile)
    assert ours.base_url == "http://tune.internal:8080/v1"


def test_an_unknown_name_lists_the_ready_ones() -> None:
    """A typing mistake is answered with the choices."""
    with pytest.raises(ProviderError, match=r"'nebious'.*nebius, llmariner"):
        Provider.compatible(api_key=KEY, profile="nebious")


def test_every_ready_profile_is_found_by_its_name() -> None:
    """The name in messages is the name that selects it."""
    for name, profile in profiles.PROFILES.items():
        assert name == profile.name
        assert profiles.named(name) is profile
        assert profiles.named(profile) is profile


def test_a_key_goes_to_its_own_service_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's key in the environment is never sent to somebody else."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    with pytest.raises(ProviderError, match="needs a key: pass api_key="):
        Provider.compatible(profile="nebius")

    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.tokenfactory.nebius.com/v1/")
    assert Provider.compatible(profile="nebius").api_key == KEY
    assert callable(Provider.compatible(api_key=lambda: KEY, profile="nebius").api_key)


def test_the_table_in_the_reference_is_true() -> None:
    """`docs/reference/providers.md` shows what the profiles hold."""
    page = Path(__file__).parents[2] / "docs/reference/providers.md"
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    start = next(n for n, row in enumerate(cells) if row[1] == "openai")
    columns, *rows = cells[start], *cells[start + 2 :]

    for field, *values in rows:
        for name, value in zip(columns[1:], values, strict=True):
            profile = profiles.AZURE if name == "azure" else profiles.PROFILES[name]
            assert value == shown(profile, field), (name, field)


def shown(profile: Profile, field: str) -> str:
    """A field as the reference writes it."""
    value = getattr(profile, field)
    if field == "suffix_max_chars":
        limits = catalog.load().limits("azure" if profile.name == "azure" else "compatible")
        return "" if profile.suffix == "refused" else str(value or limits.suffix_max_chars)
    if field == "methods":
        return "all" if len(value) == 3 else " ".join(value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def test_headers_and_query_reach_the_connection() -> None:
    """A gateway is told on every request where to route it; none of it shows in a repr."""
    portkey = Provider.compatible(api_key=KEY, profile=profiles.portkey("@openai-prod"))
    litellm = Provider.compatible(
        "http://localhost:4000", api_key=KEY, profile=profiles.litellm("azure")
    )

    assert portkey.connection.headers == (("x-portkey-provider", "@openai-prod"),)
    assert litellm.connection.query == (("custom_llm_provider", "azure"),)
    assert "openai-prod" not in repr(portkey.connection)


def test_a_profile_of_ones_own_starts_from_a_ready_one() -> None:
    """Profiles are values."""
    ours = replace(profiles.NEBIUS, name="ours", base_url="https://train.example.com/v1")

    provider = Provider.compatible(api_key=KEY, profile=ours)

    assert provider.profile.max_epochs == 20
    assert provider.base_url == "https://train.example.com/v1"


@pytest.mark.parametrize(
    ("endpoint", "base_url"),
    [
        ("https://res.openai.azure.com", "https://res.openai.azure.com/openai/v1"),
        ("https://res.openai.azure.com/openai/v1/", "https://res.openai.azure.com/openai/v1"),
        ("https://res.openai.azure.com/openai/", "https://res.openai.azure.com/openai/v1"),
        (
            "https://res.openai.azure.com/openai/v1?api-version=preview",
            "https://res.openai.azure.com/openai/v1",
        ),
        (
            "https://res.services.ai.azure.com/api/projects/tickets",
            "https://res.services.ai.azure.com/api/projects/tickets/openai/v1",
        ),
    ],
)
def test_azures_addresses_lead_to_the_v1_endpoint(endpoint: str, base_url: str) -> None:
    """A resource, a Foundry project, or any part of either that people copy."""
    assert Provider.azure(endpoint, api_key=KEY).base_url == base_url


@pytest.mark.parametrize(
    "endpoint",
    ["my-resource", "http://res.openai.azure.com", "https://r.azure.com/openai/deployments/d"],
)
def test_what_is_no_azure_address_is_refused(endpoint: str) -> None:
    """The key would go to a wrong place."""
    with pytest.raises(ProviderError, match="not the address of an Azure OpenAI resource"):
        Provider.azure(endpoint, api_key=KEY)
