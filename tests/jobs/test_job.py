"""`FineTuneJob` on the real local server, through the real client, on both faces."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import (
    CustomModel,
    Dataset,
    DatasetError,
    FineTuneJob,
    JobCancelledError,
    JobFailedError,
    JobTimeoutError,
)
from tests.jobs.conftest import EPOCHS, LONG
from tests.rows import SYSTEM, routing_rows

if TYPE_CHECKING:
    from pathlib import Path

    from gpt4o_tune import LocalServer, Provider
    from gpt4o_tune.jobs import Event


def test_a_job_ends_in_a_model_that_knows_its_training_prompt(finished: FineTuneJob) -> None:
    """`wait` on a finished job returns at once, with the system prompt of the training rows."""
    model = finished.wait(timeout=0)

    assert isinstance(model, CustomModel)
    assert model.name == finished.fine_tuned_model
    assert model.system == SYSTEM
    assert finished.is_final
    assert finished.status == "succeeded"


def test_a_job_is_rebuilt_from_its_id_alone(finished: FineTuneJob, server: LocalServer) -> None:
    """Another process needs the id and a provider, nothing else."""
    again = FineTuneJob.get(finished.id, provider=server.provider)

    assert again.wait(timeout=0).name == finished.fine_tuned_model
    assert again.model == "gpt-4o-2024-08-06"
    assert repr(again).startswith(f"FineTuneJob('{finished.id}', status='succeeded'")


def test_billed_tokens_equal_the_estimate(finished: FineTuneJob, rows: Dataset) -> None:
    """What was priced beforehand is what the server counts."""
    assert finished.trained_tokens == rows[:45].cost(epochs=3).tokens


def test_events_come_once_and_oldest_first(finished: FineTuneJob) -> None:
    """The log reads from created to completed, each event once."""
    events = finished.events()
    messages = [event.message for event in events]

    assert len({event.id for event in events}) == len(events)
    assert [event.created_at for event in events] == sorted(event.created_at for event in events)
    assert messages.index("Fine-tuning job started") < messages.index(
        "The job has successfully completed"
    )
    steps = [event.data["step"] for event in events if event.kind == "metrics"]
    assert steps == list(range(1, len(steps) + 1))


def test_the_first_event_says_that_a_stand_in_trains(finished: FineTuneJob) -> None:
    """Nobody takes the local model for GPT-4o."""
    assert any("stand-in" in event.message for event in finished.events()[:3])


def test_metrics_are_measured_at_every_step(finished: FineTuneJob) -> None:
    """Losses stand at every step and fall; full validation stands at each epoch's end."""
    metrics = finished.metrics()
    losses = [row.train_loss for row in metrics]

    assert len(metrics) == 18
    assert all(loss is not None for loss in losses)
    assert losses[-1] < losses[0]  # type: ignore[operator]  # no None, as asserted
    assert sum(row.full_valid_loss is not None for row in metrics) == 3


def test_checkpoints_are_ranked_and_answer(finished: FineTuneJob, server: LocalServer) -> None:
    """Every checkpoint is a model of its own, best first by full validation loss."""
    checkpoints = finished.checkpoints()
    losses = [checkpoint.metrics.full_valid_loss for checkpoint in checkpoints]

    assert len(checkpoints) == 3
    assert losses == sorted(losses)  # type: ignore[type-var]  # measured at every epoch
    for checkpoint in checkpoints:
        assert CustomModel(checkpoint.name, provider=server.provider).ask("hello", max_tokens=3)


def test_waiting_hands_every_event_on_once(rows: Dataset, server: LocalServer) -> None:
    """The callback sees what `events` lists, in the same order."""
    seen: list[Event] = []
    job = FineTuneJob.create(
        rows, provider=server.provider, suffix="callback", hyperparameters=EPOCHS
    )

    job.wait(timeout=120, on_event=seen.append, poll_interval=0.1)

    assert [event.id for event in seen] == [event.id for event in job.events()]


def test_the_asynchronous_faces_do_the_same(rows: Dataset, server: LocalServer) -> None:
    """Create, wait, look and list without blocking."""

    async def whole_path() -> tuple[FineTuneJob, list[object]]:
        job = await FineTuneJob.create_async(
            rows, provider=server.provider, suffix="async", hyperparameters=EPOCHS
        )
        model = await job.wait_async(timeout=120)
        again = await FineTuneJob.get_async(job.id, provider=server.provider)
        await again.refresh_async()
        found = [
            await again.events_async(),
            await again.metrics_async(),
            await again.checkpoints_async(),
        ]
        assert model.name == again.fine_tuned_model
        await server.provider.close_async()
        return again, found

    job, (events, metrics, checkpoints) = asyncio.run(whole_path())

    assert job.status == "succeeded"
    assert events == job.events()
    assert metrics == job.metrics()
    assert checkpoints == job.checkpoints()


