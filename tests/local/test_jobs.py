"""Jobs: their life, what they record, and what is refused before and after they are created."""

from __future__ import annotations

import base64
import csv
import io
from typing import TYPE_CHECKING

import openai
import pytest
from openai.types import Model, ModelDeleted
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

from gpt4o_tune.data import Dataset
from tests.local.conftest import MODEL, ROWS, example, jsonl

if TYPE_CHECKING:
    from pathlib import Path

    from openai.types import FileObject

    from tests.local.conftest import Desk

STEPS = 60
EPOCHS = 20


def test_the_job_object_is_what_the_client_expects(desk: Desk, trained: FineTuningJob) -> None:
    """A finished job passes openai's own model strictly and reports what was done."""
    raw = desk.client.fine_tuning.jobs.with_raw_response.retrieve(trained.id)
    job = FineTuningJob.model_validate_json(raw.text, strict=True)
    assert job.model == MODEL
    assert job.fine_tuned_model
    assert job.fine_tuned_model.startswith(f"ft:{MODEL}:local:tickets:")
    assert job.seed == 7
    assert job.metadata == {"team": "support"}
    assert job.finished_at
    assert job.finished_at >= job.created_at
    assert job.estimated_finish is None
    assert job.error is None
    assert job.hyperparameters.n_epochs == EPOCHS
    assert job.hyperparameters.batch_size == 8
    assert isinstance(job.hyperparameters.learning_rate_multiplier, float)
    assert job.model_extra
    assert job.model_extra["stand_in"] is True


def test_trained_tokens_are_those_of_the_cost_estimate(
    trained: FineTuningJob, tmp_path: Path
) -> None:
    """The bill of a job is what `Dataset.cost` foresaw."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(jsonl(ROWS))
    estimate = Dataset.from_jsonl(path).cost(model=MODEL, epochs=EPOCHS, provider="openai")
    assert trained.trained_tokens == estimate.tokens


def test_the_history_reads_as_on_the_real_service(desk: Desk, trained: FineTuningJob) -> None:
    """The messages come in the known order, after one that says what trains here."""
    events = [*desk.client.fine_tuning.jobs.list_events(trained.id)][::-1]
    messages = [event.message for event in events if event.type == "message"]
    assert "stand-in" in messages[0]
    assert "not gpt-4o" in messages[0]
    validating = (
        f"Validating training file: {trained.training_file} "
        f"and validation file: {trained.validation_file}"
    )
    assert messages[1:] == [
        f"Created fine-tuning job: {trained.id}",
        validating,
        "Files validated, moving job to queued state",
        "Fine-tuning job started",
        f"New fine-tuned model created: {trained.fine_tuned_model}",
        "The job has successfully completed",
    ]
    assert [event.type for event in events[5:-2]] == ["metrics"] * STEPS
    assert len({event.id for event in events}) == len(events)


def test_a_job_goes_through_the_states_in_order(desk: Desk, training_file: FileObject) -> None:
    """Whatever a reader sees comes in the order of the service, and no state comes twice."""
    order = ["validating_files", "queued", "running", "succeeded"]
    job = desk.create(training_file.id, n_epochs=2)
    seen = [job.status]
    while seen[-1] != "succeeded":
        status = desk.until(job.id, {*order} - {seen[-1]}).status
        seen.append(status)
    assert seen[0] == order[0]
    assert seen == [state for state in order if state in seen]
    assert "running" in seen


def test_metric_events_say_in_words_what_they_hold(desk: Desk, trained: FineTuningJob) -> None:
    """The text names the step and the losses that were measured, as the service words it."""
    events = [*desk.client.fine_tuning.jobs.list_events(trained.id, limit=100)]
    measured = [event for event in events if event.type == "metrics"]
    for event in measured:
        losses = [("training loss", event.data["train_loss"])]
        losses += [("validation loss", event.data["valid_loss"])]
        if "full_valid_loss" in event.data:
            losses += [("full validation loss", event.data["full_valid_loss"])]
        words = ", ".join(f"{name}={loss:.4f}" for name, loss in losses)
        assert event.message == f"Step {event.data['step']}/{STEPS}: {words}"
        assert event.level == "info"
    assert len(measured) == STEPS


def test_each_step_is_measured(desk: Desk, trained: FineTuningJob) -> None:
    """Metrics stand on every step, those of the whole validation file at the end of each epoch."""
    steps = desk.steps(trained.id)
    assert [step["step"] for step in steps] == [*range(1, STEPS + 1)]
    assert {step["total_steps"] for step in steps} == {STEPS}
    for step in steps:
        assert step["train_loss"] > 0
        assert step["valid_loss"] > 0
        assert 0 <= step["train_mean_token_accuracy"] <= 1
        assert 0 <= step["valid_mean_token_accuracy"] <= 1
        is_epoch_end = step["step"] % (STEPS // EPOCHS) == 0
        for name in ("full_valid_loss", "full_valid_mean_token_accuracy"):
            assert (name in step) == is_epoch_end
    assert steps[-1]["train_loss"] < steps[0]["train_loss"] / 2


def test_events_come_newest_first_in_pages(desk: Desk, trained: FineTuningJob) -> None:
    """Each event passes openai's model, and pages of any size cover all of them once."""
    jobs = desk.client.fine_tuning.jobs
    raw = jobs.with_raw_response.list_events(trained.id, limit=100).http_response.json()
    events = [FineTuningJobEvent.model_validate(each, strict=True) for each in raw["data"]]
    assert raw["has_more"] is False
    assert events[0].message == "The job has successfully completed"
    assert events[1].created_at >= events[-1].created_at
    for limit in (1, 7, 50):
        listed = [event.id for event in jobs.list_events(trained.id, limit=limit)]
        assert listed == [event.id for event in events]
    with pytest.raises(openai.NotFoundError):
        jobs.list_events("ftjob-unknown")
    with pytest.raises(openai.BadRequestError):
        jobs.list_events(trained.id, after="ftevent-unknown")


