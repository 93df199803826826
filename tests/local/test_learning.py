"""What the stand-in model learns through the whole stack: a job, its model, its curves."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import pytest

from gpt4o_tune import CustomModel, Dataset, FineTuneJob, JsonMatch, LocalServer, ValidJson
from gpt4o_tune.jobs import Finding

if TYPE_CHECKING:
    from gpt4o_tune.evaluation import Grader
    from gpt4o_tune.jobs import Metrics

BASE = "gpt-4o-2024-08-06"
ROOT = Path(__file__).parents[2]
INTENTS = ROOT / "benchmarks" / "data"
TICKETS = ROOT / "examples" / "data" / "tickets_heldout.jsonl"


def as_json(labels: Dataset) -> Dataset:
    """Turn each answer from a label into an object of intent, team and urgency."""
    teams = json.loads((INTENTS / "teams.json").read_text())
    records: list[dict[str, object]] = []
    for record in labels.records():
        messages: Any = record["messages"]
        label = messages[-1]["content"]
        answer = json.dumps({"intent": label, **teams[label]})
        records.append({"messages": [*messages[:-1], {"role": "assistant", "content": answer}]})
    return Dataset.from_records(records)


@pytest.fixture(scope="module")
def heldout() -> Dataset:
    """Messages in other words than those of the training rows."""
    return as_json(Dataset.from_jsonl(INTENTS / "intents_heldout.jsonl"))


@pytest.fixture(scope="module")
def router(server: LocalServer) -> CustomModel:
    """A model that names intent, team and urgency, with every hyperparameter left to the service."""
    train = as_json(Dataset.from_jsonl(INTENTS / "intents.jsonl"))
    job = FineTuneJob.create(train, provider=server.provider, model=BASE, seed=7)
    return job.wait(progress=False)


@pytest.mark.parametrize(
    ("grader", "least"),
    [
        pytest.param(JsonMatch(fields=["intent"]), 0.80, id="intent"),
        pytest.param(ValidJson(), 0.95, id="valid JSON"),
    ],
)
def test_unseen_phrasings_are_routed_in_valid_json(
    router: CustomModel, heldout: Dataset, grader: Grader, least: float
) -> None:
    """From 450 rows the model learns ten intents and the form of the answer; the base knows neither."""
    comparison = router.compare(heldout, against=BASE, grader=grader, progress=False)
    custom, base = (comparison.candidates[name].accuracy for name in (router.name, BASE))
    assert custom is not None
    assert custom >= least
    assert base == 0


def test_few_rows_for_many_epochs_overfit(server: LocalServer) -> None:
    """Validation loss turns upwards while training loss goes on falling, and the diagnosis says so."""
    rows = Dataset.from_jsonl(TICKETS)
    job = FineTuneJob.create(
        rows[:30],
        rows[30:],
        provider=server.provider,
        model=BASE,
        hyperparameters={"n_epochs": 30},
        seed=7,
    )
    job.wait(progress=False)
    metrics = job.metrics()
    training = losses_by_epoch(metrics, epochs=30)
    validation = [row.full_valid_loss for row in metrics if row.full_valid_loss is not None]
    assert len(validation) == 30
    best = validation.index(min(validation))
    assert validation[-1] > 1.2 * validation[best]
    assert training[-1] < 0.5 * training[best]
    assert metrics.diagnosis.finding is Finding.OVERFITTING


def test_two_servers_give_the_same_losses() -> None:
    """A seed fixes the curve; explicit epochs and rows a step are taken literally."""
    rows = Dataset.from_jsonl(INTENTS / "intents.jsonl")[:50]
    first, second = (losses_on_a_new_server(rows) for _ in range(2))
    assert first == second
    assert len(first) == 2 * 7  # 2 epochs of 50 rows, 8 to a step


def losses_on_a_new_server(rows: Dataset) -> list[float | None]:
    """Train for 2 epochs, 8 rows to a step, and return the training loss of each step."""
    with LocalServer() as server:
        job = FineTuneJob.create(
            rows,
            provider=server.provider,
            model=BASE,
            hyperparameters={"n_epochs": 2, "batch_size": 8},
            seed=7,
        )
        job.wait(progress=False)
        return [row.train_loss for row in job.metrics()]


def losses_by_epoch(metrics: Metrics, *, epochs: int) -> list[float]:
    """Average the training losses of each epoch."""
    losses = [row.train_loss for row in metrics if row.train_loss is not None]
    size = len(losses) // epochs
    return [mean(losses[start : start + size]) for start in range(0, len(losses), size)]
