"""`CustomModel.batch` and `BatchRun` against a stub of the Batch API, with the real client underneath."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune import BatchRun, BatchTimeoutError, CustomModel, Dataset, Provider, ProviderError
from gpt4o_tune._drive import run as drive
from gpt4o_tune.inference.batch_files import row_of, write_files
from tests.conftest import VirtualClock
from tests.inference.batch_service import BatchService, Fault, refused
from tests.providers.stub import StubServer
from tests.rows import row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpt4o_tune import LocalServer

NAME = "ft:gpt-4o-2024-08-06:acme:tickets:batch1"
QUESTIONS = ["one", "two", "fail", "four"]


@contextmanager
def running(service: BatchService, clock: VirtualClock) -> Iterator[CustomModel]:
    """A model at the stub, called OpenAI so that OpenAI's prices hold; waiting is on virtual time."""
    with StubServer(service) as server:
        there = Provider.compatible(f"{server.url}/v1", api_key="sk-test")
        provider = dataclasses.replace(there, kind="openai", clock=clock)
        yield CustomModel(NAME, provider=provider, system="Be brief.")
        provider.close()


def test_a_batch_answers_in_the_order_of_its_inputs(clock: VirtualClock) -> None:
    """Texts, errors, tokens and dollars at batch prices, though the service mixes up the order."""
    service = BatchService()
    with running(service, clock) as model:
        run = model.batch(QUESTIONS, temperature=0)
        result = run.wait(poll_interval=5)

    assert result.texts == ["ONE", "TWO", None, "FOUR"]
    assert result.errors == {2: "content_filter: This one is refused."}
    assert run.status == "completed"
    assert str(run.counts) == "3 of 4 answered, 1 failed"
    assert result.usage.calls == 3
    # Of the catalog: 2.225 for input, 0.90 for cached input and 12.50 for output, per million.
    assert result.usd == pytest.approx(3 * (600 * 2.225 + 400 * 0.90 + 100 * 12.50) / 1e6)
    assert clock.sleeps == [5]


def test_what_is_sent_is_what_was_asked(clock: VirtualClock) -> None:
    """Model, system prompt and parameters stand in each line, under a name of row and content."""
    service = BatchService()
    with running(service, clock) as model:
        model.batch(["one"], temperature=0)
        (_, content), *_ = service.files.values()

    line = json.loads(content)
    assert line["url"] == "/v1/chat/completions"
    assert line["body"] == {
        "model": NAME,
        "temperature": 0,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "one"},
        ],
    }
    assert row_of(line["custom_id"]) == 0


def test_rows_of_a_dataset_are_asked_without_their_answers(clock: VirtualClock) -> None:
    """The last answer of a row is what is to be found out."""
    service = BatchService()
    with running(service, clock) as model:
        result = model.batch(Dataset.from_records([row("my parcel", "delivery")])).wait()

    assert result.texts == ["MY PARCEL"]


def test_the_same_call_again_pays_nothing(clock: VirtualClock) -> None:
    """Equal requests find the batch that runs or has answers; other ones, and `new`, do not."""
    service = BatchService()
    with running(service, clock) as model:
        first = model.batch(QUESTIONS)
        assert model.batch(QUESTIONS).ids == first.ids
        first.wait()
        assert model.batch(QUESTIONS).ids == first.ids
        assert len(service.batches) == 1

        other = model.batch(QUESTIONS, temperature=1)
        again = model.batch(QUESTIONS, if_exists="new")

        assert model.batch(QUESTIONS).ids == first.ids

    assert service.batches[again.ids[0]]["status"] == "validating"
    assert len({*first.ids, *other.ids, *again.ids}) == len(service.batches) == 3


@pytest.mark.parametrize("keeps_metadata", [True, False])
@pytest.mark.parametrize("acts", [True, False])
def test_a_doubtful_create_makes_one_batch(
    clock: VirtualClock, acts: bool, keeps_metadata: bool
) -> None:
    """A 500 on upload and create, acted upon or not, leaves one file and one batch for each call."""
    service = BatchService(keeps_metadata=keeps_metadata)
    service.faults = [Fault("POST", "/files", acts), Fault("POST", "/batches", acts)]
    with running(service, clock) as model:
        result = model.batch(QUESTIONS).wait()
        assert len(service.batches) == 1
        service.faults.append(Fault("POST", "/batches", acts))
        model.batch(QUESTIONS, if_exists="new")

    assert not service.faults
    assert len(service.batches) == 2
    assert result.texts == ["ONE", "TWO", None, "FOUR"]
    assert sum(file["purpose"] == "batch" for file, _ in service.files.values()) == 1