def test_the_last_three_checkpoints_answer(desk: Desk, trained: FineTuningJob) -> None:
    """Checkpoints are listed newest first with their measurements, and work as models."""
    raw = desk.client.fine_tuning.jobs.checkpoints.with_raw_response.list(trained.id)
    listed = raw.http_response.json()["data"]
    checkpoints = [FineTuningJobCheckpoint.model_validate(each, strict=True) for each in listed]
    assert [checkpoint.step_number for checkpoint in checkpoints] == [60, 57, 54]
    measured = {step["step"]: step for step in desk.steps(trained.id)}
    for checkpoint in checkpoints:
        name = checkpoint.fine_tuned_model_checkpoint
        assert name == f"{trained.fine_tuned_model}:ckpt-step-{checkpoint.step_number}"
        assert (
            checkpoint.metrics.full_valid_loss
            == (measured[checkpoint.step_number]["full_valid_loss"])
        )
        assert desk.answer(name, "please, money back") is not None


def test_only_what_answers_stays_on_disk(server, trained: FineTuningJob) -> None:
    """The weights of earlier epochs and the state for resuming are gone."""
    output = server.data_dir / "jobs" / trained.id / "output"
    assert sorted(path.name for path in (output / "checkpoints").iterdir()) == [
        "step-54",
        "step-57",
        "step-60",
    ]
    assert [path.name for path in output.iterdir()] == ["checkpoints"]


def test_the_results_file_holds_the_curve(desk: Desk, trained: FineTuningJob) -> None:
    """The CSV is base64-encoded, and its rows are the measurements of the events."""
    (file_id,) = trained.result_files
    assert desk.client.files.retrieve(file_id).purpose == "fine-tune-results"
    text = base64.b64decode(desk.client.files.content(file_id).content, validate=True).decode()
    rows = [*csv.DictReader(io.StringIO(text))]
    assert text.splitlines()[0] == (
        "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"
    )
    assert [float(row["train_loss"]) for row in rows] == [
        step["train_loss"] for step in desk.steps(trained.id)
    ]
    assert [float(row["train_accuracy"]) for row in rows] == [
        step["train_mean_token_accuracy"] for step in desk.steps(trained.id)
    ]