def test_a_deadline_stops_the_wait_and_not_the_job(rows: Dataset, server: LocalServer) -> None:
    """The error says that the job goes on and how to reattach; cancelling ends it."""
    job = FineTuneJob.create(
        rows, provider=server.provider, suffix="slow", hyperparameters={"n_epochs": 50}
    )

    with pytest.raises(JobTimeoutError, match=rf"FineTuneJob\.get\('{job.id}'\)"):
        job.wait(timeout=0.01)

    assert not job.refresh().is_final
    job.cancel()
    with pytest.raises(JobCancelledError, match="Launch it again"):
        job.wait(timeout=60)


def test_ctrl_c_stops_the_wait_and_says_how_to_go_on(
    finished: FineTuneJob, server: LocalServer
) -> None:
    """An interrupt leaves the job alone and carries a note with its id."""

    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        FineTuneJob.get(finished.id, provider=server.provider).wait(on_event=interrupt)

    assert f"FineTuneJob.get('{finished.id}')" in caught.value.__notes__[0]


@pytest.mark.parametrize("knobs", [{"timeout": -1.0}, {"poll_interval": 0.0}])
def test_waiting_times_are_checked_first(finished: FineTuneJob, knobs: dict[str, float]) -> None:
    """A senseless time is refused before any request."""
    with pytest.raises(ValueError, match=next(iter(knobs))):
        finished.wait(**knobs)  # type: ignore[arg-type]  # as parametrised


def test_a_server_side_refusal_carries_its_reason(
    server: LocalServer, tmp_path: Path, rows: Dataset
) -> None:
    """A job that the server fails raises with code, parameter, and the job."""
    nine = rows[:9].to_jsonl(tmp_path / "nine.jsonl")
    with (
        openai.OpenAI(base_url=server.base_url, api_key=server.api_key, max_retries=0) as client,
        nine.open("rb") as stream,
    ):
        file = client.files.create(file=stream, purpose="fine-tune")
        raw = client.fine_tuning.jobs.create(model="gpt-4o-2024-08-06", training_file=file.id)

    with pytest.raises(JobFailedError, match="9 example") as caught:
        FineTuneJob.get(raw.id, provider=server.provider).wait(timeout=60)

    assert caught.value.code == "invalid_n_examples"
    assert caught.value.param == "training_file"
    assert caught.value.job_id == raw.id


def test_progress_is_written_only_where_asked(
    finished: FineTuneJob, capsys: pytest.CaptureFixture[str]
) -> None:
    """No terminal, no output; `progress=True` writes state, steps and losses to the error stream."""
    finished.wait()
    assert capsys.readouterr() == ("", "")

    finished.wait(progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "succeeded" in shown.err
    assert "step 18/18" in shown.err


def test_a_job_that_is_not_there(server: LocalServer) -> None:
    """The client's own error passes through."""
    with pytest.raises(openai.NotFoundError, match="ftjob-nowhere"):
        FineTuneJob.get("ftjob-nowhere", provider=server.provider)


def test_nothing_is_logged_above_info_on_a_sound_path(
    rows: Dataset, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """A plan without faults warns of nothing."""
    with caplog.at_level(logging.INFO, logger="gpt4o_tune"):
        FineTuneJob.plan(rows, provider=provider)

    assert caplog.records == []


def test_rows_with_errors_never_leave_the_machine(provider: Provider) -> None:
    """Bad rows are refused with their problems before any request."""
    broken = Dataset.from_records([*routing_rows(12), {"messages": [{"content": "no role"}]}])

    with pytest.raises(DatasetError, match="missing-role") as caught:
        FineTuneJob.create(broken, provider=provider)

    assert {problem.line for problem in caught.value.problems} == {13}


def test_uploaded_files_can_be_given_a_life(server: LocalServer) -> None:
    """The service deletes them after the seconds asked for; a senseless life is refused beforehand."""
    rows = Dataset.from_records(routing_rows(23))
    with pytest.raises(ValueError, match="files can expire after"):
        FineTuneJob.plan(rows, provider=server.provider, file_expires_after=60)

    job = FineTuneJob.create(
        rows, provider=server.provider, hyperparameters=LONG, file_expires_after=86_400
    )
    job.cancel()

    with openai.OpenAI(base_url=server.base_url, api_key=server.api_key) as client:
        file = client.files.retrieve(job.raw.training_file)
    assert file.expires_at == file.created_at + 86_400


def test_an_upload_shows_its_progress_where_asked(
    server: LocalServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on the error stream, and none without a terminal."""
    settings = {"provider": server.provider, "hyperparameters": LONG}
    FineTuneJob.create(Dataset.from_records(routing_rows(24)), **settings).cancel()  # type: ignore[arg-type]  # as listed
    assert capsys.readouterr() == ("", "")

    rows = Dataset.from_records(routing_rows(25))
    FineTuneJob.create(rows, progress=True, **settings).cancel()  # type: ignore[arg-type]  # as listed

    shown = capsys.readouterr()
    assert shown.out == ""
    assert "uploading ━" in shown.err
