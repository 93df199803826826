"""Live calls become rows, and the caller never notices."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from gpt4o_tune import CallRecorder, CustomModel, Dataset, DatasetNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gpt4o_tune import LocalServer

MODEL = "gpt-4o-2024-08-06"
ASKED = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Where is it? ñ"}]
TOOLS = [{"type": "function", "function": {"name": "track", "parameters": {"type": "object"}}}]


@pytest.fixture
def client(server: LocalServer) -> Iterator[openai.OpenAI]:
    """The blocking face of the official client."""
    with openai.OpenAI(base_url=server.base_url, api_key=server.api_key, max_retries=0) as client:
        yield client


@pytest.fixture
def connect(server: LocalServer) -> Callable[[], openai.AsyncOpenAI]:
    """Makes the asynchronous face."""
    return lambda: openai.AsyncOpenAI(
        base_url=server.base_url, api_key=server.api_key, max_retries=0
    )


def rows(calls: CallRecorder | Path) -> list[dict[str, Any]]:
    """The recorded rows."""
    data = Dataset.from_calls(calls)
    return list(data.records()) if len(data) else []


def completion(**message: object) -> dict[str, Any]:
    """An answer as a function may return it."""
    reason = message.pop("finish_reason", "stop")
    return {"choices": [{"index": 0, "finish_reason": reason, "message": message}]}


# The official client at a real server


def test_a_wrapped_client_answers_as_before_and_records(client: openai.OpenAI) -> None:
    """The answer is the client's own object; the row is what was asked and answered, ready to train."""
    recorder = CallRecorder()
    watched = recorder.wrap(client)

    answer = watched.chat.completions.create(
        model=MODEL, messages=ASKED, tools=TOOLS, parallel_tool_calls=False, temperature=0
    )

    assert type(answer) is ChatCompletion
    said = answer.choices[0].message.content
    assert rows(recorder) == [
        {
            "messages": [*ASKED, {"role": "assistant", "content": said}],
            "tools": TOOLS,
            "parallel_tool_calls": False,
        }
    ]
    assert (recorder.recorded, recorder.skipped) == (1, ())
    report = Dataset.from_calls(recorder).check(model=MODEL)
    assert {problem.code for problem in report.problems} <= {"too-few-examples"}


def test_everything_else_passes_through(client: openai.OpenAI) -> None:
    """Other endpoints, attributes, options and `isinstance` are the client's."""
    recorder = CallRecorder()
    watched = recorder.wrap(client)

    assert isinstance(watched, openai.OpenAI)
    assert watched.base_url == client.base_url
    assert [model.id for model in watched.models.list()]
    raw = watched.chat.completions.with_raw_response.create(model=MODEL, messages=ASKED)
    assert raw.parse().choices
    assert recorder.recorded == 0
    watched.with_options(timeout=30).chat.completions.create(model=MODEL, messages=ASKED)
    watched.beta.chat.completions.parse(model=MODEL, messages=ASKED)
    assert recorder.recorded == 2
    watched.max_retries = 5
    assert client.max_retries == 5


def test_a_streamed_answer_is_put_together(client: openai.OpenAI) -> None:
    """The chunks reach the caller one by one, and together make the row."""
    recorder = CallRecorder()
    watched = recorder.wrap(client)

    with watched.chat.completions.create(model=MODEL, messages=ASKED, stream=True) as stream:
        assert isinstance(stream, openai.Stream)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert said
    assert rows(recorder) == [{"messages": [*ASKED, {"role": "assistant", "content": said}]}]


def test_the_streaming_helper_is_recorded_however_it_is_read(client: openai.OpenAI) -> None:
    """Events or only the final completion: the row is the same."""
    recorder = CallRecorder()
    watched = recorder.wrap(client)

    with watched.chat.completions.stream(model=MODEL, messages=ASKED) as stream:
        events = [event.type for event in stream]
    with watched.chat.completions.stream(model=MODEL, messages=ASKED) as stream:
        said = stream.get_final_completion().choices[0].message.content
    with watched.chat.completions.stream(model=MODEL, messages=ASKED):
        pass

    assert "content.done" in events
    row = {"messages": [*ASKED, {"role": "assistant", "content": said}]}
    assert rows(recorder) == [row, row]
    assert recorder.skip_counts == {"incomplete": 1}