def test_the_same_job_gives_the_same_numbers(
    desk: Desk, trained: FineTuningJob, training_file: FileObject
) -> None:
    """A seed repeats a run to the last bit, as far as the runs are alike."""
    job = desk.finished(desk.create(training_file.id, n_epochs=EPOCHS).id)
    again = [step["train_loss"] for step in desk.steps(job.id)]
    assert again == [step["train_loss"] for step in desk.steps(trained.id)]


def test_training_goes_on_from_a_custom_model(
    desk: Desk, trained: FineTuningJob, training_file: FileObject
) -> None:
    """A job on an `ft:` model begins where that model stopped."""
    assert trained.fine_tuned_model
    job = desk.create(training_file.id, n_epochs=1, model=trained.fine_tuned_model)
    assert job.model == trained.fine_tuned_model
    finished = desk.finished(job.id)
    assert finished.status == "succeeded", finished.error
    assert finished.fine_tuned_model
    assert finished.fine_tuned_model.startswith(f"ft:{MODEL}:local::")
    assert desk.steps(job.id)[0]["train_loss"] < desk.steps(trained.id)[0]["train_loss"] / 2


def test_a_job_whose_base_was_deleted_fails(desk: Desk, training_file: FileObject) -> None:
    """Where the model to continue from is gone by the time of the job's turn, the job says so."""
    base = desk.finished(desk.create(training_file.id, n_epochs=1).id).fine_tuned_model
    assert base
    ahead = desk.create(training_file.id, n_epochs=50)
    job = desk.create(training_file.id, n_epochs=1, model=base)
    desk.client.models.delete(base)
    desk.client.fine_tuning.jobs.cancel(ahead.id)
    failed = desk.finished(job.id)
    assert failed.status == "failed"
    assert failed.error
    assert failed.error.code == "server_error"
    assert base in failed.error.message


def test_deprecated_hyperparameters_and_integrations_are_taken(
    desk: Desk, training_file: FileObject
) -> None:
    """The old place of hyperparameters works, aliases resolve, integrations are kept."""
    wandb = {"type": "wandb", "wandb": {"project": "tickets", "tags": ["a"]}}
    raw = desk.client.fine_tuning.jobs.with_raw_response.create(
        model="gpt-4o",
        training_file=training_file.id,
        hyperparameters={"n_epochs": 1, "learning_rate_multiplier": 2},
        integrations=[wandb],
    )
    job = FineTuningJob.model_validate_json(raw.text, strict=True)
    assert job.status == "validating_files"
    assert job.model == MODEL
    assert job.hyperparameters.n_epochs == 1
    assert job.integrations
    assert job.integrations[0].wandb.project == "tickets"
    finished = desk.finished(job.id)
    assert finished.hyperparameters.learning_rate_multiplier == 2
    assert isinstance(finished.hyperparameters.batch_size, int)


