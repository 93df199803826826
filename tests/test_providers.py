"""Providers: one value for where, read from the environment or refused with the choices."""

from __future__ import annotations

import pickle

import pytest

from gpt4o_tune import Provider, ProviderError, TuneError

SECRET = "sk-very-secret"


def test_no_key_anywhere_names_the_choices() -> None:
    """Without a provider the error says what can be chosen and what to set."""
    with pytest.raises(ProviderError) as caught:
        Provider.from_environment()

    for choice in (
        "OPENAI_API_KEY",
        "AZURE_OPENAI_ENDPOINT",
        "OPENAI_BASE_URL",
        "gpt4o_tune.local",
    ):
        assert choice in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "kind", "base_url"),
    [
        ({"OPENAI_API_KEY": SECRET}, "openai", "https://api.openai.com/v1"),
        (
            {"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": "https://api.openai.com/v1/"},
            "openai",
            "https://api.openai.com/v1",
        ),
        (
            {"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": "https://tune.example.com/v1/"},
            "compatible",
            "https://tune.example.com/v1",
        ),
        (
            {
                "AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com/",
                "AZURE_OPENAI_API_KEY": SECRET,
            },
            "azure",
            "https://res.openai.azure.com/openai/v1",
        ),
        (
            {
                "GPT4O_TUNE_LOCAL_URL": "http://127.0.0.1:8000/v1",
                "GPT4O_TUNE_LOCAL_KEY": SECRET,
            },
            "local",
            "http://127.0.0.1:8000/v1",
        ),
    ],
)
def test_the_environment_chooses(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], kind: str, base_url: str
) -> None:
    """One set of variables names one provider."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    provider = Provider.from_environment()

    assert (provider.kind, provider.base_url) == (kind, base_url)


def test_two_providers_in_the_environment_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pays at a place that was picked by chance."""
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://res.openai.azure.com")

    with pytest.raises(ProviderError, match=r"several providers \(azure, openai\)"):
        Provider.from_environment()


def test_a_provider_shows_no_secret() -> None:
    """Neither repr nor any error about a provider holds the key."""
    provider = Provider.openai(api_key=SECRET, organization="org", project="proj")

    assert SECRET not in repr(provider)
    assert SECRET not in repr(provider.connection)
    assert pickle.loads(pickle.dumps(provider)) == provider  # noqa: S301  # our own bytes


def test_azure_takes_a_token_provider_instead_of_a_key() -> None:
    """azure-identity's token function stands in for the key."""
    provider = Provider.azure(
        "https://res.openai.azure.com",
        token_provider=lambda: "token",
        training_type="globalStandard",
    )

    assert callable(provider.api_key)
    assert provider.profile.create_fields == (("trainingType", "globalStandard"),)
    assert provider.profile.needs_processed_file


@pytest.mark.parametrize("make", [Provider.openai, Provider.azure, Provider.local])
def test_what_is_missing_is_named(make: type[Provider]) -> None:
    """Each constructor says which argument or variable it lacks."""
    with pytest.raises(TuneError, match=r"set [A-Z_0-9]+|python -m gpt4o_tune\.local"):
        make()
