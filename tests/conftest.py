"""What every test stands on: a clean environment and a clock that nobody waits for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from gpt4o_tune.providers import ENVIRONMENT
from gpt4o_tune.testing import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune import LocalServer

# No property is judged by the clock of a busy machine; CI sees the same examples every time.
settings.register_profile(
    "steady",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine reaches a test, so no test can reach a paid service."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def clock() -> VirtualClock:
    """A clock of the test's own."""
    return VirtualClock()


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    """The embedded local server, shared by the session; jobs on it really train."""
    from gpt4o_tune import LocalServer

    with LocalServer() as running:
        yield running
