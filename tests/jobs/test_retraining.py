"""Training the same again elsewhere: same rows or none, same settings where they mean the same."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import (
    CustomModel,
    Dataset,
    DatasetError,
    FineTuneJob,
    Provider,
    ProviderError,
    RunRecord,
    plan_retrain,
    retrain,
)
from gpt4o_tune.jobs import plan_retrain_async, retrain_async
from gpt4o_tune.testing import FakeService
from tests.rows import routing_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = Dataset.from_records(routing_rows())
SETTINGS = {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 0.5}
AZURE = Provider.azure("https://my-resource.openai.azure.com", api_key="k")
OTHER = Provider.compatible("https://train.example.com/v1", api_key="k")


@pytest.fixture
def old() -> Iterator[FakeService]:
    """The provider that will end."""
    with FakeService() as service:
        yield service
        # The server closes a file that was fetched before it answers the next request.
        FineTuneJob.list(provider=service.provider)


@pytest.fixture
def new() -> Iterator[FakeService]:
    """The provider that goes on."""
    with FakeService() as service:
        yield service


@pytest.fixture
def run(old: FakeService, tmp_path: Path) -> tuple[FineTuneJob, Path]:
    """A finished run at the old provider, and its record."""
    train = Dataset.from_jsonl(ROWS[:45].to_jsonl(tmp_path / "train.jsonl"))
    path = tmp_path / "old.json"
    job = FineTuneJob.create(
        train,
        ROWS[45:],
        provider=old.provider,
        suffix="tickets",
        seed=11,
        hyperparameters=SETTINGS,
        record=path,
    )
    job.wait()
    return job, path


def moved(path: Path, **place: str) -> RunRecord:
    """Read a record as one of a run elsewhere."""
    record = RunRecord.load(path)
    return record.model_copy(update={"provider": record.provider.model_copy(update=place)})


def carried(plan: object) -> dict[str, bool]:
    """Say of each setting whether it is carried."""
    return {each.name: each.is_carried for each in plan.settings}  # type: ignore[attr-defined]


def test_a_run_is_repeated_from_its_record(
    run: tuple[FineTuneJob, Path], new: FakeService, tmp_path: Path
) -> None:
    """The rows are found in their file, the settings are the same, and the new run has a record of its own."""
    _, path = run

    job = retrain(path, provider=new.provider, validation=ROWS[45:], record=tmp_path / "new.json")
    job.wait()

    again = RunRecord.load(tmp_path / "new.json")
    first = RunRecord.load(path)
    assert again.plan_fingerprint == first.plan_fingerprint
    assert again.hyperparameters == SETTINGS
    assert again.status == "succeeded"
    assert retrain(path, provider=new.provider, validation=ROWS[45:]).id == job.id


@pytest.mark.parametrize("by", ["id", "job", "record"])
def test_rows_are_fetched_from_the_old_provider(
    run: tuple[FineTuneJob, Path], old: FakeService, new: FakeService, by: str
) -> None:
    """A job needs nothing but its id: the uploaded bytes are the rows, on both sides."""
    job, path = run
    source = {"id": job.id, "job": FineTuneJob.get(job.id, provider=old.provider), "record": path}[
        by
    ]
    Path(path.parent, "train.jsonl").unlink()

    plan = plan_retrain(source, provider=new.provider, source_provider=old.provider)

    assert plan.launch.training.fingerprint == ROWS[:45].fingerprint
    assert plan.launch.validation is not None
    assert plan.launch.validation.fingerprint == ROWS[45:].fingerprint
    assert (plan.launch.suffix, plan.launch.seed) == ("tickets", 11)
    assert len(new.requests) == 0


@pytest.mark.parametrize("by", ["record", "job"])
def test_other_rows_are_refused(run: tuple[FineTuneJob, Path], new: FakeService, by: str) -> None:
    """Told by their bytes, or by the name under which this library uploaded them."""
    job, path = run

    with pytest.raises(DatasetError, match="not the training rows"):
        plan_retrain(
            path if by == "record" else job,
            train=ROWS[:44],
            validation=ROWS[45:],
            provider=new.provider,
        )
    rows = {"train": ROWS[:45], "validation": ROWS[45:]}
    assert plan_retrain(path if by == "record" else job, provider=new.provider, **rows)


def test_own_rows_are_taken_where_the_service_has_lost_its_file(
    run: tuple[FineTuneJob, Path],
    old: FakeService,
    new: FakeService,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They cannot be compared then, and the log says so."""
    old.faults.add("GET /v1/files/*", status=404, times=2)

    plan = plan_retrain(
        run[0], provider=new.provider, train=ROWS[:44], validation=ROWS[45:], seed=1
    )

    assert len(plan.launch.training) == 44
    assert "could not be compared" in caplog.text


def test_rows_that_are_gone_are_asked_for(run: tuple[FineTuneJob, Path], new: FakeService) -> None:
    """The message names the file, the fingerprint and the two ways on."""
    _, path = run
    Path(path.parent, "train.jsonl").write_text("{}\n", "utf-8")

    with pytest.raises(DatasetError, match=r"train\.jsonl.*pass train=.*source_provider="):
        plan_retrain(path, provider=new.provider)