FAULTS = st.builds(
    Fault,
    method=st.sampled_from(["GET", "POST"]),
    path_end=st.sampled_from(["/files", "/batches"]),
    acts=st.booleans(),
    status=st.sampled_from([408, 409, 429, 500, 503]),
)


@settings(max_examples=25)
@given(faults=st.lists(FAULTS, max_size=20), keeps_metadata=st.booleans())
def test_no_schedule_of_faults_makes_two_batches(faults: list[Fault], keeps_metadata: bool) -> None:
    """Whatever fails, acted upon or not, and however often the call is made again: one batch, one file."""
    service = BatchService(keeps_metadata=keeps_metadata)
    service.faults = [dataclasses.replace(fault) for fault in faults]
    with running(service, VirtualClock()) as model:
        for _ in range(len(faults) + 1):
            try:
                run = model.batch(QUESTIONS)
                break
            except openai.APIError:
                assert len(service.batches) <= 1
        service.faults.clear()
        assert run.wait().texts == ["ONE", "TWO", None, "FOUR"]

    assert len(service.batches) == 1
    assert sum(file["purpose"] == "batch" for file, _ in service.files.values()) == 1


def test_a_twin_of_the_same_moment_is_cancelled(clock: VirtualClock) -> None:
    """Where two processes made the same batch, the older one is kept and the other stops."""
    service = BatchService(looks=99)
    with running(service, clock) as model:
        kept = model.batch(QUESTIONS)
        twin = {**service.batches[kept.ids[0]], "id": "batch_twin"}
        service.batches["batch_twin"] = twin

        assert model.batch(QUESTIONS).ids == kept.ids

    assert twin["status"] == "cancelled"
    assert service.batches[kept.ids[0]]["status"] == "validating"


@pytest.mark.parametrize("ending", ["expired", "cancelled"])
def test_what_was_done_is_kept_when_a_batch_ends_early(clock: VirtualClock, ending: str) -> None:
    """Answers stay, the rest says why; the same call takes the same batch, for it was paid."""
    service = BatchService(ending=ending)
    with running(service, clock) as model:
        run = model.batch(["a", "b", "c", "d"])
        result = run.wait()

        assert result.texts == ["A", "B", None, None]
        assert result.errors[3] == f"batch_{ending}: This request was not reached."
        assert result.stopped == f"{run.ids[0]} {ending}"
        assert model.batch(["a", "b", "c", "d"]).ids == run.ids


def test_a_failed_batch_says_why_and_is_made_anew(clock: VirtualClock) -> None:
    """It cost nothing, so the same call tries again."""
    service = BatchService(ending="failed")
    with running(service, clock) as model:
        run = model.batch(["a", "b"])
        result = run.wait()
        service.ending = "completed"
        second = model.batch(["a", "b"])

        assert result.errors == dict.fromkeys([0, 1], "model_not_found: The model is gone.")
        assert second.ids != run.ids
        assert second.wait().texts == ["A", "B"]


def test_a_run_is_taken_up_by_ids_or_by_its_record(clock: VirtualClock, tmp_path: Path) -> None:
    """Another process needs the ids or the file alone, and knows model, order and price."""
    service = BatchService()
    record = tmp_path / "runs" / "run.json"
    with running(service, clock) as model:
        run = model.batch(QUESTIONS, record=record)
        by_ids = BatchRun.get(run.ids, provider=model.provider)
        by_record = BatchRun.load(record, provider=model.provider)
        elsewhere = dataclasses.replace(model.provider, base_url="https://other.example/v1")

        assert by_ids.ids == by_record.ids == run.ids
        assert by_ids.model == NAME
        assert by_ids.wait().to_dict() == by_record.wait().to_dict()
        assert by_ids.results().usd
        assert "sk-test" not in record.read_text(encoding="utf-8")
        with pytest.raises(ProviderError, match="not at https://other"):
            BatchRun.load(record, provider=elsewhere)
        record.write_text("{}", encoding="utf-8")
        with pytest.raises(ValueError, match="no record of a batch"):
            BatchRun.load(record, provider=model.provider)


