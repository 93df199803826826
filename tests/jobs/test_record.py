"""The run record: written ahead, complete at the end, and enough to find or repeat a run."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import (
    Dataset,
    DatasetError,
    FineTuneJob,
    JobCancelledError,
    LocalServer,
    ProviderError,
    RunRecord,
)
from gpt4o_tune.providers.profiles import OPENAI
from tests.faults import FaultyProxy, Rule
from tests.jobs.conftest import EPOCHS, LONG

if TYPE_CHECKING:
    from pathlib import Path

    from gpt4o_tune import Provider

KEYS = {
    "version",
    "library",
    "written_at",
    "updated_at",
    "provider",
    "model",
    "method",
    "hyperparameters",
    "suffix",
    "seed",
    "grader",
    "training",
    "validation",
    "catalog_as_of",
    "estimate",
    "plan_fingerprint",
    "fingerprint",
    "job_id",
    "adopted",
    "status",
    "fine_tuned_model",
    "trained_tokens",
    "result_files",
    "error",
    "bill",
    "best_checkpoint",
    "system",
    "tools",
}


@pytest.fixture(scope="module")
def recorded(
    server: LocalServer, rows: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FineTuneJob, Path]:
    """A finished job and its record."""
    path = tmp_path_factory.mktemp("runs") / "tickets.json"
    job = FineTuneJob.create(
        rows[:45],
        rows[45:],
        provider=server.provider,
        suffix="recorded",
        seed=11,
        hyperparameters=EPOCHS,
        record=path,
    )
    job.wait(timeout=120)
    return job, path


def test_a_record_holds_the_whole_run(recorded: tuple[FineTuneJob, Path], rows: Dataset) -> None:
    """Data, settings, place, estimate, bill, ids and the best checkpoint; and no key."""
    job, path = recorded
    content = json.loads(path.read_text(encoding="utf-8"))
    best = job.best_checkpoint()

    assert set(content) == KEYS
    assert content["version"] == 1
    assert content["training"] == {
        "fingerprint": rows[:45].fingerprint,
        "rows": 45,
        "source": "records",
    }
    assert content["validation"]["rows"] == 9
    assert content["provider"] == {"kind": "local", "base_url": job.provider.base_url}
    assert content["hyperparameters"] == EPOCHS
    assert content["seed"] == 11
    assert content["job_id"] == job.id
    assert content["status"] == "succeeded"
    assert content["fine_tuned_model"] == job.fine_tuned_model
    assert content["trained_tokens"] == job.trained_tokens == content["estimate"]["tokens"]
    assert content["bill"]["difference_tokens"] == 0
    assert content["result_files"] == job.raw.result_files
    assert content["best_checkpoint"] == (best and best.name)
    assert str(job.provider.api_key) not in path.read_text(encoding="utf-8")
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_record_finds_its_job_again(recorded: tuple[FineTuneJob, Path]) -> None:
    """Another process needs the file and the key, on either face; the estimate comes with it."""
    job, path = recorded
    record = RunRecord.load(path)

    async def again() -> str:
        try:
            return (await record.job_async(provider=job.provider)).id
        finally:
            await job.provider.close_async()

    assert record.job(provider=job.provider).id == job.id == asyncio.run(again())
    assert record.job(provider=job.provider).bill().difference_tokens == 0


def test_a_record_belongs_to_its_place(recorded: tuple[FineTuneJob, Path]) -> None:
    """Asking another provider is a mistake, and the message names the way on."""
    job, path = recorded
    elsewhere = replace(job.provider, base_url="http://127.0.0.1:9/v1")

    with pytest.raises(ProviderError, match=r"record\.plan"):
        RunRecord.load(path).job(provider=elsewhere)


def test_the_same_run_elsewhere(recorded: tuple[FineTuneJob, Path], rows: Dataset) -> None:
    """A plan from the record asks for the same training at another server, which gives the same losses."""
    job, path = recorded
    with LocalServer() as other:
        plan = RunRecord.load(path).plan(rows[:45], rows[45:], provider=other.provider)
        again = FineTuneJob.launch(plan)
        again.wait(timeout=120)

        assert plan.fingerprint == RunRecord.load(path).plan_fingerprint
        assert again.metrics().rows == job.metrics().rows
        other.provider.close()


def test_other_rows_are_not_the_same_run(recorded: tuple[FineTuneJob, Path], rows: Dataset) -> None:
    """Rows are compared by their bytes, on both sides."""
    job, path = recorded
    record = RunRecord.load(path)

    with pytest.raises(DatasetError, match="not the training rows of the run"):
        record.plan(rows[:44], rows[45:], provider=job.provider)
    with pytest.raises(DatasetError, match="not the validation rows of the run"):
        record.plan(rows[:45], provider=job.provider)


def test_the_record_is_written_before_anything_is_sent(
    rows: Dataset, provider: Provider, tmp_path: Path
) -> None:
    """A launch that reaches nobody leaves a record without a job."""
    path = tmp_path / "new" / "run.json"
    nobody = replace(provider, base_url="http://127.0.0.1:9/v1")

    with pytest.raises(openai.APIConnectionError):
        FineTuneJob.create(rows, provider=nobody, record=path)

    record = RunRecord.load(path)
    assert record.job_id is None
    assert record.estimate["tokens"] == rows.cost().tokens


@pytest.mark.parametrize("target", ["run.json", "runs"])
@pytest.mark.parametrize("if_exists", ["adopt", "new"])
def test_a_launch_that_died_before_it_learnt_the_id_finds_its_job(
    rows: Dataset,
    server: LocalServer,
    provider: Provider,
    tmp_path: Path,
    target: str,
    if_exists: str,
) -> None:
    """The answer to the create is lost for good; the next run goes on with the job it made."""
    settings = {
        "hyperparameters": EPOCHS,
        "suffix": f"died-{if_exists}-{len(target)}",
        "if_exists": if_exists,
        "record": tmp_path / target,
    }
    with FaultyProxy(server.base_url.removesuffix("/v1")) as proxy:
        place = replace(provider, base_url=proxy.base_url)
        # The create takes effect, and from then on nothing is answered.
        proxy.rules = [
            Rule("POST", "/fine_tuning/jobs", ["drop after"]),
            Rule("GET", "/fine_tuning/jobs", [] if if_exists == "new" else ["answer"]),
        ]
        proxy.rules[1].answer = b'{"object": "list", "data": [], "has_more": false}'
        proxy.rules[1].faults += ["refuse"] * 1000
        with pytest.raises(openai.APIError):
            FineTuneJob.create(rows, provider=place, **settings)  # type: ignore[arg-type]  # as listed
        (path,) = [tmp_path / target] if target == "run.json" else (tmp_path / target).iterdir()
        assert RunRecord.load(path).job_id is None

        proxy.rules = []
        found = RunRecord.load(path).job(provider=place)
        job = FineTuneJob.create(rows, provider=place, **settings)  # type: ignore[arg-type]  # as listed

        assert job.adopted
        assert job.id == found.id
        assert RunRecord.load(path).job_id == job.id
        assert proxy.count("POST", "/fine_tuning/jobs") == 1


def test_a_launch_cut_off_before_the_create_has_no_job(
    rows: Dataset, server: LocalServer, provider: Provider, tmp_path: Path
) -> None:
    """The record says so, and the same launch starts it."""
    path = tmp_path / "run.json"
    with FaultyProxy(server.base_url.removesuffix("/v1")) as proxy:
        place = replace(provider, base_url=proxy.base_url)
        proxy.rules = [Rule("GET", "/fine_tuning/jobs", ["refuse"] * 1000)]
        settings = {"suffix": "cut-off", "hyperparameters": LONG, "record": path}
        with pytest.raises(openai.APIError):
            FineTuneJob.create(rows, provider=place, **settings)  # type: ignore[arg-type]  # as listed
        proxy.rules = []

        with pytest.raises(ProviderError, match="no job of this record was created"):
            RunRecord.load(path).job(provider=place)
        job = FineTuneJob.create(rows, provider=place, **settings)  # type: ignore[arg-type]  # as listed

    assert not job.adopted
    assert RunRecord.load(path).job_id == job.id
    FineTuneJob.get(job.id, provider=server.provider).cancel()


def test_each_run_has_a_record_of_its_own(
    rows: Dataset, server: LocalServer, tmp_path: Path
) -> None:
    """A folder keeps every run apart; a file refuses to be overwritten by another run."""
    folder, path = tmp_path / "runs", tmp_path / "one.json"
    settings = {"provider": server.provider, "hyperparameters": LONG, "suffix": "apart"}

    first = FineTuneJob.create(rows, record=folder, **settings)  # type: ignore[arg-type]  # as listed
    same = FineTuneJob.create(rows, record=folder, **settings)  # type: ignore[arg-type]  # as listed
    second = FineTuneJob.create(rows, record=folder, if_exists="new", **settings)  # type: ignore[arg-type]  # as listed
    FineTuneJob.create(rows, record=path, **settings)  # type: ignore[arg-type]  # as listed

    assert same.id == first.id
    assert same.adopted
    kept = {RunRecord.load(each).job_id for each in folder.iterdir()}
    assert kept == {first.id, second.id}
    assert all(each.name.startswith("apart-") for each in folder.iterdir())
    with pytest.raises(ValueError, match="record of another run"):
        FineTuneJob.create(rows[:30], record=path, **settings)  # type: ignore[arg-type]  # as listed
    with pytest.raises(ValueError, match="would overwrite"):
        FineTuneJob.create(rows, record=path, if_exists="new", **settings)  # type: ignore[arg-type]  # as listed
    second.cancel()
    first.cancel()


def test_a_job_that_is_cancelled_is_recorded_as_such(
    rows: Dataset, server: LocalServer, tmp_path: Path
) -> None:
    """The end is written down before the error is raised."""
    path = tmp_path / "run.json"
    job = FineTuneJob.create(
        rows, provider=server.provider, suffix="given-up", hyperparameters=LONG, record=path
    )
    job.cancel()

    with pytest.raises(JobCancelledError):
        job.wait()

    assert RunRecord.load(path).status == "cancelled"
    assert job.record == RunRecord.load(path)


def test_an_address_with_a_password_loses_it(
    rows: Dataset, provider: Provider, tmp_path: Path
) -> None:
    """What stands before the host, or in the query, never reaches the file."""
    place = replace(provider, base_url="http://user:pass@127.0.0.1:9/v1?key=pass", profile=OPENAI)

    with pytest.raises(openai.APIConnectionError):
        FineTuneJob.create(rows, provider=place, record=tmp_path / "run.json")

    assert "pass" not in (tmp_path / "run.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not json", "is no run record"),
        ("{}", "is no run record: library"),
        ("[]", "is no run record"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, content: str, words: str) -> None:
    """The message names the file and the first fault."""
    path = tmp_path / "run.json"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(ValueError, match=words):
        RunRecord.load(path)
    with pytest.raises(FileNotFoundError):
        RunRecord.load(tmp_path / "other.json")


def test_records_of_other_releases(recorded: tuple[FineTuneJob, Path], tmp_path: Path) -> None:
    """A field that is not known is skipped; a version that is not known is refused."""
    _, path = recorded
    content = json.loads(path.read_text(encoding="utf-8"))
    later = tmp_path / "later.json"

    later.write_text(json.dumps({**content, "colour": "blue"}), encoding="utf-8")
    assert RunRecord.load(later).model_dump() == RunRecord.load(path).model_dump()

    later.write_text(json.dumps({**content, "version": 2}), encoding="utf-8")
    with pytest.raises(ValueError, match="has version 2; this release reads up to 1"):
        RunRecord.load(later)


def test_a_record_is_written_whole_or_not_at_all(
    recorded: tuple[FineTuneJob, Path], tmp_path: Path
) -> None:
    """A write that fails leaves the earlier file as it was, and nothing beside it."""
    _, path = recorded
    folder = tmp_path / "held"
    record = RunRecord.load(path).model_copy(update={"path": folder / "run.json"})
    record.save()
    before = (folder / "run.json").read_bytes()
    os.mkdir(folder / "taken.json")

    with pytest.raises(OSError, match="taken"):
        record.model_copy(update={"path": folder / "taken.json"}).save()

    assert (folder / "run.json").read_bytes() == before
    assert sorted(each.name for each in folder.iterdir()) == ["run.json", "taken.json"]