@pytest.mark.parametrize(
    ("kind", "address", "place", "model", "same"),
    [
        ("openai", "https://api.openai.com/v1", AZURE, None, True),
        ("local", "http://127.0.0.1:1/v1", AZURE, None, False),
        ("openai", "https://api.openai.com/v1", OTHER, "meta-llama/Llama-3.1-8B-Instruct", False),
        ("compatible", OTHER.base_url, OTHER, None, True),
    ],
)
def test_settings_are_carried_where_they_mean_the_same(
    run: tuple[FineTuneJob, Path],
    kind: str,
    address: str,
    place: Provider,
    model: str | None,
    same: bool,
) -> None:
    """Epochs, suffix and seed anywhere; batch size and learning rate within a family, else auto with a reason."""
    record = moved(run[1], kind=kind, base_url=address)

    plan = plan_retrain(record, provider=place, validation=ROWS[45:], model=model)

    assert carried(plan) == {
        "n_epochs": True,
        "batch_size": same,
        "learning_rate_multiplier": same,
        "suffix": True,
        "seed": True,
    }
    assert plan.launch.hyperparameters.n_epochs == 3
    assert plan.launch.hyperparameters.batch_size == (8 if same else "auto")
    assert ("a base rate that each service sets" in str(plan)) == (not same)


def test_the_price_at_the_new_place_is_known_before_it_is_paid(
    run: tuple[FineTuneJob, Path],
) -> None:
    """The plan for Azure has an estimate, a warning or two, and a table in text, HTML and plain values."""
    plan = plan_retrain(run[1], provider=AZURE, validation=ROWS[45:])

    assert plan.launch.estimate.usd
    assert plan.to_dict()["estimate"] == plan.launch.estimate.to_dict()
    assert "learning_rate_multiplier" in plan._repr_html_()
    assert "existing customers" in str(plan)


def test_settings_may_be_replaced(run: tuple[FineTuneJob, Path], new: FakeService) -> None:
    """Given ones take the place of all of the old ones, and are not said to be carried."""
    plan = plan_retrain(
        run[1],
        provider=new.provider,
        validation=ROWS[45:],
        hyperparameters={"n_epochs": 5},
        suffix="other",
        seed=3,
    )

    assert plan.launch.hyperparameters.request("supervised") == {"n_epochs": 5}
    assert (plan.launch.suffix, plan.launch.seed) == ("other", 3)
    assert carried(plan) == {"suffix": False, "seed": False}


def test_a_suffix_that_is_not_taken_is_left_out(run: tuple[FineTuneJob, Path]) -> None:
    """With the reason in the plan."""
    profile = dataclasses.replace(OTHER.profile, suffix_max_chars=3)
    place = dataclasses.replace(OTHER, profile=profile)

    plan = plan_retrain(run[1], provider=place, validation=ROWS[45:], model="m")

    assert plan.launch.suffix is None
    assert "takes 1 to 3" in str(plan)


def test_a_model_that_is_unknown_elsewhere_must_be_named(
    run: tuple[FineTuneJob, Path],
) -> None:
    """Compatible services name models in their own way, and nobody else knows a fine-tuned one."""
    record = RunRecord.load(run[1])
    tuned = record.model_copy(update={"model": "ft:gpt-4o-2024-08-06:acme::abc"})

    with pytest.raises(ProviderError, match="pass model="):
        plan_retrain(record, provider=OTHER, validation=ROWS[45:])
    with pytest.raises(ProviderError, match="does not know 'ft:"):
        plan_retrain(tuned, provider=AZURE, validation=ROWS[45:])


def test_a_job_id_needs_its_place(run: tuple[FineTuneJob, Path], new: FakeService) -> None:
    """An id alone does not say where to look, and a record is not looked up at a wrong place."""
    job, path = run

    with pytest.raises(ProviderError, match="source_provider="):
        plan_retrain(job.id, provider=new.provider)
    with pytest.raises(ProviderError, match="the run was at"):
        plan_retrain(path, provider=new.provider, source_provider=AZURE)


def test_recorded_answers_can_be_trained_on(
    run: tuple[FineTuneJob, Path], old: FakeService, new: FakeService, tmp_path: Path
) -> None:
    """Where the old rows are lost, what the old model answered is left."""
    model = CustomModel(run[0].wait().name, provider=old.provider)
    model.record(ROWS[:20], path=tmp_path / "answers.jsonl")

    plan = plan_retrain(tmp_path / "answers.jsonl", provider=new.provider)
    job = retrain(tmp_path / "answers.jsonl", provider=new.provider, suffix="distilled")

    assert plan.launch.model == "gpt-4o-2024-08-06"
    assert len(plan.launch.training) == 20
    assert "20 prompts" in str(plan)
    assert job.wait().name.split(":")[3] == "distilled"
    with pytest.raises(DatasetError, match="its own"):
        plan_retrain(tmp_path / "answers.jsonl", provider=new.provider, train=ROWS)


def test_the_asynchronous_faces_do_the_same(
    run: tuple[FineTuneJob, Path], old: FakeService, new: FakeService
) -> None:
    """A plan and a job without blocking, equal to those of the other face."""
    job, _ = run

    async def both() -> tuple[str, str]:
        try:
            places = {"provider": new.provider, "source_provider": old.provider}
            plan = await plan_retrain_async(job.id, **places)
            return plan.launch.fingerprint, (await retrain_async(job.id, **places)).id
        finally:
            await old.provider.close_async()
            await new.provider.close_async()

    fingerprint, job_id = asyncio.run(both())

    assert plan_retrain(job, provider=new.provider).launch.fingerprint == fingerprint
    assert retrain(job, provider=new.provider).id == job_id