def test_the_asynchronous_client_records_alike(
    client: openai.OpenAI, connect: Callable[[], openai.AsyncOpenAI]
) -> None:
    """All four ways to call give the same rows as the blocking client, many tasks at once."""
    recorder = CallRecorder()

    async def talk() -> None:
        async with recorder.wrap(connect()) as watched:
            completions = watched.chat.completions

            async def streamed() -> None:
                stream = await completions.create(model=MODEL, messages=ASKED, stream=True)
                assert [chunk async for chunk in stream]

            async def helped() -> None:
                async with completions.stream(model=MODEL, messages=ASKED) as stream:
                    assert await stream.get_final_completion()

            await asyncio.gather(
                completions.create(model=MODEL, messages=ASKED),
                completions.parse(model=MODEL, messages=ASKED),
                streamed(),
                helped(),
            )

    asyncio.run(talk())

    blocking = CallRecorder()
    blocking.wrap(client).chat.completions.create(model=MODEL, messages=ASKED)
    assert rows(recorder) == rows(blocking) * 4


def test_cut_answers_and_errors_are_listed_not_recorded(client: openai.OpenAI) -> None:
    """The caller gets its answer or its error; the list says why there is no row."""
    recorder = CallRecorder()
    completions = recorder.wrap(client).chat.completions

    cut = completions.create(model=MODEL, messages=ASKED, max_tokens=1)
    with pytest.raises(openai.NotFoundError):
        completions.create(model="nobody", messages=ASKED)
    with pytest.raises(openai.LengthFinishReasonError):
        completions.parse(model=MODEL, messages=ASKED, max_tokens=1)
    with completions.create(model=MODEL, messages=ASKED, stream=True) as stream:
        next(stream)

    assert cut.choices[0].finish_reason == "length"
    assert rows(recorder) == []
    assert [(skip.reason, skip.detail, skip.model) for skip in recorder.skipped] == [
        ("length", "", MODEL),
        ("error", "NotFoundError", "nobody"),
        ("length", "LengthFinishReasonError", MODEL),
        ("incomplete", "", MODEL),
    ]
    assert recorder.skip_counts == {"length": 2, "error": 1, "incomplete": 1}


def test_messages_that_can_be_read_once_still_reach_the_service(client: openai.OpenAI) -> None:
    """Recording does not use up the caller's iterator, nor follow what the caller does to a list later."""
    recorder = CallRecorder()
    watched = recorder.wrap(client)

    first = watched.chat.completions.create(model=MODEL, messages=iter(ASKED))
    talk: list[Any] = [{"role": "user", "content": "One"}]
    stream = watched.chat.completions.create(model=MODEL, messages=talk, stream=True)
    talk.append({"role": "user", "content": "Two"})
    assert list(stream)
    talk[1:] = [first.choices[0].message, {"role": "user", "content": "Three"}]
    watched.chat.completions.create(model=MODEL, messages=talk)

    said = {"role": "assistant", "content": first.choices[0].message.content}
    asked = [row["messages"][:-1] for row in rows(recorder)]
    assert asked == [ASKED, talk[:1], [talk[0], said, talk[2]]]


# Any function


def test_a_decorated_function_is_recorded() -> None:
    """Text or completion, by position or by name: the function keeps its name and gives the same."""
    recorder = CallRecorder()

    @recorder.record
    def ask(messages: list[dict[str, object]], **more: object) -> str:
        """Answer."""
        return f"You said {messages[-1]['content']}"

    @recorder.record
    async def ask_async(messages: list[dict[str, object]], tools: object = None) -> dict[str, Any]:
        call = {"id": "a", "type": "function", "function": {"name": "track", "arguments": "{}"}}
        return completion(content=None, tool_calls=[call], finish_reason="tool_calls")

    assert ask.__name__ == "ask"
    assert inspect.iscoroutinefunction(ask_async)
    assert ask(ASKED) == "You said Where is it? ñ"
    ask(messages=ASKED, parallel_tool_calls=True)
    asyncio.run(ask_async(ASKED, tools=TOOLS))

    answer = {"role": "assistant", "content": "You said Where is it? ñ"}
    called, plain = rows(recorder)[2], {"messages": [*ASKED, answer]}
    assert rows(recorder)[:2] == [plain, {**plain, "parallel_tool_calls": True}]
    assert called["tools"] == TOOLS
    assert called["messages"][-1]["tool_calls"][0]["function"] == {
        "name": "track",
        "arguments": "{}",
    }


