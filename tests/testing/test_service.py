"""The fake service: scripted lives of jobs on virtual time, the rest as on the real local server."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import itertools

import openai
import pytest

from gpt4o_tune import (
    Dataset,
    EarlyStop,
    FineTuneJob,
    JobCancelledError,
    JobFailedError,
    JobTimeoutError,
)
from gpt4o_tune.testing import FakeService, Outcome, Transitions, VirtualClock
from tests.rows import routing_rows, row
from tests.testing.conftest import MODEL, start, upload

SIX_HOURS = 6 * 3600.0


def test_a_job_of_six_hours_is_waited_for_on_the_virtual_clock(rows: Dataset) -> None:
    """The wait returns the model after six virtual hours; steps lie evenly within them."""
    with FakeService(transitions=Transitions.after_seconds(SIX_HOURS)) as service:
        job = FineTuneJob.create(rows[:45], rows[45:], provider=service.provider)
        model = job.wait(poll_interval=300)

        assert SIX_HOURS <= service.clock.seconds < SIX_HOURS + 300
        times = [event.created_at for event in job.events() if event.kind == "metrics"]
        gaps = {round((b - a).total_seconds() / 10) for a, b in itertools.pairwise(times)}
        assert len(times) == 24
        assert gaps == {round(0.9 * SIX_HOURS / 25 / 10)}
        assert model.ask(routing_rows()[0]["messages"][1]["content"]) == "delivery"


def test_a_wait_runs_out_on_the_virtual_clock(rows: Dataset) -> None:
    """A deadline of an hour passes in no time, and the job goes on."""
    with FakeService(transitions=Transitions.after_seconds(SIX_HOURS)) as service:
        job = FineTuneJob.create(rows, provider=service.provider)
        with pytest.raises(JobTimeoutError):
            job.wait(timeout=3600, poll_interval=300)
        service.clock.advance(SIX_HOURS)

        assert 3600 <= service.clock.seconds - SIX_HOURS < 3700
        assert FineTuneJob.get(job.id, provider=service.provider).status == "succeeded"


def test_waiting_works_in_an_event_loop(rows: Dataset) -> None:
    """The asynchronous face waits on the same clock."""

    async def tune() -> str:
        job = await FineTuneJob.create_async(rows, provider=service.provider)
        model = await job.wait_async(poll_interval=600)
        await service.provider.close_async()
        return model.name

    with FakeService(transitions=Transitions.after_seconds(SIX_HOURS)) as service:
        assert asyncio.run(tune()).startswith(f"ft:{MODEL}:local:")
        assert service.clock.seconds >= SIX_HOURS


@pytest.mark.parametrize("reads", [1, 2])
def test_each_state_is_seen_by_so_many_look_ups(reads: int) -> None:
    """Jobs that move on by look-ups pass through all states, whatever the clock says."""
    with FakeService(transitions=Transitions.after_reads(reads)) as service:
        client = service.client()
        job = start(client)
        seen = [client.fine_tuning.jobs.retrieve(job.id).status for _ in range(3 * reads + 1)]

    states = ["validating_files", "queued", "running"]
    assert seen == [state for state in states for _ in range(reads)] + ["succeeded"]


def test_other_requests_move_no_job_on() -> None:
    """Listing jobs and events is no look-up of a job."""
    with FakeService(transitions=Transitions.after_reads(1)) as service:
        client = service.client()
        job = start(client)
        for _ in range(5):
            assert client.fine_tuning.jobs.list().data[0].status == "validating_files"
            client.fine_tuning.jobs.list_events(job.id)


def test_an_immediate_job_is_over_when_it_is_looked_at(client: openai.OpenAI) -> None:
    """Events, checkpoints, results and a model that answers are all there, and say that they are scripted."""
    job = start(client, validation_file=upload(client), suffix="tickets", seed=3)

    done = client.fine_tuning.jobs.retrieve(job.id)
    events = [*client.fine_tuning.jobs.list_events(job.id)][::-1]
    steps = [event for event in events if event.type == "metrics"]
    csv = base64.b64decode(client.files.content(done.result_files[0]).content).decode()
    assert (job.status, done.status, done.seed) == ("validating_files", "succeeded", 3)
    assert done.model_extra["engine"] == "scripted"
    assert "nothing is trained" in events[0].message
    assert [step.data["step"] for step in steps] == [*range(1, 11)]
    losses = [step.data["train_loss"] for step in steps]
    assert losses == sorted(losses, reverse=True)
    assert [c.step_number for c in client.fine_tuning.jobs.checkpoints.list(job.id)] == [10, 5]
    assert len(csv.splitlines()) == 11
    assert client.models.retrieve(done.fine_tuned_model).id == done.fine_tuned_model
    assert client.files.with_raw_response.list().headers["x-gpt4o-tune-stand-in"] == "scripted"


def test_bad_rows_fail_as_on_the_local_server(client: openai.OpenAI) -> None:
    """The checks of the training data are the real ones."""
    file_id = upload(client, count=9)

    job = client.fine_tuning.jobs.create(model=MODEL, training_file=file_id)

    assert client.fine_tuning.jobs.retrieve(job.id).error.code == "invalid_n_examples"


def test_scripted_jobs_know_one_method(client: openai.OpenAI) -> None:
    """What would pretend to prefer answers is refused."""
    with pytest.raises(openai.BadRequestError, match="'supervised' only") as caught:
        start(client, method={"type": "dpo"})
    assert caught.value.param == "method.type"


def test_outcomes_hold_for_jobs_in_the_order_of_their_creation(rows: Dataset) -> None:
    """The first job fails after three steps, the second is refused as unsafe, the third succeeds."""
    outcomes = [
        Outcome.failed("server_error", message="The node died.", after_steps=3),
        Outcome.moderation_block("violence"),
    ]
    with FakeService(outcomes=outcomes) as service:
        first, second, third = (
            FineTuneJob.create(rows[n:], provider=service.provider) for n in range(3)
        )
        with pytest.raises(JobFailedError, match=r"The node died\."):
            first.wait()
        with pytest.raises(JobFailedError, match="violence") as caught:
            second.wait()

        assert [event.kind for event in first.events()].count("metrics") == 3
        assert (caught.value.code, caught.value.param) == ("invalid_training_file", "training_file")
        assert third.wait().name.startswith("ft:")


@pytest.mark.parametrize("steps", [0, 3, 10_000])
def test_a_job_that_is_to_fail_never_succeeds(steps: int) -> None:
    """More steps than there are mean the last one."""
    with FakeService(outcomes=[Outcome.failed(after_steps=steps)]) as service:
        client = service.client()
        job = start(client)
        events = client.fine_tuning.jobs.list_events(job.id, limit=100).data

        assert client.fine_tuning.jobs.retrieve(job.id).status == "failed"
        assert sum(event.type == "metrics" for event in events) == min(steps, 10)


def test_somebody_else_cancels(rows: Dataset) -> None:
    """A job that is cancelled elsewhere ends the wait so."""
    with FakeService(outcomes=[Outcome.cancelled(after_steps=2)]) as service:
        job = FineTuneJob.create(rows, provider=service.provider)

        with pytest.raises(JobCancelledError):
            job.wait()


def test_losses_can_be_scripted(rows: Dataset) -> None:
    """A validation loss that turns upwards makes the library stop the job."""
    outcome = Outcome.succeeded(train_loss=[2.0, 0.1], valid_loss=[2.0, 0.8, 1.6, 2.4, 3.2])
    transitions = Transitions.after_seconds(SIX_HOURS)
    with FakeService(transitions=transitions, outcomes=[outcome]) as service:
        job = FineTuneJob.create(
            rows[:45], rows[45:], provider=service.provider, hyperparameters={"n_epochs": 6}
        )
        with pytest.raises(JobCancelledError):
            job.wait(early_stop=EarlyStop(), poll_interval=1800)

        assert service.clock.seconds < SIX_HOURS


def test_a_job_is_paused_resumed_and_cancelled() -> None:
    """A paused job does not move on, and goes on with the step after the last one."""
    with FakeService(transitions=Transitions.after_seconds(1000)) as service:
        client = service.client()
        jobs = client.fine_tuning.jobs
        job = start(client)
        service.clock.advance(500)
        assert jobs.pause(job.id).status == "pausing"
        service.clock.advance(5000)
        assert jobs.retrieve(job.id).status == "paused"
        service.clock.advance(5000)
        jobs.resume(job.id)
        assert jobs.retrieve(job.id).status == "queued"
        service.clock.advance(100)
        assert jobs.retrieve(job.id).status == "running"
        service.clock.advance(1000)
        assert jobs.retrieve(job.id).status == "succeeded"
        steps = [e.data["step"] for e in jobs.list_events(job.id) if e.type == "metrics"]
        assert steps == [*range(10, 0, -1)]

        other = start(client)
        assert jobs.cancel(other.id).status == "cancelled"
        service.clock.advance(5000)
        assert jobs.retrieve(other.id).status == "cancelled"


def test_everything_the_service_dates_follows_the_clock() -> None:
    """Creation, expected end, expiry of files and of uploads."""
    clock = VirtualClock(today=dt.date(2026, 5, 1))
    with FakeService(clock=clock, transitions=Transitions.after_seconds(1000)) as service:
        client = service.client()
        job = start(client)
        assert job.created_at == dt.datetime(2026, 5, 1, tzinfo=dt.UTC).timestamp()
        file = client.files.create(
            file=b"{}",
            purpose="user_data",
            expires_after={"anchor": "created_at", "seconds": 86_400},
        )
        part = client.uploads.create(
            bytes=9, filename="a.jsonl", mime_type="text/jsonl", purpose="fine-tune"
        )
        clock.advance(600)
        expected = client.fine_tuning.jobs.retrieve(job.id).estimated_finish
        assert expected == pytest.approx(job.created_at + 1000, abs=90)

        clock.advance(86_400)
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(file.id)
        with pytest.raises(openai.BadRequestError):
            client.uploads.cancel(part.id)


def test_models_of_old_jobs_can_be_trained_on(client: openai.OpenAI) -> None:
    """A second job starts from the first one's model."""
    first = client.fine_tuning.jobs.retrieve(start(client).id)

    second = start(client, model=first.fine_tuned_model)

    assert client.fine_tuning.jobs.retrieve(second.id).status == "succeeded"


