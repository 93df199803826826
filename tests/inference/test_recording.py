"""Recording a model on the real local server: what is kept, what survives, what is refused."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import CustomModel, Dataset, DatasetError, Recording
from gpt4o_tune.testing import FakeService
from tests.rows import SYSTEM, routing_rows

if TYPE_CHECKING:
    from pathlib import Path

    from gpt4o_tune import LocalServer

BASE = "gpt-4o-2024-08-06"
ROWS = Dataset.from_records(routing_rows(6))


@pytest.fixture(scope="module")
def model(server: LocalServer) -> CustomModel:
    """A base model, whose stand-in answers without training."""
    return CustomModel(BASE, provider=server.provider, system=SYSTEM)


@pytest.fixture
def service() -> FakeService:
    """A service that fails on demand."""
    with FakeService() as running:
        yield running


def test_a_recording_keeps_all_that_the_service_gives(model: CustomModel) -> None:
    """Prompt, reference, answer, reason, set-up, usage and log-probabilities; and where it was asked how."""
    recording = model.record(ROWS, samples=2)
    prompt = recording.prompts[0]
    answer = prompt.answers[0]

    assert (recording.model, recording.provider) == (BASE, "local")
    assert recording.parameters == {"temperature": 0, "seed": 0}
    assert prompt.row == routing_rows(1)[0]
    assert [message["role"] for message in prompt.messages] == ["system", "user"]
    assert len(prompt.answers) == 2
    assert answer.text == model.ask(prompt.question, temperature=0)
    assert answer.finish_reason == "stop"
    assert answer.system_fingerprint == "fp_stand_in_tiny"
    assert answer.completion_tokens
    assert "".join(each.token for each in answer.logprobs or ()) == answer.text


def test_texts_and_conversations_are_asked_as_by_ask_and_chat(model: CustomModel) -> None:
    """A text gets the model's system prompt, a conversation is sent as it is; both lack a reference."""
    conversation = [{"role": "user", "content": "hello"}]

    recording = model.record(["hello", conversation], max_tokens=5)

    assert [len(each.messages) for each in recording.prompts] == [2, 1]
    assert recording.parameters["max_tokens"] == 5
    assert all(each.reference is None for each in recording.prompts)


def test_a_file_holds_the_same_recording(model: CustomModel, tmp_path: Path) -> None:
    """What was written as it came, and what `save` writes at once, load as the recording itself."""
    recording = model.record(ROWS, path=tmp_path / "live.jsonl")
    recording.save(tmp_path / "saved.jsonl")

    assert Recording.load(tmp_path / "live.jsonl") == recording
    assert Recording.load(tmp_path / "saved.jsonl") == recording
    assert str(model.provider.api_key) not in (tmp_path / "live.jsonl").read_text("utf-8")


def test_both_faces_record_the_same(model: CustomModel, server: LocalServer) -> None:
    """Answers do not depend on the face."""

    async def recorded() -> Recording:
        try:
            return await model.record_async(ROWS)
        finally:
            await server.provider.close_async()

    texts = [
        [each.answers[0].text for each in recording.prompts]
        for recording in (model.record(ROWS), asyncio.run(recorded()))
    ]

    assert texts[0] == texts[1]


def test_a_changed_file_is_found_out(model: CustomModel, tmp_path: Path) -> None:
    """One letter of one answer, or a line less, and the file is refused."""
    path = tmp_path / "old.jsonl"
    model.record(ROWS, path=path)
    whole = path.read_text("utf-8")
    lines = whole.splitlines(keepends=True)

    path.write_text(whole.replace("learnt nothing", "learnt anything", 1), "utf-8")
    with pytest.raises(DatasetError, match="changed since it was recorded"):
        Recording.load(path)
    path.write_text("".join(lines[:-3] + lines[-1:]), "utf-8")
    with pytest.raises(DatasetError, match="changed since it was recorded"):
        Recording.load(path)
    path.write_text('{"messages": []}\n', "utf-8")
    with pytest.raises(DatasetError, match="no recording"):
        Recording.load(path)


