"""Listing, pausing, resuming and stopping jobs early, on both faces, on the real local server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import Dataset, FineTuneJob, JobCancelledError, ProviderError
from gpt4o_tune.jobs import EarlyStop
from tests.faults import FaultyProxy, Rule
from tests.jobs.conftest import EPOCHS, LONG
from tests.rows import routing_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpt4o_tune import LocalServer, Metrics, Provider
    from gpt4o_tune.jobs import Event


@dataclass
class StopAt:
    """A rule that fires at a step, and remembers what it was shown."""

    step: int
    shown: int = 0

    def reason(self, metrics: Metrics) -> str | None:
        assert len(metrics) >= self.shown
        self.shown = len(metrics)
        return f"step {self.step} is reached" if self.shown >= self.step else None


def begin(rows: Dataset, provider: Provider, suffix: str) -> FineTuneJob:
    """A long job that has begun to train."""
    job = FineTuneJob.create(rows, provider=provider, suffix=suffix, hyperparameters=LONG)
    while not job.metrics().rows:
        assert not job.refresh().is_final
    return job


def test_jobs_are_listed_newest_first(finished: FineTuneJob, provider: Provider) -> None:
    """`list` gives jobs that are as good as those of `get`, and no more than asked for."""
    jobs = FineTuneJob.list(provider=provider, limit=1000)

    assert finished.id in [job.id for job in jobs]
    assert [job.created_at for job in jobs] == sorted(job.created_at for job in jobs)[::-1]
    assert len(FineTuneJob.list(provider=provider, limit=1)) == 1
    same = next(job for job in jobs if job.id == finished.id)
    assert same.wait(timeout=0).name == finished.fine_tuned_model


def test_jobs_are_chosen_by_metadata(rows: Dataset, server: LocalServer) -> None:
    """Metadata given at the launch is kept and found again, on both faces."""
    team = {"team": "returns", "quarter": "4"}
    job = FineTuneJob.create(
        rows, provider=server.provider, suffix="chosen", hyperparameters=LONG, metadata=team
    )

    async def listed() -> list[str]:
        try:
            found = await FineTuneJob.list_async(provider=server.provider, metadata=team)
            return [each.id for each in found]
        finally:
            await server.provider.close_async()

    assert asyncio.run(listed()) == [job.id]
    assert [each.id for each in FineTuneJob.list(provider=server.provider, metadata=team)] == [
        job.id
    ]
    assert FineTuneJob.list(provider=server.provider, metadata={"team": "nobody"}) == []
    job.cancel()


def test_a_senseless_list_is_refused(provider: Provider) -> None:
    """No request for nothing, and none by metadata where jobs carry none."""
    with pytest.raises(ValueError, match="limit must be at least 1"):
        FineTuneJob.list(provider=provider, limit=0)
    bare = replace(provider, profile=replace(provider.profile, keeps_metadata=False))
    with pytest.raises(ProviderError, match="carry no metadata"):
        FineTuneJob.list(provider=bare, metadata={"team": "returns"})


def test_a_job_pauses_and_goes_on(rows: Dataset, server: LocalServer) -> None:
    """A paused job rests until it is resumed, and then ends like any other."""
    job = begin(rows, server.provider, "pause")

    assert job.pause().status in ("pausing", "paused")
    while job.refresh().status == "pausing":
        pass
    assert job.status == "paused"
    assert not job.is_final
    rested = len(job.metrics())
    assert len(job.metrics()) == rested

    job.resume()
    model = job.wait(timeout=120)

    steps = [row.step for row in job.metrics()]
    assert steps == list(range(1, len(steps) + 1))
    assert model.name == job.fine_tuned_model
    assert "Fine-tuning job resumed" in [event.message for event in job.events()]


def test_pausing_without_blocking(rows: Dataset, server: LocalServer) -> None:
    """The asynchronous faces pause and resume as well."""
    job = begin(rows, server.provider, "pause-async")

    async def nap() -> list[str]:
        try:
            states = [(await job.pause_async()).status]
            while (await job.refresh_async()).status == "pausing":
                pass
            return [*states, job.status, (await job.resume_async()).status]
        finally:
            await server.provider.close_async()

    first, second, third = asyncio.run(nap())

    assert first in ("pausing", "paused")
    assert second == "paused"
    assert third in ("queued", "running")
    job.cancel()


def test_what_cannot_pause_says_so(finished: FineTuneJob, provider: Provider) -> None:
    """A service without the endpoints is named before any request; a finished job is refused by the server."""
    bare = replace(provider, profile=replace(provider.profile, name="plain", pauses=False))
    job = FineTuneJob.get(finished.id, provider=bare)

    with pytest.raises(ProviderError, match="plain cannot pause and resume jobs"):
        job.pause()
    with pytest.raises(ProviderError, match="plain cannot pause and resume jobs"):
        job.resume()
    with pytest.raises(openai.BadRequestError, match="succeeded"):
        finished.pause()


def test_an_early_stop_cancels_the_job_and_says_why(rows: Dataset, server: LocalServer) -> None:
    """The rule sees metrics grow; once it fires the job ends, and the error tells what is left."""
    rule = StopAt(step=12)
    events: list[Event] = []
    job = FineTuneJob.create(
        rows[:45], rows[45:], provider=server.provider, suffix="early", hyperparameters=LONG
    )

    with pytest.raises(
        JobCancelledError, match=r"early-stop rule: step 12 is reached\. "
    ) as caught:
        job.wait(timeout=120, early_stop=rule, on_event=events.append, poll_interval=0.05)

    assert job.status == "cancelled"
    assert caught.value.job_id == job.id
    assert caught.value.reason == "step 12 is reached"
    assert caught.value.checkpoint is None
    assert "No checkpoint of it is listed" in str(caught.value)
    assert "fewer epochs" in str(caught.value)
    assert events[-1].message == "Fine-tuning job cancelled"


def test_an_early_stop_that_never_fires_changes_nothing(rows: Dataset, server: LocalServer) -> None:
    """The job ends in its model, on the asynchronous face too."""

    async def trained() -> str:
        try:
            job = await FineTuneJob.create_async(
                rows[:45],
                rows[45:],
                provider=server.provider,
                suffix="patient",
                hyperparameters=EPOCHS,
            )
            model = await job.wait_async(timeout=120, early_stop=EarlyStop(patience=50))
            assert model.name == job.fine_tuned_model
            return model.name
        finally:
            await server.provider.close_async()

    assert asyncio.run(trained())


def test_a_job_that_ends_before_the_stop_keeps_its_model(finished: FineTuneJob) -> None:
    """A rule that fires on a finished job cancels nothing."""
    assert finished.wait(timeout=0, early_stop=StopAt(step=1)).name == finished.fine_tuned_model


def test_an_early_stop_needs_events(finished: FineTuneJob, provider: Provider) -> None:
    """Where no metrics arrive while it trains, the rule could never fire."""
    blind = replace(provider, profile=replace(provider.profile, lists_events=False))

    with pytest.raises(ProviderError, match="lists no events"):
        FineTuneJob.get(finished.id, provider=blind).wait(early_stop=EarlyStop())


def test_somebody_elses_cancel_is_not_the_rules(server: LocalServer) -> None:
    """Only the wait that cancelled names a reason."""
    rows = Dataset.from_records(routing_rows(20))
    job = begin(rows, server.provider, "elsewhere")
    job.cancel()

    with pytest.raises(JobCancelledError, match=r"was cancelled\. Launch it again") as caught:
        job.wait(timeout=30, early_stop=StopAt(step=10_000))

    assert caught.value.reason is None


def test_a_cancel_that_is_lost_is_sent_again(rows: Dataset, server: LocalServer) -> None:
    """An outage at the moment of the stop delays it, and ends no wait."""
    with FaultyProxy(server.base_url.removesuffix("/v1")) as proxy:
        proxy.rules = [Rule("POST", "/cancel", ["refuse", "drop before", "drop after"])]
        provider = replace(server.provider, base_url=proxy.base_url)
        job = FineTuneJob.create(
            rows[:45], rows[45:], provider=provider, suffix="lost", hyperparameters=LONG
        )

        with pytest.raises(JobCancelledError, match="step 5 is reached"):
            job.wait(timeout=120, early_stop=StopAt(step=5), poll_interval=0.02)

        assert proxy.count("POST", "/cancel") == 3
        provider.close()


def test_what_is_left_of_a_stopped_job_is_told_as_far_as_it_is_known(
    rows: Dataset, server: LocalServer
) -> None:
    """Where checkpoints cannot be listed, the reason is told all the same."""
    with FaultyProxy(server.base_url.removesuffix("/v1")) as proxy:
        proxy.rules = [Rule("GET", "/checkpoints", ["404"] * 9)]
        provider = replace(server.provider, base_url=proxy.base_url)
        job = FineTuneJob.create(
            rows[:45], rows[45:], provider=provider, suffix="unlisted", hyperparameters=LONG
        )

        with pytest.raises(JobCancelledError, match="No checkpoint of it is listed") as caught:
            job.wait(timeout=120, early_stop=StopAt(step=5), poll_interval=0.02)

        assert caught.value.checkpoint is None
        provider.close()


def test_a_checkpoint_that_outlives_the_stop_is_named(
    finished: FineTuneJob, rows: Dataset, server: LocalServer
) -> None:
    """A service that keeps checkpoints of cancelled jobs gets its best one named."""
    listed = openai.OpenAI(base_url=server.base_url, api_key=server.api_key)
    with listed, FaultyProxy(server.base_url.removesuffix("/v1")) as proxy:
        answer = listed.fine_tuning.jobs.checkpoints.with_raw_response.list(finished.id).content
        proxy.rules = [Rule("GET", "/checkpoints", ["answer"], answer=answer)]
        provider = replace(server.provider, base_url=proxy.base_url)
        job = FineTuneJob.create(
            rows[:45], rows[45:], provider=provider, suffix="outlives", hyperparameters=LONG
        )

        with pytest.raises(JobCancelledError, match="Its best checkpoint is") as caught:
            job.wait(timeout=120, early_stop=StopAt(step=5), poll_interval=0.02)

        best = finished.best_checkpoint()
        assert best is not None
        assert caught.value.checkpoint == best.name
        provider.close()


@dataclass
class StopWhen:
    """A rule that fires at the first measurement, after something else has happened."""

    happens: Callable[[], object]

    def reason(self, metrics: Metrics) -> str | None:
        assert metrics.rows
        self.happens()
        return "it is time"


def test_a_job_that_wins_the_race_keeps_its_model(rows: Dataset, server: LocalServer) -> None:
    """The cancel comes too late and is refused: the model is there, so it is returned."""
    job = FineTuneJob.create(rows, provider=server.provider, suffix="race", hyperparameters=EPOCHS)
    same = FineTuneJob.get(job.id, provider=server.provider)

    model = job.wait(timeout=120, early_stop=StopWhen(same.wait), poll_interval=0.02)

    assert model.name == job.fine_tuned_model


def test_one_cancel_is_enough(rows: Dataset, server: LocalServer) -> None:
    """A service that takes its time to cancel is not asked twice."""
    with FaultyProxy(server.base_url.removesuffix("/v1")) as proxy:
        provider = replace(server.provider, base_url=proxy.base_url)
        job = FineTuneJob.create(
            rows[:45], rows[45:], provider=provider, suffix="slow", hyperparameters=LONG
        )

        def slow() -> None:
            answer = job.raw.model_copy(update={"status": "cancelling"}).model_dump_json()
            proxy.rules = [Rule("GET", job.id, ["answer"] * 3, answer=answer.encode())]

        with pytest.raises(JobCancelledError, match="it is time"):
            job.wait(timeout=120, early_stop=StopWhen(slow), poll_interval=0.02)

        assert proxy.count("POST", "/cancel") == 1
        provider.close()


def test_a_server_that_ignores_the_filter_is_filtered_here(
    rows: Dataset, server: LocalServer
) -> None:
    """Only jobs that carry every pair are returned, and no more than asked for."""
    with (
        openai.OpenAI(base_url=server.base_url, api_key=server.api_key) as client,
        FaultyProxy(server.base_url.removesuffix("/v1")) as proxy,
    ):
        made = [
            FineTuneJob.create(
                rows,
                provider=server.provider,
                suffix=f"filter-{number}",
                hyperparameters=LONG,
                metadata={"team": "filter", "number": str(number)},
            ).cancel()
            for number in range(3)
        ]
        every = client.fine_tuning.jobs.with_raw_response.list(limit=100).content
        proxy.rules = [Rule("GET", "/fine_tuning/jobs", ["answer"] * 3, answer=every)]
        provider = replace(server.provider, base_url=proxy.base_url)

        team = FineTuneJob.list(provider=provider, metadata={"team": "filter"})
        newest = FineTuneJob.list(provider=provider, metadata={"team": "filter"}, limit=2)
        first = FineTuneJob.list(provider=provider, metadata={"team": "filter", "number": "0"})

        assert [job.id for job in team] == [job.id for job in made][::-1]
        assert [job.id for job in newest] == [job.id for job in made][:0:-1]
        assert [job.id for job in first] == [made[0].id]
        provider.close()
