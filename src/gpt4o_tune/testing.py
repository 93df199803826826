"""The local server for your own tests: code that fine-tunes runs against it unchanged, at no cost.

As a context manager:

    >>> with local_server() as server:
    ...     job = FineTuneJob.create(train, provider=server.provider)

As a pytest fixture, shared by the whole session; import it in a `conftest.py`:

    from gpt4o_tune.testing import tuning_server

    def test_launch(tuning_server):
        job = FineTuneJob.create(train, provider=tuning_server.provider)

Needs the extra `local`.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gpt4o_tune.local import LocalServer

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["LocalServer", "local_server", "tuning_server"]


@contextmanager
def local_server() -> Generator[LocalServer]:
    """Run a fresh local server; its jobs, files and models go when the block ends."""
    with LocalServer() as server:
        yield server


def _tuning_server() -> Generator[LocalServer]:
    """A local server that lives as long as the test session."""
    with local_server() as server:
        yield server


tuning_server = _tuning_server
if find_spec("pytest"):
    import pytest

    tuning_server = pytest.fixture(scope="session", name="tuning_server")(_tuning_server)
