"""The plugin of pytest: fixtures for users' tests. Every test run loads it, so it imports nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune.local import LocalServer
    from gpt4o_tune.testing.service import FakeService


@pytest.fixture
def tuning_service() -> Iterator[FakeService]:
    """A fresh `FakeService`: scripted jobs, virtual time; a fault that met no request fails the test."""
    from gpt4o_tune.testing.service import FakeService

    with FakeService(unused_faults="raise") as service:
        yield service


@pytest.fixture(scope="session")
def tuning_server() -> Iterator[LocalServer]:
    """A `LocalServer` for the whole session; jobs on it really train a small model."""
    from gpt4o_tune.local import LocalServer

    with LocalServer() as server:
        yield server