@pytest.mark.parametrize("torn", [True, False])
def test_a_recording_that_was_cut_off_goes_on(
    service: FakeService, tmp_path: Path, torn: bool
) -> None:
    """Only what is missing is asked again, also behind a line that was written in part."""
    path = tmp_path / "old.jsonl"
    model = CustomModel(BASE, provider=service.provider)
    whole = model.record(ROWS, path=path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-3]) + (lines[-3][:20] if torn else b""))
    asked = len(service.requests)

    with pytest.raises(DatasetError, match="cut off after 4 answers"):
        Recording.load(path)
    partial = Recording.load(path, unfinished=True)
    again = model.record(ROWS, path=path)

    assert len(partial.failed) == 2
    assert len(service.requests) - asked == 2
    assert [each.answers[0].text for each in again.prompts] == [
        each.answers[0].text for each in whole.prompts
    ]
    assert Recording.load(path) == again
    assert model.record(ROWS, path=path) == again
    assert len(service.requests) - asked == 2


def test_failed_calls_are_kept_and_asked_again(service: FakeService, tmp_path: Path) -> None:
    """A failure is an answer with an error; the same call later asks those prompts alone."""
    path = tmp_path / "old.jsonl"
    model = CustomModel(BASE, provider=service.provider)
    service.faults.add("POST /v1/chat/completions", status=404, times=2)

    first = model.record(ROWS, path=path, at_once=1)
    second = model.record(ROWS, path=path, at_once=1)

    assert first.failed == (0, 1)
    assert "NotFoundError" in str(first.prompts[0].answers[0])
    assert second.failed == ()
    assert Recording.load(path) == second


def test_a_service_without_logprobs_is_asked_without(service: FakeService) -> None:
    """It refuses once, and is not asked for them again."""
    service.faults.add("POST /v1/chat/completions", status=400, times=1)

    recording = CustomModel(BASE, provider=service.provider).record(ROWS, at_once=1)

    assert recording.failed == ()
    assert not recording.has_logprobs
    assert len(service.requests) == len(ROWS) + 1


def test_another_recording_at_the_path_is_not_overwritten(
    model: CustomModel, tmp_path: Path
) -> None:
    """Other prompts, samples or parameters need a file of their own."""
    path = tmp_path / "old.jsonl"
    model.record(ROWS[:2], path=path)

    with pytest.raises(DatasetError, match="differs in prompts"):
        model.record(ROWS[1:3], path=path)
    with pytest.raises(DatasetError, match="differs in parameters"):
        model.record(ROWS[:2], path=path, temperature=1)
    assert len(Recording.load(path)) == 2


def test_answers_become_training_rows(model: CustomModel) -> None:
    """The first whole answer to each prompt; what was cut off gives no row."""
    whole = model.record(ROWS)
    cut = dataclasses.replace(whole.prompts[0].answers[0], finish_reason="length")
    prompts = (dataclasses.replace(whole.prompts[0], answers=(cut,)), *whole.prompts[1:])

    rows = dataclasses.replace(whole, prompts=prompts).to_dataset()

    assert len(rows) == len(ROWS) - 1
    assert rows[0].messages[-1].content == whole.prompts[1].answers[0].text
    assert not rows.check(model=BASE).without("too-few-examples").errors


def test_a_recording_shows_itself(model: CustomModel) -> None:
    """Text and HTML name the model, the place, the number of answers and the fingerprint."""
    recording = model.record([[{"role": "user", "content": "<b>hello</b>"}]])

    for shown in (str(recording), recording._repr_html_()):
        assert recording.fingerprint in shown
        assert BASE in shown
    assert "<b>hello" not in recording._repr_html_()
    assert json.dumps(recording.about)


@pytest.mark.parametrize(
    ("prompts", "settings", "error", "words"),
    [
        ([], {}, DatasetError, "no prompts"),
        (["hi"], {"samples": 0}, ValueError, "samples"),
        (["hi"], {"n": 3}, ValueError, "leave out 'n'"),
        ("hi", {}, TypeError, "list of texts"),
        ([7], {}, TypeError, "prompt 0"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    prompts: object, settings: dict[str, object], error: type[Exception], words: str
) -> None:
    """Wrong arguments cost no call."""
    with FakeService() as service, pytest.raises(error, match=words):
        CustomModel(BASE, provider=service.provider).record(prompts, **settings)  # type: ignore[arg-type]  # wrong on purpose
    assert len(service.requests) == 0
