"""Chat completions: answers of custom models and of the stand-ins of base models."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gpt4o_tune.data.tokens import count_text
from gpt4o_tune.local.answer_parts import CallArguments, CallStart, End, Text, read_parts
from gpt4o_tune.local.engines import GeneratedToken
from tests.local.conftest import MODEL, ROWS, jsonl

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune import LocalServer
    from tests.local.conftest import Desk

QUESTION = [{"role": "user", "content": "hello, track the parcel"}]


@pytest.fixture(scope="session")
def model(trained: FineTuningJob) -> str:
    """The custom model."""
    assert trained.fine_tuned_model
    return trained.fine_tuned_model


@pytest.fixture(scope="session")
def caller(desk: Desk) -> str:
    """A custom model that learnt to call a tool."""
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "track", "arguments": '{"order": 17}'},
    }
    tools = [{"type": "function", "function": {"name": "track", "parameters": {"type": "object"}}}]
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"track it, number {number}"},
                {"role": "assistant", "content": None, "tool_calls": [call]},
            ],
            "tools": tools,
        }
        for number in range(12)
    ]
    job = desk.finished(desk.create(desk.upload(jsonl(rows)).id, n_epochs=40).id)
    assert job.fine_tuned_model, job.error
    return job.fine_tuned_model


def test_the_custom_model_learnt_its_answers(desk: Desk, model: str) -> None:
    """Most of the questions that it was trained on get the answer that it was shown."""
    right = 0
    for row in ROWS:
        question, answer = (message["content"] for message in row["messages"])
        right += desk.answer(model, question) == answer
    assert right >= 0.8 * len(ROWS)


def test_an_answer_is_what_the_client_expects(desk: Desk, model: str) -> None:
    """The object passes openai's own model strictly, and the usage is counted by tokens."""
    raw = desk.client.chat.completions.with_raw_response.create(
        model=model, messages=QUESTION, temperature=0
    )
    completion = ChatCompletion.model_validate_json(raw.text, strict=True)
    assert raw.headers["x-gpt4o-tune-stand-in"] == "tiny"
    assert completion.model == model
    (choice,) = completion.choices
    assert choice.finish_reason == "stop"
    assert choice.message.content
    assert completion.usage
    assert completion.usage.completion_tokens == count_text(choice.message.content)
    assert completion.usage.prompt_tokens > count_text("hello, track the parcel")
    assert completion.usage.total_tokens == (
        completion.usage.prompt_tokens + completion.usage.completion_tokens
    )


def test_a_base_model_says_that_it_learnt_nothing(desk: Desk) -> None:
    """The stand-in of a base model is honest, under its alias as well."""
    sentence = (
        f"This is the local stand-in for {MODEL}. It has learnt nothing yet: "
        "fine-tune it, then ask the custom model."
    )
    for name in (MODEL, "gpt-4o"):
        completion = desk.client.chat.completions.create(model=name, messages=QUESTION)
        assert completion.model == MODEL
        assert completion.choices[0].message.content == sentence
        assert completion.choices[0].finish_reason == "stop"
        assert completion.usage
        assert completion.usage.completion_tokens == count_text(sentence)


@pytest.mark.parametrize("name", ["gpt-5-2025-08-07", "gpt-4o-2024-05-13", "nobody", "ft:x:y"])
def test_an_unknown_model_is_not_found(desk: Desk, name: str) -> None:
    """The error is the one of the real service."""
    with pytest.raises(openai.NotFoundError) as caught:
        desk.answer(name, "hello")
    assert caught.value.code == "model_not_found"


def test_a_stream_says_the_same_in_pieces(desk: Desk, model: str) -> None:
    """Role first, then the text, the reason last, the usage after it where asked."""
    options = {"model": model, "messages": QUESTION, "temperature": 0}
    whole = desk.client.chat.completions.create(**options)
    with desk.client.chat.completions.create(
        **options, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = [*stream]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)
    deltas = [chunk.choices[0].delta for chunk in chunks[:-1]]
    assert deltas[0].role == "assistant"
    text = "".join(delta.content or "" for delta in deltas)
    assert text == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert not chunks[-1].choices
    assert chunks[-1].usage == whole.usage
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    with desk.client.chat.completions.create(**options, stream=True) as stream:
        assert all(chunk.usage is None for chunk in stream)