def test_deleting_the_file_does_not_harm_the_job(desk: Desk) -> None:
    """A job holds on to its data."""
    file = desk.upload(jsonl(ROWS))
    job = desk.create(file.id, n_epochs=1)
    desk.client.files.delete(file.id)
    assert desk.finished(job.id).status == "succeeded"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": "gpt-5"}, "model"),
        ({"model": "gpt-4o-2024-05-13"}, "model"),
        ({"model": "nonsense"}, "model"),
        ({"model": f"ft:{MODEL}:local::unknown1"}, "model"),
        ({"training_file": "file-unknown"}, "training_file"),
        ({"validation_file": "file-unknown"}, "validation_file"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"suffix": "a:b"}, "suffix"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**31}, "seed"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
        ({"metadata": {"k" * 65: ""}}, "metadata"),
        ({"metadata": {"k": "v" * 513}}, "metadata"),
        (
            {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 2.5}}}},
            "method.dpo.hyperparameters.beta",
        ),
        ({"method": {"type": "reinforcement"}}, "method.reinforcement.grader"),
        ({"method": {"type": "magic"}}, "method.type"),
        ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"n_epochs": "3"}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"batch_size": 257}}, "hyperparameters.batch_size"),
        (
            {"hyperparameters": {"learning_rate_multiplier": 0}},
            "hyperparameters.learning_rate_multiplier",
        ),
        ({"hyperparameters": {"beta": 1}}, "hyperparameters.beta"),
        (
            {
                "hyperparameters": {"n_epochs": 2},
                "method": {
                    "type": "supervised",
                    "supervised": {"hyperparameters": {"n_epochs": 3}},
                },
            },
            "hyperparameters",
        ),
        ({"integrations": [{"type": "mlflow"}]}, "integrations[0].type"),
        ({"extra_body": {"colour": "red"}}, "colour"),
    ],
)
def test_a_bad_request_creates_no_job(
    desk: Desk, training_file: FileObject, change: dict[str, object], param: str
) -> None:
    """Each refusal names the field at fault."""
    newest = desk.client.fine_tuning.jobs.list(limit=1).data
    options = {"model": MODEL, "training_file": training_file.id, **change}
    with pytest.raises(openai.BadRequestError) as caught:
        desk.client.fine_tuning.jobs.create(**options)
    assert caught.value.param == param
    assert caught.value.code
    assert desk.client.fine_tuning.jobs.list(limit=1).data == newest


def test_the_first_gpt4o_gets_its_own_sentence(desk: Desk, training_file: FileObject) -> None:
    """The model of many tutorials is refused with the reason and the replacement."""
    with pytest.raises(openai.BadRequestError, match=MODEL) as caught:
        desk.create(training_file.id, model="gpt-4o-2024-05-13")
    assert caught.value.code == "model_not_available"


def test_a_file_of_another_purpose_is_refused(desk: Desk) -> None:
    """Only files with the purpose fine-tune train."""
    file = desk.client.files.create(file=("a.jsonl", jsonl(ROWS)), purpose="user_data")
    with pytest.raises(openai.BadRequestError, match="purpose"):
        desk.create(file.id)


@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [
        (ROWS[:7], "invalid_n_examples", r"has 7 example\(s\), but must have at least 10 examples"),
        ([], "invalid_n_examples", "at least 10"),
        ([*ROWS, {"message": []}], "invalid_training_file", f"Line {len(ROWS) + 1}"),
        ([*ROWS, example("only", "")["messages"]], "invalid_training_file", "Line 25"),
        (
            [{"messages": [{"role": "user", "content": "alone"}]}, *ROWS],
            "invalid_training_file",
            "Line 1",
        ),
    ],
    ids=["few", "none", "no-messages", "list", "no-assistant"],
)
def test_what_the_checks_refuse_fails_the_job(
    desk: Desk, rows: list[object], code: str, words: str
) -> None:
    """The files are judged by the rules of `Dataset.check`, with line numbers."""
    job = desk.finished(desk.create(desk.upload(jsonl(rows)).id).id)
    assert job.status == "failed"
    assert job.error
    assert job.error.code == code
    assert job.error.param == "training_file"
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(job.error.message)
    events = desk.client.fine_tuning.jobs.list_events(job.id).data
    assert (events[0].level, events[0].message) == ("error", job.error.message)
    assert not desk.client.fine_tuning.jobs.checkpoints.list(job.id).data


def test_a_bad_validation_file_fails_the_job(desk: Desk, training_file: FileObject) -> None:
    """The validation file may be short, and is checked all the same."""
    short = desk.upload(jsonl(ROWS[:2]))
    job = desk.create(training_file.id, n_epochs=1, validation_file=short.id)
    assert desk.finished(job.id).status == "succeeded"
    broken = desk.upload(jsonl([ROWS[0], {"messages": 3}]))
    job = desk.finished(desk.create(training_file.id, validation_file=broken.id).id)
    assert job.error
    assert (job.error.code, job.error.param) == ("invalid_validation_file", "validation_file")
    assert "Line 2" in job.error.message


