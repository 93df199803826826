"""Jobs for tests: trained once on the shared server, in about a second each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import Dataset, FineTuneJob
from tests.rows import routing_rows

if TYPE_CHECKING:
    from gpt4o_tune import LocalServer, Provider
    from tests.conftest import VirtualClock

EPOCHS = {"n_epochs": 3, "batch_size": 8}
LONG = {"n_epochs": 12, "batch_size": 4}
"""Some 170 steps: long enough to be disturbed."""


@pytest.fixture(scope="session")
def rows() -> Dataset:
    """Fifty-four sound rows."""
    return Dataset.from_records(routing_rows())


@pytest.fixture(scope="session")
def finished(server: LocalServer, rows: Dataset) -> FineTuneJob:
    """A job with validation that has succeeded."""
    train, validation = rows[:45], rows[45:]
    job = FineTuneJob.create(
        train, validation, provider=server.provider, suffix="shared", hyperparameters=EPOCHS
    )
    job.wait(timeout=120)
    return job


@pytest.fixture
def provider(server: LocalServer, clock: VirtualClock) -> Provider:
    """The shared server, with waiting on virtual time."""
    return replace(server.provider, clock=clock)
