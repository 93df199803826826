"""Launching under faults: at most one job and one upload, whatever the network does."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import Dataset, FineTuneJob, JobError, Provider, ProviderError
from tests.faults import Fault, FaultyProxy, Rule
from tests.rows import routing_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune import LocalServer
    from tests.conftest import VirtualClock

JOBS, FILES = "/fine_tuning/jobs", "/files"
LONG = {"n_epochs": 50}


@pytest.fixture
def proxy(server: LocalServer) -> Iterator[FaultyProxy]:
    """A proxy before the shared server; jobs made through it are cancelled afterwards."""
    with FaultyProxy(server.base_url) as running:
        yield running
    with openai.OpenAI(base_url=server.base_url, api_key=server.api_key) as client:
        for job in client.fine_tuning.jobs.list(limit=100):
            if job.status not in ("succeeded", "failed", "cancelled"):
                client.fine_tuning.jobs.cancel(job.id)


@pytest.fixture
def behind(proxy: FaultyProxy, server: LocalServer, clock: VirtualClock) -> Provider:
    """The shared server as seen through the proxy, waiting on virtual time."""
    return dataclasses.replace(server.provider, base_url=proxy.base_url, clock=clock)


def rows_of(name: str) -> Dataset:
    """Rows that no other test uses, so that content hashes differ."""
    rows = routing_rows(20)
    rows[0] = {"messages": [*rows[0]["messages"][:-1], {"role": "assistant", "content": name}]}  # type: ignore[index,misc]
    return Dataset.from_records(rows)


def jobs_like(job: FineTuneJob, server: LocalServer) -> list[str]:
    """Every job on the server, bypassing the proxy, that carries the same fingerprint."""
    with openai.OpenAI(base_url=server.base_url, api_key=server.api_key) as client:
        return [
            other.id
            for other in client.fine_tuning.jobs.list(limit=100)
            if other.metadata == job.raw.metadata
        ]


@pytest.mark.parametrize(
    "fault", ["drop before", "drop after", "500 after", "refuse", "cut body", "429"]
)
@pytest.mark.parametrize("times", [1, 2])
def test_a_failing_create_makes_one_job(
    proxy: FaultyProxy, behind: Provider, server: LocalServer, fault: Fault, times: int
) -> None:
    """However the create fails, and whether or not the server had accepted it, one job exists."""
    proxy.rules.append(Rule("POST", JOBS, [fault] * times))

    job = FineTuneJob.create(
        rows_of(f"create {fault} {times}"), provider=behind, hyperparameters=LONG
    )

    assert jobs_like(job, server) == [job.id]


@pytest.mark.parametrize("fault", ["drop before", "drop after", "500 after", "refuse", "429"])
def test_a_failing_upload_is_not_repeated_needlessly(
    proxy: FaultyProxy, behind: Provider, server: LocalServer, fault: Fault
) -> None:
    """One file with this content is on the server afterwards."""
    proxy.rules.append(Rule("POST", FILES, [fault]))
    rows = rows_of(f"upload {fault}")

    FineTuneJob.create(rows, provider=behind, hyperparameters=LONG)

    with openai.OpenAI(base_url=server.base_url, api_key=server.api_key) as client:
        names = [f.filename for f in client.files.list() if rows.fingerprint[:24] in f.filename]
    assert len(names) == 1


def test_reads_are_repeated_until_they_answer(
    proxy: FaultyProxy, behind: Provider, clock: VirtualClock
) -> None:
    """Look-ups ride out a short outage, and wait as long as the server asks."""
    proxy.rules.append(Rule("GET", JOBS, ["429"], retry_after="7"))
    proxy.rules.append(Rule("GET", FILES, ["refuse", "drop before"]))

    FineTuneJob.create(rows_of("reads"), provider=behind, hyperparameters=LONG)

    assert 7.0 in clock.sleeps
    assert proxy.count("GET", FILES) == 3


def test_a_plain_refusal_is_passed_on_at_once(proxy: FaultyProxy, behind: Provider) -> None:
    """A wrong key is neither retried nor hidden."""
    stranger = dataclasses.replace(behind, api_key="wrong")

    with pytest.raises(openai.AuthenticationError):
        FineTuneJob.create(rows_of("refusal"), provider=stranger)

    assert len(proxy.requests) == 1
    assert proxy.count("POST", JOBS) == 0


def test_a_dead_server_gives_up_with_the_clients_error(
    proxy: FaultyProxy, behind: Provider, clock: VirtualClock
) -> None:
    """The wait for a server that is down is bounded, and nothing was created."""
    proxy.rules.append(Rule("GET", JOBS, ["drop before"] * 1000))

    with pytest.raises(openai.APIConnectionError):
        FineTuneJob.create(rows_of("dead"), provider=behind)

    assert 10 < clock.seconds < 60
    assert proxy.count("POST", JOBS) == 0


def test_an_equal_job_is_adopted_and_nothing_is_sent_again(
    proxy: FaultyProxy, behind: Provider
) -> None:
    """The second launch of the same data and settings takes the first one's job."""
    rows = rows_of("adopt")
    first = FineTuneJob.create(rows, provider=behind, hyperparameters=LONG)
    second = FineTuneJob.create(rows, provider=behind, hyperparameters=LONG)

    assert (first.adopted, second.adopted) == (False, True)
    assert first.id == second.id
    assert proxy.count("POST", JOBS) == 1
    assert proxy.count("POST", FILES) == 1