def test_results_before_the_end_say_so(clock: VirtualClock) -> None:
    """Nothing is invented for what is not answered yet."""
    service = BatchService(looks=99)
    with running(service, clock) as model:
        run = model.batch(["a", "b"])
        result = run.results()
        cancelled = run.cancel()

    assert set(result.errors.values()) == {f"not answered yet: batch {run.ids[0]} is in_progress"}
    assert cancelled.status == "cancelled"
    assert cancelled.is_final


def test_the_deadline_stops_the_wait_and_not_the_batch(clock: VirtualClock) -> None:
    """The error tells how to reattach; the last pause is capped to the deadline."""
    service = BatchService(looks=99)
    with running(service, clock) as model:
        run = model.batch(["a"])
        with pytest.raises(BatchTimeoutError, match=r"BatchRun\.get\('batch_1'\)") as late:
            run.wait(timeout=90)
        with pytest.raises(ValueError, match="poll_interval"):
            run.wait(poll_interval=0)

    assert late.value.batch_ids == run.ids
    assert isinstance(late.value, TimeoutError)
    assert clock.seconds == pytest.approx(90)
    assert service.batches["batch_1"]["status"] == "in_progress"


def test_an_outage_is_waited_out_and_a_wrong_key_is_not(clock: VirtualClock) -> None:
    """A failing service is asked again; a plain refusal is passed on with the way back."""
    service = BatchService()
    service.faults = [Fault("GET", "/batch_1", status=503) for _ in range(20)]
    with running(service, clock) as model:
        assert model.batch(["a"]).wait().texts == ["A"]

        run = model.batch(["b"])
        service.faults = [Fault("GET", "/batch_2", status=401)]
        with pytest.raises(openai.AuthenticationError) as wrong:
            run.wait()

    assert any("BatchRun.get('batch_2')" in note for note in wrong.value.__notes__)


def test_a_file_that_is_gone_is_named(clock: VirtualClock) -> None:
    """Output files expire; then the run says so instead of giving nothing."""
    service = BatchService()
    with running(service, clock) as model:
        run = model.batch(["a", "b"])
        run.wait()
        del service.files[service.batches[run.ids[0]]["output_file_id"]]
        result = run.results()

        assert result.errors[1].startswith(f"a file of batch {run.ids[0]} is gone")
        assert model.batch(["a", "b"], if_exists="new").wait().texts == ["A", "B"]


def test_more_than_fifty_thousand_inputs_become_two_batches(clock: VirtualClock) -> None:
    """Each within the limit; the result is one list in order, also where metadata is not kept."""
    service = BatchService(keeps_metadata=False)
    with running(service, clock) as model:
        run = model.batch((f"q{number}" for number in range(50_001)), system="")
        result = run.wait()

    assert len(run.ids) == 2
    assert [batch.request_counts.total for batch in run.raw] == [50_000, 1]  # type: ignore[union-attr]
    assert result.texts == [f"Q{number}" for number in range(50_001)]


def test_batches_of_one_run_keep_their_rows_apart(clock: VirtualClock) -> None:
    """Where metadata is lost and the second batch gave nothing, the first one's answers stand."""
    service = BatchService(keeps_metadata=False)
    with running(service, clock) as model:
        first = model.batch(["a", "b"])
        first.wait()
        service.ending = "failed"
        second = model.batch(["c"])
        both = BatchRun.get([*first.ids, *second.ids], provider=model.provider)
        result = both.wait()

    assert result.texts == ["A", "B", None]
    assert result.errors == {2: "model_not_found: The model is gone."}
    assert both.status == "mixed"


def test_a_batch_of_somebody_else_is_refused(clock: VirtualClock) -> None:
    """Its names tell no order, so nothing is guessed."""
    service = BatchService()
    with running(service, clock) as model:
        body = {"model": NAME, "messages": [{"role": "user", "content": "hi"}]}
        line = json.dumps({"custom_id": "mine", "method": "POST", "url": "/v1", "body": body})
        file = service.keep(line.encode(), "mine.jsonl", "batch")
        theirs = model.provider.blocking().create_batch(file["id"], endpoint="/v1", metadata={})
        run = BatchRun.get(drive(theirs).id, provider=model.provider)

        with pytest.raises(ProviderError, match="order is not known"):
            run.wait()


