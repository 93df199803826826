"""Jobs by preferences and by rewards: through the API, through the library, and through a kill."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import CustomModel, Dataset, FineTuneJob
from gpt4o_tune.jobs import Finding
from gpt4o_tune.local.engines import UngradableError
from gpt4o_tune.local.rewards import make_grading
from tests.local.conftest import MODEL, jsonl
from tests.local.house_voice import (
    ASKING,
    GRADER,
    UNSEEN,
    chat_rows,
    preference_rows,
    questions,
    reward_rows,
    warm,
)
from tests.local.test_recovery import trace, worker_of

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune import LocalServer
    from tests.local.conftest import Desk

REWARDED = {
    "n_epochs": 3,
    "batch_size": 6,
    "learning_rate_multiplier": 3,
    "compute_multiplier": 0.5,
    "eval_interval": 4,
    "eval_samples": 2,
}


@pytest.fixture(scope="module")
def start(server: LocalServer) -> CustomModel:
    """A model that answers in either of two ways."""
    job = FineTuneJob.create(
        Dataset.from_records(chat_rows()),
        provider=server.provider,
        model=MODEL,
        hyperparameters={"n_epochs": 9, "batch_size": 6},
        seed=7,
    )
    return job.wait(progress=False)


def share_in_voice(model: CustomModel) -> float:
    """Share of answers to unseen questions, drawn, that are right and in the house voice."""
    asked = enumerate(questions(UNSEEN, ASKING[1]))
    right = [
        model.ask(question, temperature=1, seed=number) == warm(desk)
        for number, (question, desk) in asked
    ]
    return sum(right) / len(right)


def test_preferences_through_the_library(server: LocalServer, start: CustomModel) -> None:
    """A job by method dpo gives a model in the preferred voice, and metrics that show the margin."""
    job = FineTuneJob.create(
        Dataset.from_records(preference_rows(*ASKING)),
        Dataset.from_records(preference_rows(UNSEEN)),
        provider=server.provider,
        model=start.name,
        method="dpo",
        hyperparameters={
            "n_epochs": 3,
            "batch_size": 6,
            "beta": 0.4,
            "learning_rate_multiplier": 2,
        },
        seed=7,
    )
    model = job.wait(progress=False)
    assert share_in_voice(start) < 0.8
    assert share_in_voice(model) > 0.9
    metrics = job.metrics()
    first, *_, last = metrics
    assert first.train_margin == 0
    assert last.train_margin is not None
    assert last.train_margin > 0.5
    assert last.full_valid_margin is not None
    assert last.full_valid_margin > 0.5
    assert metrics.diagnosis.finding is Finding.SOUND
    assert "nats per pair" in str(metrics)
    assert "Margin" in metrics._repr_html_()
    best = job.checkpoints().best
    assert best is not None
    assert best.metrics.full_valid_margin is not None


def test_rewards_through_the_library(server: LocalServer, start: CustomModel) -> None:
    """A job by method reinforcement gives a model that earns more, and rewards instead of losses."""
    job = FineTuneJob.create(
        Dataset.from_records(reward_rows(*ASKING)),
        Dataset.from_records(reward_rows(UNSEEN)),
        provider=server.provider,
        model=start.name,
        method="reinforcement",
        grader=GRADER,
        hyperparameters=REWARDED,
        seed=7,
    )
    model = job.wait(progress=False)
    assert share_in_voice(model) > share_in_voice(start) + 0.1
    metrics = job.metrics()
    assert {row.train_loss for row in metrics} == {None}
    assert metrics.diagnosis.finding is Finding.SOUND
    assert str(metrics).startswith("Mean reward over 18 steps")
    checkpoints = job.checkpoints()
    rewards = [each.metrics.valid_reward or 0.0 for each in checkpoints]
    assert len(rewards) == 3
    assert rewards == sorted(rewards, reverse=True)
    assert max(row.valid_reward or 0.0 for row in metrics) == rewards[0]
    assert metrics.diagnosis.best_step in [each.step for each in checkpoints]
    assert "Validation reward" in str(checkpoints)


def dpo(desk: Desk, start: CustomModel) -> FineTuningJob:
    """A job by preferences of 36 steps."""
    file = desk.upload(jsonl(preference_rows(*ASKING)))
    settings = {"n_epochs": 6, "batch_size": 6, "beta": 0.4}
    return desk.create(
        file.id,
        model=start.name,
        method={"type": "dpo", "dpo": {"hyperparameters": settings}},
        validation_file=file.id,
    )


def test_a_kill_in_the_middle_of_preferences_changes_no_number(
    server: LocalServer, desk: Desk, start: CustomModel
) -> None:
    """Kill -9 of the worker loses nothing: steps, checkpoints, results and answers are the same."""
    undisturbed = trace(desk, desk.finished(dpo(desk, start).id))
    job = dpo(desk, start)
    while len(desk.steps(job.id)) < 15:
        assert desk.client.fine_tuning.jobs.retrieve(job.id).status != "succeeded"
    os.kill(worker_of(server.data_dir, job.id), signal.SIGKILL)
    finished = desk.finished(job.id)
    assert trace(desk, finished) == undisturbed
    assert finished.method
    assert finished.method.type == "dpo"
    assert finished.method.dpo
    assert finished.method.dpo.hyperparameters
    assert finished.method.dpo.hyperparameters.beta == 0.4


def reward(desk: Desk, **options: object) -> FineTuningJob:
    """Ask for a job by rewards."""
    file = desk.upload(jsonl(reward_rows(*ASKING)))
    method = {"type": "reinforcement", "reinforcement": {"grader": GRADER}}
    return desk.create(file.id, **{"validation_file": file.id, "method": method, **options})


def test_rewards_for_an_untrained_base_fail_with_what_to_do(desk: Desk) -> None:
    """The stand-in of a base cannot earn anything; the job says to train it first."""
    job = desk.finished(reward(desk).id)
    assert job.status == "failed"
    assert job.error
    assert job.error.param == "model"
    assert "'supervised' first" in job.error.message


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"validation_file": None}, "validation_file"),
        ({"grader": {**GRADER, "type": "oracle"}}, "method.reinforcement.grader"),
        ({"grader": {**GRADER, "operation": "neq"}}, "method.reinforcement.grader"),
        (
            {"hyperparameters": {"reasoning_effort": "high"}},
            "method.reinforcement.hyperparameters.reasoning_effort",
        ),
        (
            {"hyperparameters": {"eval_samples": 0}},
            "method.reinforcement.hyperparameters.eval_samples",
        ),
    ],
)
def test_rewards_that_cannot_be_given_create_no_job(
    desk: Desk, change: dict[str, object], param: str
) -> None:
    """What is missing, unsound or not done here is refused by name."""
    options = {"validation_file": None} if "validation_file" in change else {}
    settings = {"grader": GRADER, **{k: v for k, v in change.items() if k != "validation_file"}}
    with pytest.raises(openai.BadRequestError) as caught:
        reward(desk, method={"type": "reinforcement", "reinforcement": settings}, **options)
    assert caught.value.param == param


def test_rows_of_another_method_fail_in_openais_words(desk: Desk) -> None:
    """Chat rows are no preferences."""
    file = desk.upload(jsonl(chat_rows()))
    job = desk.finished(desk.create(file.id, method={"type": "dpo"}).id)
    assert job.error
    assert job.error.code == "invalid_training_file"
    assert job.error.message == (
        f"Input file {file.id} is in the fine-tune-chat format, but the specified fine-tuning job is not "
        "using 'supervised' as the training method (provided method=dpo)."
    )


def test_a_string_check_reads_fields_of_json_answers() -> None:
    """With a response format a field of the answer can be compared; what is no JSON cannot be judged."""
    grader = {**GRADER, "input": "{{sample.output_json.n}}", "reference": "{{item.n}}"}
    grading = make_grading(grader, has_json=True)
    assert grading.reward('{"n": 3}', {"n": 3}) == 1
    with pytest.raises(UngradableError, match="invalid_variable_error"):
        grading.reward("three", {"n": 3})
    with pytest.raises(UngradableError, match="invalid_variable_error"):
        grading.reward("{}", {"n": 3})