def test_jobs_wait_for_their_turn_and_can_be_cancelled(
    desk: Desk, training_file: FileObject
) -> None:
    """One job trains at a time; cancelling one lets the next begin."""
    first = desk.create(training_file.id, n_epochs=50)
    second = desk.create(training_file.id, n_epochs=50)
    desk.until(first.id, {"running"})
    assert desk.until(second.id, {"queued", "running"}).status == "queued"
    running = desk.client.fine_tuning.jobs.retrieve(first.id)
    assert running.fine_tuned_model is None
    raw = desk.client.fine_tuning.jobs.with_raw_response.cancel(first.id)
    cancelled = FineTuningJob.model_validate_json(raw.text, strict=True)
    assert cancelled.status == "cancelled"
    assert cancelled.finished_at
    desk.until(second.id, {"running"})
    assert desk.client.fine_tuning.jobs.cancel(second.id).status == "cancelled"
    count = len(desk.steps(first.id))
    assert count < 150
    assert desk.client.fine_tuning.jobs.retrieve(first.id).fine_tuned_model is None
    with pytest.raises(openai.BadRequestError, match="already completed"):
        desk.client.fine_tuning.jobs.cancel(first.id)
    with pytest.raises(openai.NotFoundError):
        desk.client.fine_tuning.jobs.cancel("ftjob-unknown")


def test_jobs_are_listed_and_found_by_metadata(
    desk: Desk, trained: FineTuningJob, training_file: FileObject
) -> None:
    """The newest comes first; metadata selects, with any characters in it."""
    odd = {"a[b]": "x y&=", "quote'": '"'}
    job = desk.create(training_file.id, n_epochs=1, metadata=odd)
    jobs = desk.client.fine_tuning.jobs
    assert jobs.list(limit=1).data[0].id == job.id
    assert [each.id for each in jobs.list(metadata={"quote'": '"'})] == [job.id]
    assert [each.id for each in jobs.list(metadata=odd)] == [job.id]
    assert [each.id for each in jobs.list(metadata={"team": "support"})] == [trained.id]
    assert not jobs.list(metadata={"team": "sales"}).data
    unlabelled = [each.id for each in jobs.list(extra_query={"metadata": "null"})]
    assert job.id not in unlabelled
    everything = [each.id for each in jobs.list(limit=100)]
    assert [each.id for each in jobs.list(limit=3)] == everything
    assert len(set(everything)) == len(everything)
    with pytest.raises(openai.NotFoundError):
        jobs.retrieve("ftjob-unknown")
    desk.finished(job.id)


def test_models_are_listed_retrieved_and_deleted(desk: Desk, training_file: FileObject) -> None:
    """A deleted model no longer answers; its checkpoints do until they are deleted, too."""
    job = desk.finished(desk.create(training_file.id, n_epochs=1).id)
    name = job.fine_tuned_model
    assert name
    models = desk.client.models
    raw = models.with_raw_response.retrieve(name)
    model = Model.model_validate_json(raw.text, strict=True)
    assert (model.owned_by, model.shutdown_date) == ("gpt4o-tune-local", None)
    assert model.model_extra == {"stand_in": True, "engine": "tiny"}
    assert raw.headers["x-gpt4o-tune-stand-in"] == "tiny"
    listed = [each.id for each in models.list()]
    assert {name, f"{name}:ckpt-step-3", MODEL, "gpt-4o-mini-2024-07-18"} <= set(listed)
    deleted = models.with_raw_response.delete(name)
    assert ModelDeleted.model_validate_json(deleted.text, strict=True).deleted
    with pytest.raises(openai.NotFoundError):
        models.retrieve(name)
    with pytest.raises(openai.NotFoundError):
        desk.answer(name, "hello")
    assert desk.answer(f"{name}:ckpt-step-3", "hello") is not None
    models.delete(f"{name}:ckpt-step-3")
    with pytest.raises(openai.NotFoundError):
        desk.answer(f"{name}:ckpt-step-3", "hello")
    with pytest.raises(openai.PermissionDeniedError):
        models.delete(MODEL)