def test_the_wire_format_of_a_stream(server: LocalServer) -> None:
    """Server-sent events, each a line of JSON, with the end mark."""
    body = {"model": MODEL, "messages": QUESTION, "stream": True}
    headers = {"authorization": f"Bearer {server.api_key}"}
    url = f"{server.base_url}/chat/completions"
    with httpx.stream("POST", url, json=body, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-gpt4o-tune-stand-in"] == "tiny"
        lines = [*response.iter_lines()]
    assert all(line.startswith("data: ") for line in lines[::2])
    assert not any(lines[1::2])
    assert lines[-2] == "data: [DONE]"


def test_a_client_that_leaves_does_no_harm(desk: Desk, model: str) -> None:
    """After a stream that was closed early the server answers as before."""
    for _ in range(5):
        stream = desk.client.chat.completions.create(model=model, messages=QUESTION, stream=True)
        next(stream)
        stream.close()
    assert desk.answer(model, "hello, track the parcel")


def test_a_stop_sequence_ends_the_answer(desk: Desk) -> None:
    """The sequence itself does not appear, in whole answers and in streams."""
    options = {"model": MODEL, "messages": QUESTION, "stop": [" nothing", "never"]}
    whole = desk.client.chat.completions.create(**options).choices[0]
    assert whole.message.content == f"This is the local stand-in for {MODEL}. It has learnt"
    assert whole.finish_reason == "stop"
    with desk.client.chat.completions.create(**options, stream=True) as stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == whole.message.content


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_cuts_the_answer(desk: Desk, name: str) -> None:
    """Both names of the limit work, and the reason says so."""
    completion = desk.client.chat.completions.create(model=MODEL, messages=QUESTION, **{name: 3})
    assert completion.choices[0].message.content == "This is the"
    assert completion.choices[0].finish_reason == "length"


def test_several_answers_are_numbered(desk: Desk, model: str) -> None:
    """`n` answers come, counted together in the usage."""
    options = {"model": model, "messages": QUESTION, "n": 3, "seed": 5, "temperature": 1.5}
    completion = desk.client.chat.completions.create(**options)
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert completion.usage
    assert completion.usage.completion_tokens == sum(
        count_text(choice.message.content or "") for choice in completion.choices
    )
    again = desk.client.chat.completions.create(**options)
    assert [choice.message.content for choice in again.choices] == [
        choice.message.content for choice in completion.choices
    ]


@pytest.mark.parametrize("seed", [-1, 0, -(2**63), 2**63 - 1])
def test_any_seed_repeats_its_answer(desk: Desk, model: str, seed: int) -> None:
    """Every 64-bit seed is good, negative ones included."""
    options = {"model": model, "messages": QUESTION, "seed": seed, "n": 2, "temperature": 2}
    answers = [desk.client.chat.completions.create(**options).choices for _ in range(2)]
    assert answers[0] == answers[1]


def test_log_probabilities_are_probabilities(desk: Desk, model: str) -> None:
    """Tokens join to the text; each is among the likeliest at temperature 0."""
    completion = desk.client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, logprobs=True, top_logprobs=5
    )
    choice = completion.choices[0]
    assert choice.logprobs
    assert choice.logprobs.content
    tokens = choice.logprobs.content
    assert "".join(token.token for token in tokens) == choice.message.content
    for token in tokens:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 5
        assert token.logprob == pytest.approx(token.top_logprobs[0].logprob)
        assert sum(math.exp(each.logprob) for each in token.top_logprobs) <= 1 + 1e-6
    plain = desk.client.chat.completions.create(model=model, messages=QUESTION)
    assert plain.choices[0].logprobs is None


