"""A service for each test, and what tests do with the official client over and over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import Dataset
from gpt4o_tune.testing import FakeService
from tests.rows import routing_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import openai
    from openai.types.fine_tuning import FineTuningJob

JOBS = "/v1/fine_tuning/jobs"
MODEL = "gpt-4o-2024-08-06"


@pytest.fixture(scope="session")
def rows() -> Dataset:
    """Fifty-four sound rows."""
    return Dataset.from_records(routing_rows())


@pytest.fixture
def service() -> Iterator[FakeService]:
    """A service whose jobs are over at once; every fault must be met."""
    with FakeService(unused_faults="raise") as running:
        yield running


@pytest.fixture
def client(service: FakeService) -> openai.OpenAI:
    """An official client of it, without a socket."""
    return service.client()


def upload(client: openai.OpenAI, *, count: int = 54) -> str:
    """Upload rows and return the file's id."""
    content = "".join(json.dumps(row) + "\n" for row in routing_rows(count)).encode()
    return client.files.create(file=("rows.jsonl", content), purpose="fine-tune").id


def start(client: openai.OpenAI, **options: object) -> FineTuningJob:
    """Upload rows and create a job of ten of them, five steps an epoch."""
    settings = {"n_epochs": 2, "batch_size": 2}
    method = {"type": "supervised", "supervised": {"hyperparameters": settings}}
    return client.fine_tuning.jobs.create(
        **{"model": MODEL, "training_file": upload(client, count=10), "method": method, **options}
    )
