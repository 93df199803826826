"""The key, and the hosts that the server listens on."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune import LocalServer
from gpt4o_tune.local.auth import is_loopback
from tests.local.conftest import desk_at

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer wrong", "Basic {key}", "{key}", "bearer{key}", "Bearer {key} x"],
)
def test_a_request_without_the_key_is_refused(server: LocalServer, header: str | None) -> None:
    """Anything but the exact bearer token gets a 401 in the envelope, on unknown paths too."""
    headers = {} if header is None else {"authorization": header.format(key=server.api_key)}
    for path in ("/models", "/files", "/nothing"):
        response = httpx.get(server.base_url + path, headers=headers)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert server.api_key not in response.text


def test_the_client_raises_an_authentication_error(server: LocalServer) -> None:
    """Openai's client understands the refusal."""
    with (
        desk_at(server.base_url, "wrong").client as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()


def test_the_key_is_private(tmp_path: Path) -> None:
    """The key is random, readable by its owner only, and in no repr."""
    with LocalServer(tmp_path / "one") as one, LocalServer(tmp_path / "two") as two:
        assert one.api_key != two.api_key
        assert one.api_key.startswith("local-")
        assert one.api_key not in repr(one) + repr(one.provider) + repr(one.__dict__)
        assert stat.S_IMODE((tmp_path / "one" / "api_key").stat().st_mode) == 0o600


def test_a_chosen_key_holds(tmp_path: Path) -> None:
    """A key that was given is used and not written down."""
    with (
        LocalServer(tmp_path, api_key="chosen") as server,
        desk_at(server.base_url, "chosen").client as client,
    ):
        assert client.models.list().data
    assert not (tmp_path / "api_key").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104 - refused
def test_another_host_needs_an_explicit_key(host: str) -> None:
    """Nobody opens the server to the network by accident."""
    with pytest.raises(ValueError, match="explicit api_key"):
        LocalServer(host=host)
    assert "not started" in repr(LocalServer(host=host, api_key="chosen"))


@given(st.integers(0, 2**24 - 1))
def test_all_of_127_is_loopback(number: int) -> None:
    """127.0.0.0/8 stays on the machine."""
    host = f"127.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    assert is_loopback(host)


def test_names_that_are_not_addresses_are_no_loopback() -> None:
    """Only `localhost` is trusted among names."""
    assert is_loopback("localhost")
    assert is_loopback("::1")
    assert not is_loopback("localhost.example.com")
    assert not is_loopback("")
