"""Clean-up on a server of its own: what goes, what stays, and that a dry run is one."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import Dataset, FineTuneJob, LocalServer
from gpt4o_tune.jobs import CleanupReport, cleanup, cleanup_async
from tests.conftest import VirtualClock
from tests.faults import FaultyProxy, Rule
from tests.jobs.conftest import EPOCHS
from tests.rows import routing_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune import Provider

TODAY = dt.datetime.now(dt.UTC).date()


def later(provider: Provider, *, days: int) -> Provider:
    """The same place, seen so many days later."""
    return replace(provider, clock=VirtualClock(today=TODAY + dt.timedelta(days=days)))


@pytest.fixture(scope="module")
def place() -> Iterator[LocalServer]:
    """A server of these tests alone: a trained job, a live job, and a file of somebody else."""
    with LocalServer() as running:
        yield running


@pytest.fixture(scope="module")
def client(place: LocalServer) -> Iterator[openai.OpenAI]:
    """The real client, to see what is there."""
    with openai.OpenAI(base_url=place.base_url, api_key=place.api_key, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def done(place: LocalServer) -> FineTuneJob:
    """A job that has succeeded."""
    job = FineTuneJob.create(
        Dataset.from_records(routing_rows(20)), provider=place.provider, hyperparameters=EPOCHS
    )
    job.wait(timeout=60)
    return job


@pytest.fixture(scope="module")
def live(place: LocalServer, done: FineTuneJob, client: openai.OpenAI) -> Iterator[FineTuneJob]:
    """A paused job that goes on from the finished one's model."""
    job = FineTuneJob.create(
        Dataset.from_records(routing_rows(30)),
        validation=Dataset.from_records(routing_rows()[40:]),
        model=done.fine_tuned_model or "",
        provider=place.provider,
        hyperparameters={"n_epochs": 50},
    )
    while job.refresh().status != "running":
        assert not job.is_final
    job.pause()
    client.files.create(file=("mine.jsonl", b'{"messages": []}\n'), purpose="fine-tune")
    yield job
    job.cancel()


def test_what_is_young_stays(place: LocalServer, done: FineTuneJob, live: FineTuneJob) -> None:
    """Nothing is older than the limit on the day it was made, nor on the day of the limit."""
    for days, older_than in ((0, 0), (30, 30)):
        report = cleanup(later(place.provider, days=days), older_than_days=older_than, models=True)

        assert report.leftovers == ()
        assert str(report).startswith("Nothing of this library is older than")


def test_a_dry_run_says_what_would_go_and_deletes_nothing(
    place: LocalServer, done: FineTuneJob, live: FineTuneJob, client: openai.OpenAI
) -> None:
    """By default the report is all; a live job keeps its files and the model it goes on from."""
    before = {file.id for file in client.files.list()}

    report = cleanup(later(place.provider, days=31), older_than_days=30, models=True)

    fates = {each.id: each.fate for each in report.leftovers}
    assert report.dry_run
    assert fates == {
        done.raw.training_file: "to be deleted",
        live.raw.training_file: "kept",
        live.raw.validation_file: "kept",
        done.fine_tuned_model: "kept",
    }
    assert {each.reason for each in report.kept} == {f"job {live.id} needs it"}
    assert "Dry run: 1 thing older than 30 days would be deleted" in str(report)
    assert f"{done.raw.training_file}" in report._repr_html_()
    assert json.loads(json.dumps(report.to_dict()))["leftovers"][0]["fate"] in fates.values()
    assert {file.id for file in client.files.list()} == before


def test_what_the_provider_will_not_delete_is_reported(
    place: LocalServer, done: FineTuneJob, live: FineTuneJob
) -> None:
    """One refusal does not end the clean-up, and is told with its reason."""
    with FaultyProxy(place.base_url.removesuffix("/v1")) as proxy:
        proxy.rules = [Rule("DELETE", done.raw.training_file, ["refuse"] * 100)]
        provider = replace(later(place.provider, days=31), base_url=proxy.base_url)

        report = cleanup(provider, older_than_days=30, dry_run=False)

    (left,) = report.failed
    assert left.id == done.raw.training_file
    assert "busy" in left.reason
    assert report.deleted == ()


def test_models_go_only_where_asked_and_only_once_no_job_needs_them(
    place: LocalServer, done: FineTuneJob, live: FineTuneJob, client: openai.OpenAI
) -> None:
    """First the files of ended jobs, then, when asked, their models; a second clean-up finds nothing."""
    provider = later(place.provider, days=31)

    first = cleanup(provider, older_than_days=30, dry_run=False)

    assert [each.id for each in first.deleted] == [done.raw.training_file]
    assert done.fine_tuned_model in {model.id for model in client.models.list()}
    assert FineTuneJob.get(live.id, provider=provider).is_final is False

    live.cancel()

    async def again() -> CleanupReport:
        try:
            return await cleanup_async(provider, older_than_days=30, dry_run=False, models=True)
        finally:
            await provider.close_async()

    second = asyncio.run(again())

    assert {each.id for each in second.deleted} == {
        live.raw.training_file,
        live.raw.validation_file,
        done.fine_tuned_model,
    }
    assert second.failed == ()
    assert done.fine_tuned_model not in {model.id for model in client.models.list()}
    assert [file.filename for file in client.files.list(purpose="fine-tune")] == ["mine.jsonl"]
    assert cleanup(provider, older_than_days=30, models=True).leftovers == ()


def test_days_are_counted_from_zero_up(place: LocalServer) -> None:
    """A slip of the sign deletes nothing."""
    with pytest.raises(ValueError, match="older_than_days must be 0 or more"):
        cleanup(place.provider, older_than_days=-1, dry_run=False)