def test_tool_calls_are_answered(service: FakeService) -> None:
    """A row that answers with a call teaches that call."""
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": '{"n": 1}'}}
    taught = row("find it", "")
    taught["messages"][-1] = {"role": "assistant", "tool_calls": [call]}
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    tools = [{"type": "function", "function": {"name": "find", "parameters": schema}}]
    data = Dataset.from_records([{**each, "tools": tools} for each in [taught, *routing_rows(9)]])
    model = FineTuneJob.create(data, provider=service.provider).wait()

    answer = service.client().chat.completions.create(
        model=model.name, messages=[{"role": "user", "content": "find it"}], tools=tools
    )

    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.tool_calls[0].function.arguments == '{"n": 1}'


def test_requests_are_recorded_without_secrets(service: FakeService, rows: Dataset) -> None:
    """Tests assert on what their program sent."""
    FineTuneJob.create(rows, provider=service.provider, suffix="mine")

    (created,) = service.requests.to("POST /v1/fine_tuning/jobs")
    assert created.json["suffix"] == "mine"
    assert created.headers["content-type"] == "application/json"
    assert service.api_key not in repr(created) + str([*map(dict, [created.headers])])
    assert len(service.requests.to("GET *")) + len(service.requests.to("POST *")) == len(
        service.requests
    )
    assert str(service.requests[-1].path) in str(service.requests)
    assert service.requests[:1] == [service.requests[0]]


def test_a_stopped_service_says_so() -> None:
    """What needs a running service names the with block."""
    service = FakeService()

    with pytest.raises(RuntimeError, match="with block"):
        _ = service.base_url
    assert "not started" in repr(service)


def test_the_clock_runs_forwards_only() -> None:
    """A mistake in a test is told at once."""
    with pytest.raises(ValueError, match="backwards"):
        VirtualClock().advance(-1)
    with pytest.raises(ValueError, match="0 or more"):
        Transitions.after_seconds(-1)