def test_other_settings_reuse_the_file_but_not_the_job(
    proxy: FaultyProxy, behind: Provider
) -> None:
    """The same rows are uploaded once; another seed is another job."""
    rows = rows_of("settings")
    first = FineTuneJob.create(rows, provider=behind, hyperparameters=LONG, seed=1)
    second = FineTuneJob.create(rows, provider=behind, hyperparameters=LONG, seed=2)

    assert first.id != second.id
    assert proxy.count("POST", FILES) == 1


def test_another_job_can_be_asked_for_or_refused(behind: Provider) -> None:
    """`if_exists` decides what an equal job means."""
    rows = rows_of("exists")
    first = FineTuneJob.create(rows, provider=behind, hyperparameters=LONG)

    second = FineTuneJob.create(rows, provider=behind, hyperparameters=LONG, if_exists="new")
    with pytest.raises(JobError, match=r"FineTuneJob\.get") as caught:
        FineTuneJob.create(rows, provider=behind, hyperparameters=LONG, if_exists="error")

    assert second.id != first.id
    assert caught.value.job_id == first.id


def test_a_cancelled_job_is_not_adopted(behind: Provider) -> None:
    """What was stopped is started anew."""
    rows = rows_of("cancelled")
    first = FineTuneJob.create(rows, provider=behind, hyperparameters=LONG)
    first.cancel()

    second = FineTuneJob.create(rows, provider=behind, hyperparameters=LONG)

    assert second.id != first.id


def test_without_metadata_a_doubtful_create_is_not_repeated(
    proxy: FaultyProxy, behind: Provider
) -> None:
    """Where the service cannot tell whether the job exists, the user is asked to look."""
    proxy.rules.append(Rule("POST", JOBS, ["drop after"]))
    forgetful = dataclasses.replace(
        behind, profile=dataclasses.replace(behind.profile, keeps_metadata=False)
    )

    with pytest.raises(ProviderError, match="list of jobs"):
        FineTuneJob.create(rows_of("forgetful"), provider=forgetful, hyperparameters=LONG)

    assert proxy.count("POST", JOBS) == 1


def test_an_outage_does_not_lose_the_wait(
    proxy: FaultyProxy, server: LocalServer, finished: FineTuneJob, clock: VirtualClock
) -> None:
    """Half an hour of failing polls ends in the model all the same."""
    behind = dataclasses.replace(server.provider, base_url=proxy.base_url, clock=clock)
    job = FineTuneJob.get(finished.id, provider=behind)
    proxy.rules.append(Rule("GET", finished.id, ["refuse"] * 60))

    assert job.wait().name == finished.fine_tuned_model
    assert clock.seconds > 600