def test_a_custom_model_is_recorded_by_its_methods(server: LocalServer) -> None:
    """Both faces of `CustomModel.chat` are functions that take messages."""
    model = CustomModel(MODEL, provider=server.provider)
    recorder = CallRecorder()

    said = recorder.record(model.chat)(ASKED).choices[0].message.content
    asyncio.run(recorder.record(model.chat_async)(ASKED))

    assert rows(recorder) == [{"messages": [*ASKED, {"role": "assistant", "content": said}]}] * 2


def test_a_function_without_messages_cannot_be_recorded() -> None:
    """The mistake shows where the decorator stands, not at the first call."""
    with pytest.raises(TypeError, match="has no parameter 'messages'"):
        CallRecorder().record(lambda text: text)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (completion(content="", finish_reason="stop"), "empty answer"),
        (completion(content="x", finish_reason="content_filter"), "content_filter"),
        (completion(content="x", finish_reason=None), "incomplete"),
        (completion(tool_calls=[{"id": "a", "type": "custom", "custom": {}}]), "custom tool"),
        ({"choices": []}, "no answer"),
        (None, "no answer"),
    ],
)
def test_an_answer_that_is_no_row_has_its_reason(answer: object, reason: str) -> None:
    """Nothing is recorded in part."""
    recorder = CallRecorder()

    @recorder.record
    def ask(messages: object) -> object:
        return answer

    assert ask(ASKED) is answer
    ask([])
    assert recorder.skip_counts == {reason: 1, "no messages": 1}


def test_a_refusal_becomes_the_answer() -> None:
    """Training has no field for refusals; the words are the same. Of several choices the first counts."""
    recorder = CallRecorder()
    refused = completion(content=None, refusal="I cannot help with that.")
    refused["choices"].append({**refused["choices"][0], "index": 1})

    recorder.record(lambda messages: refused)(ASKED)

    assert rows(recorder)[0]["messages"][-1] == {
        "role": "assistant",
        "content": "I cannot help with that.",
    }


def test_streamed_calls_are_joined_by_their_index() -> None:
    """Two calls that come in pieces, of two choices of which one is recorded."""
    pieces = [
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "track", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "id": "b", "function": {"name": "track", "arguments": "{"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"n": 1}'}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]},
    ]
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in pieces]
    chunks.append({"choices": [{"index": 1, "delta": {"content": "other"}}]})
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    recorder = CallRecorder()
    ask = recorder.record(lambda messages: iter(chunks))

    assert list(ask(ASKED)) == chunks

    answer = rows(recorder)[0]["messages"][-1]
    assert [(c["id"], c["function"]["arguments"]) for c in answer["tool_calls"]] == [
        ("a", '{"n": 1}'),
        ("b", "{}"),
    ]


# Hooks, sample, memory


def test_hooks_choose_and_redact() -> None:
    """`keep` sees the call, `transform` gives the row that is written."""
    recorder = CallRecorder(
        keep=lambda call: call.model == "mine" and call.finish_reason == "stop",
        transform=lambda row: json.loads(json.dumps(row).replace("Where", "[place]")),
    )
    ask = recorder.record(lambda messages, model: "Here.")

    ask(ASKED, model="mine")
    ask(ASKED, model="other")

    assert [row["messages"][1]["content"] for row in rows(recorder)] == ["[place] is it? ñ"]
    assert recorder.skip_counts == {"not kept": 1}