def test_learnt_tool_calls_are_tool_calls(desk: Desk, caller: str) -> None:
    """What was learnt as a call comes as a call, whole and streamed, unless calls are unwanted."""
    options = {
        "model": caller,
        "messages": [{"role": "user", "content": "track it, number 3"}],
        "temperature": 0,
    }
    choice = desk.client.chat.completions.create(**options).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert choice.message.tool_calls
    (call,) = choice.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("track", '{"order": 17}')
    with desk.client.chat.completions.create(**options, stream=True) as stream:
        deltas = [chunk.choices[0].delta for chunk in stream]
    start, *rest = [each for delta in deltas for each in delta.tool_calls or ()]
    assert start.function
    assert (start.index, start.type, start.function.name) == (0, "function", "track")
    assert start.id
    assert start.function.arguments == ""
    assert "".join(piece.function.arguments for piece in rest) == call.function.arguments
    tools = [{"type": "function", "function": {"name": "track"}}]
    plain = desk.client.chat.completions.create(**options, tools=tools, tool_choice="none").choices[
        0
    ]
    assert plain.message.content == 'track {"order": 17}'


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**6}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"seed": 2**63}, "seed"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": ""}, "stop"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"response_format": {"type": "json_object"}}, "messages"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"frequency_penalty": 2.5}, "frequency_penalty"),
        ({"presence_penalty": -2.1}, "presence_penalty"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
        ({"logit_bias": {"word": 5}}, "logit_bias"),
        ({"logit_bias": {"99999999": 5}}, "logit_bias"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"tools": [], "tool_choice": "required"}, "tools"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"verbosity": "low"}, "verbosity"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"top_logprobs": 2}, None),
        ({"stream_options": {"include_usage": True}}, None),
        ({"extra_body": {"colour": "red"}}, "colour"),
    ],
)
def test_what_is_not_honoured_is_refused(
    desk: Desk, change: dict[str, object], param: str | None
) -> None:
    """No setting that would change the answer is silently dropped."""
    with pytest.raises(openai.BadRequestError) as caught:
        desk.client.chat.completions.create(**{"model": MODEL, "messages": QUESTION, **change})
    assert caught.value.param == param


def test_settings_that_agree_with_the_default_are_taken(desk: Desk) -> None:
    """Harmless settings of existing programs are no obstacle."""
    completion = desk.client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "developer", "content": "be kind"},
            {"role": "user", "content": [{"type": "text", "text": "hello"}], "name": "ann"},
        ],
        response_format={"type": "text"},
        frequency_penalty=0,
        presence_penalty=0,
        tool_choice="auto",
        user="u-1",
        metadata={"a": "b"},
        tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}],
    )
    assert completion.choices[0].message.content


def test_a_prompt_beyond_the_context_is_refused(desk: Desk) -> None:
    """The context window is the one of the model that the stand-in stands for."""
    with pytest.raises(openai.BadRequestError, match="128000 tokens") as caught:
        desk.answer(MODEL, " word" * 130_000)
    assert caught.value.code == "context_length_exceeded"


def generated(pieces: list[str]) -> list[GeneratedToken]:
    """Tokens of these texts and an end."""
    tokens = [GeneratedToken(piece, -0.5) for piece in pieces]
    return [*tokens, GeneratedToken("", 0.0, finish_reason="stop")]


@given(
    pieces=st.lists(st.text("ab", max_size=4), max_size=12),
    stops=st.lists(st.text("ab", min_size=1, max_size=4), max_size=3),
)
def test_stops_cut_at_the_earliest_place(pieces: list[str], stops: list[str]) -> None:
    """However the text is split into tokens, it ends before the first stop that is complete."""
    text = "".join(pieces)
    parts = [*read_parts(iter(generated(pieces)), stops=stops, calls="checked")]
    said = "".join(part.text for part in parts if isinstance(part, Text))
    assert isinstance(parts[-1], End)
    assert text.startswith(said)
    assert not any(stop in said for stop in stops)
    if any(stop in text for stop in stops):
        assert any(text.startswith(stop, len(said)) for stop in stops)
    else:
        assert said == text
        assert sum(len(part.tokens) for part in parts if isinstance(part, Text)) == len(pieces) + 1


@pytest.mark.parametrize("text", ["track {", "track [1]", "  \n", "{} {}x"])
def test_broken_tool_calls_stay_text(text: str) -> None:
    """A call whose arguments are no JSON object is given as the text that it is."""
    tokens = [GeneratedToken(text, -0.5, is_tool_call=True, finish_reason="stop")]
    parts = [*read_parts(iter(tokens), stops=(), calls="checked")]
    assert parts == [Text(text, tuple(tokens)), End("stop")]


def test_a_call_in_one_token_is_read() -> None:
    """A tool call needs no second token."""
    tokens = [GeneratedToken('f {"a": 1}', -0.5, is_tool_call=True, finish_reason="stop")]
    parts = [*read_parts(iter(tokens), stops=(), calls="checked")]
    assert parts == [CallStart("f"), CallArguments('{"a": 1}'), End("tool_calls")]
