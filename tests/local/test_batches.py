"""Batches: requests from a file that really are answered, each of them once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import TYPE_CHECKING

import openai
import pytest
import tenacity
from openai.types import Batch
from openai.types.chat import ChatCompletion

from gpt4o_tune import LocalServer
from gpt4o_tune.local.answering import Answering
from gpt4o_tune.local.batches.run import BatchRun
from gpt4o_tune.local.stand_in import ENGINE
from gpt4o_tune.local.store import Store
from tests.local.conftest import MODEL, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from openai.types.fine_tuning import FineTuningJob

    from tests.local.conftest import Desk

ENDPOINT = "/v1/chat/completions"
ENDS = {"completed", "failed", "expired", "cancelled"}


def line(custom_id: str, question: str = "where is my parcel", **body: object) -> dict[str, object]:
    """One request of a batch."""
    messages = [{"role": "user", "content": question}]
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": ENDPOINT,
        "body": {"model": MODEL, "messages": messages, **body},
    }


def submit(desk: Desk, content: bytes, **options: object) -> Batch:
    """Upload requests and create a batch of them."""
    file = desk.client.files.create(file=("requests.jsonl", content), purpose="batch")
    settings = {"endpoint": ENDPOINT, "completion_window": "24h", **options}
    return desk.client.batches.create(input_file_id=file.id, **settings)


def until(is_there: Callable[[Batch], bool]) -> tenacity.Retrying:
    """Look until something holds; not too often, for the worker has the lower priority."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda batch: not is_there(batch)),
        wait=tenacity.wait_fixed(0.05),
        stop=tenacity.stop_after_delay(90),
    )


def has_ended(batch: Batch) -> bool:
    """Whether a batch is in a final state."""
    return batch.status in ENDS


def ended(desk: Desk, batch_id: str) -> Batch:
    """Look at a batch until it is in a final state."""
    return until(has_ended)(desk.client.batches.retrieve, batch_id)


def answered(desk: Desk, batch_id: str, count: int) -> Batch:
    """Look at a batch until so many requests are answered."""
    look = until(lambda batch: batch.request_counts.completed >= count)
    return look(desk.client.batches.retrieve, batch_id)


def results(desk: Desk, file_id: str | None) -> list[dict[str, object]]:
    """The lines of a file of results."""
    assert file_id
    text = desk.client.files.content(file_id).text
    return [json.loads(written) for written in text.splitlines()]


def test_a_batch_answers_as_the_chat_does(desk: Desk, trained: FineTuningJob) -> None:
    """Answers and refusals land in their files, in order, counted, and as openai's models read them."""
    model = trained.fine_tuned_model
    questions = ["where is my parcel", "I want a refund", "cannot log in"]
    sound = [
        line(f"q{number}", text, model=model, temperature=0)
        for number, text in enumerate(questions)
    ]
    refused = [
        line("cold", model=model, temperature=-1),
        line("stream", model=model, stream=True),
        line("format", model=model, response_format={"type": "no such thing"}),
    ]
    content = jsonl([sound[0], refused[0], *sound[1:], *refused[1:]])
    content = content.replace(b"\n", b"\n\n", 1)
    anchor = {"anchor": "created_at", "seconds": 3_600}
    created = submit(desk, content, metadata={"team": "support"}, output_expires_after=anchor)
    assert created.status == "validating"
    assert ended(desk, created.id).status == "completed"

    raw = desk.client.batches.with_raw_response.retrieve(created.id).text
    batch = Batch.model_validate_json(raw, strict=True)
    assert batch.request_counts
    assert batch.request_counts.model_dump() == {"total": 6, "completed": 3, "failed": 3}
    assert (batch.model, batch.metadata) == (model, {"team": "support"})
    assert batch.in_progress_at
    assert batch.finalizing_at
    assert batch.completed_at
    output = results(desk, batch.output_file_id)
    assert [each["custom_id"] for each in output] == ["q0", "q1", "q2"]
    completions = []
    for each in output:
        assert each["error"] is None
        assert each["response"]["status_code"] == 200
        assert each["response"]["request_id"]
        completions.append(ChatCompletion.model_validate(each["response"]["body"], strict=True))
    answers = [each.choices[0].message.content for each in completions]
    assert answers == [desk.answer(model, text) for text in questions]
    assert batch.usage
    assert batch.usage.total_tokens == sum(each.usage.total_tokens for each in completions)
    errors = results(desk, batch.error_file_id)
    assert [each["custom_id"] for each in errors] == ["cold", "stream", "format"]
    for each in errors:
        assert each["response"]["status_code"] == 400
        assert each["response"]["body"]["error"]["type"] == "invalid_request_error"
    file = desk.client.files.retrieve(batch.output_file_id)
    assert file.purpose == "batch_output"
    assert file.expires_at == file.created_at + 3_600


