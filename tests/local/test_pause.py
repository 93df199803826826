"""Pausing and resuming jobs: on request, across a restart, and without changing one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import LocalServer
from tests.local.conftest import ROWS, desk_at, jsonl
from tests.local.test_recovery import EPOCHS, STEPS, begin, reach, trace

if TYPE_CHECKING:
    from pathlib import Path

    from openai.types import FileObject
    from openai.types.fine_tuning import FineTuningJob

    from tests.local.conftest import Desk


@pytest.fixture(scope="module")
def undisturbed(desk: Desk) -> dict[str, object]:
    """What the job gives where nothing happens."""
    return trace(desk, desk.finished(begin(desk)))


def paused(desk: Desk, *, after: int = 10) -> FineTuningJob:
    """A job that was asked to pause after some steps, and has."""
    job_id = begin(desk)
    reach(desk, job_id, after)
    answer = desk.client.fine_tuning.jobs.pause(job_id)
    assert answer.id == job_id
    assert answer.status in ("pausing", "paused")
    return desk.until(job_id, {"paused", "succeeded"})


def test_a_paused_job_goes_on_where_it_stopped(desk: Desk, undisturbed: dict[str, object]) -> None:
    """Two pauses change no loss, checkpoint or answer; each step is measured once."""
    job = paused(desk)
    taken = len(desk.steps(job.id))
    assert job.status == "paused"
    assert 10 <= taken < STEPS
    assert job.estimated_finish is None
    assert job.finished_at is None

    assert desk.client.fine_tuning.jobs.resume(job.id).status == "queued"
    reach(desk, job.id, taken + 5)
    desk.client.fine_tuning.jobs.pause(job.id)
    desk.until(job.id, {"paused", "succeeded"})
    desk.client.fine_tuning.jobs.resume(job.id)

    assert trace(desk, desk.finished(job.id)) == undisturbed
    events = [*desk.client.fine_tuning.jobs.list_events(job.id, limit=100)][::-1]
    told = [event.message for event in events if event.type == "message"]
    pauses = [text for text in told if "paus" in text.lower() or "resumed" in text]
    assert pauses[0] == "Pausing at the next saved state"
    assert pauses[1] == f"Fine-tuning job paused at step {taken}/{STEPS}"
    assert pauses[2] == "Fine-tuning job resumed"
    assert len(pauses) == 6
    assert [event.data["step"] for event in events if event.type == "metrics"] == [
        *range(1, STEPS + 1)
    ]


def test_a_paused_job_frees_its_place_and_stays_paused(
    desk: Desk, training_file: FileObject
) -> None:
    """Another job trains meanwhile, and nothing resumes the paused one by itself."""
    job = paused(desk)
    taken = desk.steps(job.id)

    other = desk.create(training_file.id, n_epochs=1)

    assert desk.finished(other.id).status == "succeeded"
    assert desk.client.fine_tuning.jobs.retrieve(job.id).status == "paused"
    assert desk.steps(job.id) == taken
    desk.client.fine_tuning.jobs.cancel(job.id)


def test_a_pause_outlives_the_server(tmp_path: Path, undisturbed: dict[str, object]) -> None:
    """A server started again on the folder keeps the job paused, and resumes it when asked."""
    with LocalServer(tmp_path) as server:
        desk = desk_at(server.base_url, server.api_key)
        with desk.client:
            job = paused(desk)
    with LocalServer(tmp_path) as server:
        desk = desk_at(server.base_url, server.api_key)
        with desk.client:
            assert desk.client.fine_tuning.jobs.retrieve(job.id).status == "paused"
            desk.client.fine_tuning.jobs.resume(job.id)
            assert trace(desk, desk.finished(job.id)) == undisturbed


def test_asking_twice_changes_nothing(desk: Desk) -> None:
    """A repeated pause or resume, as after a lost answer, is answered with the job as it is."""
    job = paused(desk)
    jobs = desk.client.fine_tuning.jobs

    assert jobs.pause(job.id).status == "paused"
    jobs.resume(job.id)
    assert jobs.resume(job.id).status in ("queued", "running")

    events = [event.message for event in jobs.list_events(job.id, limit=100)]
    assert sum("resumed" in message for message in events) == 1
    assert sum("Pausing" in message for message in events) == 1
    jobs.cancel(job.id)


def test_a_paused_job_can_be_cancelled(tmp_path: Path) -> None:
    """Cancelling ends it for good and clears its saved state away."""
    with LocalServer(tmp_path) as server:
        desk = desk_at(server.base_url, server.api_key)
        with desk.client:
            job = paused(desk)
            assert (tmp_path / "jobs" / job.id / "output").exists()

            assert desk.client.fine_tuning.jobs.cancel(job.id).status == "cancelled"

            assert not (tmp_path / "jobs" / job.id / "output").exists()
            with pytest.raises(openai.BadRequestError, match="is cancelled"):
                desk.client.fine_tuning.jobs.resume(job.id)


def test_only_what_runs_is_paused_and_only_what_is_paused_resumes(
    desk: Desk, trained: FineTuningJob
) -> None:
    """Anything else is refused with the job's state."""
    for verb in (desk.client.fine_tuning.jobs.pause, desk.client.fine_tuning.jobs.resume):
        with pytest.raises(openai.BadRequestError, match=f"{trained.id} is succeeded") as refused:
            verb(trained.id)
        assert refused.value.code == "invalid_job_state"
    running = desk.create(desk.upload(jsonl(ROWS)).id, n_epochs=EPOCHS)
    with pytest.raises(openai.BadRequestError, match="Only a paused job"):
        desk.client.fine_tuning.jobs.resume(running.id)
    desk.client.fine_tuning.jobs.cancel(running.id)