@settings(max_examples=40)
@given(texts=st.lists(st.text(max_size=30), min_size=1, max_size=30), limit=st.integers(1, 7))
def test_files_are_a_partition_of_the_inputs(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], limit: int
) -> None:
    """Every input stands in one file, in order, and no file is above a limit."""
    folder = tmp_path_factory.mktemp("parts")
    requests = [{"messages": [{"role": "user", "content": text}]} for text in texts]
    files = write_files(
        requests, folder, model=NAME, endpoint="/v1", most_bytes=1000, most_requests=limit
    )
    lines = [json.loads(line) for f in files for line in f.path.read_bytes().splitlines()]

    assert [line["body"]["messages"][0]["content"] for line in lines] == texts
    assert [row_of(line["custom_id"]) for line in lines] == list(range(len(texts)))
    assert all(f.size <= 1000 and f.rows <= limit for f in files)
    assert all(f.size == f.path.stat().st_size for f in files)


def test_what_cannot_be_a_batch_is_refused_before_anything_is_sent(
    clock: VirtualClock, tmp_path: Path
) -> None:
    """No inputs, a parameter of streams, an input above the limit of a file."""
    service = BatchService()
    with running(service, clock) as model:
        with pytest.raises(ValueError, match="no inputs"):
            model.batch([])
        with pytest.raises(ValueError, match="stream"):
            model.batch(["a"], stream=True)
    with pytest.raises(ValueError, match="input 0 takes"):
        write_files([{"messages": []}], tmp_path, model=NAME, endpoint="/v1", most_bytes=10)

    assert not service.files


def test_a_service_without_batches_is_named(clock: VirtualClock) -> None:
    """Nothing is uploaded, and the way out is told."""

    def bare(request: object) -> object:
        path = getattr(request, "path", "")
        return refused(404, "no such route") if "batches" in path else BatchService()(request)  # type: ignore[arg-type]

    with (
        running(bare, clock) as model,  # type: ignore[arg-type]
        pytest.raises(ProviderError, match=r"no Batch API.*map\(\)"),
    ):
        model.batch(["a"])


def test_the_asynchronous_faces_do_the_same(clock: VirtualClock, tmp_path: Path) -> None:
    """Submit, load, look, wait, read and cancel without blocking."""
    service = BatchService(page=1)

    async def every_face(model: CustomModel) -> list[object]:
        run = await model.batch_async(QUESTIONS, record=tmp_path / "run.json")
        loaded = await BatchRun.load_async(tmp_path / "run.json", provider=model.provider)
        found = await BatchRun.get_async(list(run.ids), provider=model.provider)
        await found.refresh_async()
        result = await loaded.wait_async()
        other = await (await model.batch_async(["b"])).cancel_async()
        read = await run.results_async()
        await model.provider.close_async()
        return [run.ids == loaded.ids == found.ids, result.texts, other.status, read.texts]

    with running(service, clock) as model:
        same, texts, status, read = asyncio.run(every_face(model))

    assert same
    assert texts == read == ["ONE", "TWO", None, "FOUR"]
    assert status == "cancelled"


def test_the_local_server_answers_a_batch_as_it_answers_one_by_one(
    server: LocalServer, tmp_path: Path
) -> None:
    """The whole way on a real service: upload, run, order, a refused row, usage, and the same again."""
    model = CustomModel("gpt-4o-2024-08-06", provider=server.provider, system="Be brief.")
    inputs: list[str | list[dict[str, object]]] = ["Hello", [{"role": "nobody"}], "Good bye"]

    run = model.batch(inputs, record=tmp_path / "run.json", temperature=0, max_tokens=5)
    result = BatchRun.load(tmp_path / "run.json", provider=server.provider).wait(
        timeout=60, poll_interval=0.05
    )

    assert result.texts[::2] == [
        model.ask(text, temperature=0, max_tokens=5) for text in ("Hello", "Good bye")
    ]
    assert list(result.errors) == [1]
    assert result.usage.calls == 2
    assert result.usd == 0
    assert model.batch(inputs, temperature=0, max_tokens=5).ids == run.ids