@pytest.mark.parametrize(
    ("lines", "code", "number"),
    [
        ([b"{}", b""], "invalid_custom_id", 1),
        ([b"not json"], "invalid_json_line", 1),
        ([b'"text"'], "invalid_json_line", 1),
        ([b'{"a": NaN}'], "invalid_json_line", 1),
        ([json.dumps(line("a")).encode() + b" " * (16 << 20)], "line_too_long", 1),
        ([b'{"custom_id": "\\ud800"}'], "invalid_json_line", 1),
        ([line("a"), line("a")], "duplicate_custom_id", 2),
        ([line("a"), b"", line("b", model="gpt-4o-mini")], "mismatched_model", 3),
        ([{**line("a"), "url": "/v1/embeddings"}], "invalid_url", 1),
        ([{**line("a"), "method": "GET"}], "invalid_method", 1),
        ([{**line("a"), "body": None}], "invalid_body", 1),
        ([{**line("a"), "body": {}}], "missing_model", 1),
        ([b"\n", b" \t"], "empty_file", None),
        ([line(str(number)) for number in range(50_001)], "too_many_requests", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unsound_file_fails_the_whole_batch(
    tmp_path: Path, lines: Sequence[object], code: str, number: int | None
) -> None:
    """Nothing is answered, and the fault names its line."""
    store, batch_id = held(tmp_path, lines)
    run_all(store, batch_id)
    batch = store.batches.get(batch_id)
    assert (batch.status, batch.total, batch.output_file_id) == ("failed", 0, None)
    assert (batch.faults[0].code, batch.faults[0].line) == (code, number)
    assert not (tmp_path / "batches" / batch_id).exists()
    store.close()


def test_a_failed_batch_shows_its_faults(desk: Desk) -> None:
    """`errors.data` has a fault for each line, up to a hundred."""
    batch = ended(desk, submit(desk, b"[]\n" * 150).id)
    assert (batch.status, bool(batch.failed_at)) == ("failed", True)
    assert batch.errors
    assert batch.errors.data
    assert [fault.line for fault in batch.errors.data] == [*range(1, 101)]
    assert batch.output_file_id is None


def test_what_cannot_be_a_batch_is_refused(desk: Desk) -> None:
    """The endpoint, the purpose of the file, the window and the metadata are looked at."""
    create = desk.client.batches.create
    file = desk.client.files.create(file=("a.jsonl", jsonl([line("a")])), purpose="batch")
    other = desk.client.files.create(file=("a.jsonl", jsonl([line("a")])), purpose="user_data")
    sound = {"input_file_id": file.id, "endpoint": ENDPOINT, "completion_window": "24h"}
    for wrong, message in [
        ({"endpoint": "/v1/embeddings"}, "chat/completions only"),
        ({"input_file_id": other.id}, "purpose 'batch'"),
        ({"input_file_id": "file-unknown"}, "No such File"),
        ({"completion_window": "1h"}, "24h"),
        ({"metadata": {"k": "v" * 600}}, "512"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "3600"),
    ]:
        with pytest.raises(openai.BadRequestError, match=message):
            create(**{**sound, **wrong})
    for call in (desk.client.batches.retrieve, desk.client.batches.cancel):
        with pytest.raises(openai.NotFoundError):
            call("batch_unknown")
    with pytest.raises(openai.BadRequestError):
        desk.client.batches.list(after="batch_unknown")


def test_batches_are_listed_newest_first(desk: Desk) -> None:
    """Pages cover each batch once."""
    made = [submit(desk, b"").id for _ in range(3)]
    listed = [batch.id for batch in desk.client.batches.list(limit=2)]
    assert listed[:3] == made[::-1]
    assert len({*listed}) == len(listed)
    assert ended(desk, made[-1]).status == "failed"


def test_a_cancelled_batch_keeps_what_is_done(desk: Desk, trained: FineTuningJob) -> None:
    """The file of results has what was answered until then; a second cancellation changes nothing."""
    model = trained.fine_tuned_model
    content = jsonl([line(f"q{number}", model=model) for number in range(3_000)])
    batch_id = submit(desk, content).id
    answered(desk, batch_id, 5)
    assert desk.client.batches.cancel(batch_id).status == "cancelling"
    batch = ended(desk, batch_id)
    assert batch.status == "cancelled"
    assert batch.cancelled_at
    done = results(desk, batch.output_file_id)
    assert 5 <= len(done) == batch.request_counts.completed < 3_000
    assert [each["custom_id"] for each in done] == [f"q{number}" for number in range(len(done))]
    assert desk.client.batches.cancel(batch_id).status == "cancelled"
    finished = ended(desk, submit(desk, b"").id)
    with pytest.raises(openai.BadRequestError, match="is failed"):
        desk.client.batches.cancel(finished.id)


def held(folder: Path, lines: Sequence[object], *, expires_at: int = 2**40) -> tuple[Store, str]:
    """A batch in a store of its own that no server works on."""
    from gpt4o_tune.local.store.records import BatchRecord

    store = Store(folder)
    batch = BatchRecord(
        id="batch_x", created_at=1, expires_at=expires_at, endpoint=ENDPOINT, input_file_id="file-x"
    )
    written = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines]
    (store.batch_dir(batch.id) / "input.jsonl").write_bytes(b"\n".join(written))
    store.batches.add(batch)
    return store, batch.id


def run_all(store: Store, batch_id: str) -> int:
    """Work on a batch to its end, and count the requests it took."""
    return len([*BatchRun(store, batch_id, Answering(store, engine=ENGINE)).steps()])


def test_an_expired_batch_says_what_it_did_not_answer(tmp_path: Path) -> None:
    """What was answered in time stands in one file, the rest in the other with the reason."""
    store, batch_id = held(tmp_path, [line(str(number)) for number in range(4)])
    steps = BatchRun(store, batch_id, Answering(store, engine=ENGINE)).steps()
    next(steps)
    next(steps)
    steps.close()
    with store.batches.editing(batch_id) as edit:
        edit.change(expires_at=1)
    assert run_all(store, batch_id) == 2
    batch = store.batches.get(batch_id)
    assert (batch.status, batch.completed, batch.failed) == ("expired", 2, 2)
    assert batch.expired_at
    assert batch.error_file_id
    late = [
        json.loads(each) for each in store.files.path(batch.error_file_id).read_text().splitlines()
    ]
    assert [each["custom_id"] for each in late] == ["2", "3"]
    assert {each["error"]["code"] for each in late} == {"batch_expired"}
    store.close()


def test_a_batch_that_was_cut_off_answers_nothing_twice(tmp_path: Path) -> None:
    """Wherever a run stops, the next begins with the first request that has no result."""
    store, batch_id = held(tmp_path, [line(str(number)) for number in range(6)])
    steps = BatchRun(store, batch_id, Answering(store, engine=ENGINE)).steps()
    for _ in range(4):
        next(steps)
    steps.close()
    first = [*store.batches.results(batch_id, is_error=False)]
    assert run_all(store, batch_id) == 2
    batch = store.batches.get(batch_id)
    assert batch.output_file_id
    written = store.files.path(batch.output_file_id).read_text().splitlines()
    assert written[:4] == first
    assert [json.loads(each)["custom_id"] for each in written] == [*"012345"]
    assert [*store.batches.results(batch_id, is_error=False)] == []
    assert run_all(store, batch_id) == 0
    store.close()


def test_the_worker_yields_and_is_replaced(desk: Desk, tmp_path: Path) -> None:
    """It runs at a lower priority than the server, and a new one goes on where it was killed."""
    with (
        LocalServer(tmp_path) as server,
        openai.OpenAI(base_url=server.base_url, api_key=server.api_key) as client,
    ):
        desk = type(desk)(client)
        batch_id = submit(desk, jsonl([line(str(number)) for number in range(400)])).id
        answered(desk, batch_id, 3)
        worker = int((tmp_path / "batches" / batch_id / "lock").read_text())
        assert os.getpriority(os.PRIO_PROCESS, worker) > os.getpriority(os.PRIO_PROCESS, 0)
        os.kill(worker, signal.SIGKILL)
        batch = ended(desk, batch_id)
        assert batch.status == "completed"
        done = [each["custom_id"] for each in results(desk, batch.output_file_id)]
        assert done == [str(number) for number in range(400)]


def test_a_batch_whose_worker_keeps_dying_fails_with_what_it_has(
    desk: Desk, tmp_path: Path
) -> None:
    """After the fourth death nothing more is tried; the results so far are in the output file."""
    with (
        LocalServer(tmp_path) as server,
        openai.OpenAI(base_url=server.base_url, api_key=server.api_key) as client,
    ):
        desk = type(desk)(client)
        batch_id = submit(desk, jsonl([line(str(number)) for number in range(3_000)])).id
        answered(desk, batch_id, 1)
        killed: set[int] = set()

        def kill_and_look() -> Batch:
            with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
                worker = int((tmp_path / "batches" / batch_id / "lock").read_text())
                if worker not in killed:
                    os.kill(worker, signal.SIGKILL)
                    killed.add(worker)
            return desk.client.batches.retrieve(batch_id)

        batch = until(has_ended)(kill_and_look)
        assert (batch.status, len(killed)) == ("failed", 4)
        assert batch.errors
        assert batch.errors.data
        assert batch.errors.data[0].code == "server_error"
        assert "worker.log" in batch.errors.data[0].message
        done = [each["custom_id"] for each in results(desk, batch.output_file_id)]
        assert done == [*map(str, range(batch.request_counts.completed))]