def test_a_broken_hook_never_reaches_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the answer; the log names the error and none of what was said."""

    def broken(row: dict[str, object]) -> dict[str, object]:
        raise RuntimeError(f"cannot redact {row}")

    recorder = CallRecorder(transform=broken)
    with caplog.at_level(logging.WARNING, logger="gpt4o_tune"):
        assert recorder.record(lambda messages: "Here.")(ASKED) == "Here."
        assert recorder.record(lambda messages: "Here.")([{1: object()}]) == "Here."

    assert [skip.detail for skip in recorder.skipped] == ["RuntimeError", "RuntimeError"]
    assert "RuntimeError" in caplog.text
    assert "Where is it" not in caplog.text


def test_a_sample_is_drawn_with_its_seed() -> None:
    """The same seed draws the same calls; about the share asked for."""
    drawn: list[list[str]] = []
    for seed in (3, 3, 4):
        recorder = CallRecorder(share=0.2, seed=seed)
        ask = recorder.record(lambda messages: "Yes.")
        for number in range(500):
            ask([{"role": "user", "content": str(number)}])
        drawn.append([row["messages"][0]["content"] for row in rows(recorder)])

    assert drawn[0] == drawn[1] != drawn[2]
    assert 60 < len(drawn[0]) < 140
    assert recorder.skip_counts == {}


def test_memory_is_bounded() -> None:
    """The oldest rows go first; the count goes on."""
    recorder = CallRecorder(most=3)
    ask = recorder.record(lambda messages: messages[0]["content"])
    for number in range(5):
        ask([{"role": "user", "content": str(number)}])

    assert [row["messages"][0]["content"] for row in rows(recorder)] == ["2", "3", "4"]
    assert recorder.recorded == 5


@pytest.mark.parametrize("wrong", [{"share": 1.5}, {"share": -0.1}, {"most": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    """Before the first call."""
    with pytest.raises(ValueError, match="must be"):
        CallRecorder(**wrong)


# The file


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    """Every row is there once, each on a line of its own, readable while the recorder runs."""
    path = tmp_path / "calls.jsonl"
    recorder = CallRecorder(path=path)
    ask = recorder.record(lambda messages: "Yes. " * 200)

    def work(name: str) -> None:
        for number in range(50):
            ask([{"role": "user", "content": f"{name}{number}"}])

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    asked = [row["messages"][0]["content"] for row in rows(recorder)]
    assert sorted(asked) == sorted(f"{name}{number}" for name in "abcd" for number in range(50))
    assert Dataset.from_jsonl(path) == Dataset.from_calls(recorder) == Dataset.from_calls(path)
    assert recorder.lines == ()


def test_a_torn_line_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After a crash in the middle of a line, reading and appending both go on behind it."""
    path = tmp_path / "calls.jsonl"
    with CallRecorder(path=path) as recorder:
        recorder.record(lambda messages: "One.")(ASKED)
    path.write_bytes(path.read_bytes() + b'{"messages": [{"role": "us')

    with caplog.at_level(logging.WARNING, logger="gpt4o_tune"):
        before = rows(path)
        with CallRecorder(path=path) as recorder:
            recorder.record(lambda messages: "Two.")(ASKED)
        after = rows(path)

    assert [row["messages"][-1]["content"] for row in before] == ["One."]
    assert [row["messages"][-1]["content"] for row in after] == ["One.", "Two."]
    assert "line 2" in caplog.text


def test_calls_after_closing_are_counted(tmp_path: Path) -> None:
    """A recorder that was closed loses rows, never answers."""
    recorder = CallRecorder(path=tmp_path / "calls.jsonl")
    recorder.close()

    assert recorder.record(lambda messages: "Yes.")(ASKED) == "Yes."
    assert recorder.skip_counts == {"not recorded": 1}


def test_a_file_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    """Both for writing and for reading."""
    with pytest.raises(DatasetNotFoundError, match="cannot be written"):
        CallRecorder(path=tmp_path / "none" / "calls.jsonl")
    with pytest.raises(DatasetNotFoundError, match="cannot be read"):
        Dataset.from_calls(tmp_path / "none.jsonl")
