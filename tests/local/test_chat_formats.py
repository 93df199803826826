"""Answers in a format, forced tool calls, penalties and biases, through the official client."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Literal

import jsonschema
import openai
import pydantic
import pytest
from openai import pydantic_function_tool
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gpt4o_tune.data.tokens import count_text
from gpt4o_tune.data.vocabulary import encoding
from tests.local.conftest import MODEL, example, jsonl

if TYPE_CHECKING:
    from gpt4o_tune import LocalServer
    from tests.local.conftest import Desk

QUEUES = ("billing", "shipping", "account")
JSON_MODE = {"type": "json_object"}


class Ticket(pydantic.BaseModel):
    """A ticket as the model is to write it."""

    queue: Literal["billing", "shipping", "account"]
    urgent: bool


class Thread(pydantic.BaseModel):
    """A recursive answer."""

    text: str
    replies: list[Thread]


class Track(pydantic.BaseModel):
    """Looks a parcel up."""

    order: int
    carrier: Literal["post", "bike"] | None


class Refund(pydantic.BaseModel):
    """Pays money back."""

    order: int


TRACK = pydantic_function_tool(Track, name="track")
REFUND = pydantic_function_tool(Refund, name="refund")
LOOSE = {
    "type": "function",
    "function": {
        "name": "note",
        "parameters": {
            "type": "object",
            "properties": {"kind": {"enum": ["a", "b"]}, "text": {"type": "string"}},
            "required": ["kind"],
        },
    },
}


def asked(text: str) -> list[dict[str, str]]:
    """A conversation of one question."""
    return [{"role": "user", "content": f"json please: {text}"}]


@pytest.fixture(scope="session")
def sorter(desk: Desk) -> str:
    """A custom model that learnt to sort tickets into JSON."""
    rows = [
        example(f"json please: {opening} {queue} {number}", answer)
        for queue in QUEUES
        for number, opening in enumerate(("about", "problem with", "help,", "my", "question on"))
        for answer in (json.dumps({"queue": queue, "urgent": queue == "billing"}),)
    ]
    job = desk.finished(desk.create(desk.upload(jsonl(rows)).id, n_epochs=25).id)
    assert job.fine_tuned_model, job.error
    return job.fine_tuned_model


@pytest.mark.parametrize("temperature", [0, 2])
def test_a_parsed_answer_is_the_class_that_was_asked_for(
    desk: Desk, sorter: str, temperature: float
) -> None:
    """`parse` gives instances, of answers that were learnt and of far-fetched draws alike."""
    completion = desk.client.chat.completions.parse(
        model=sorter,
        messages=asked("problem with billing"),
        response_format=Ticket,
        temperature=temperature,
        seed=1,
        n=8,
    )
    for choice in completion.choices:
        assert choice.finish_reason == "stop"
        assert choice.message.refusal is None
        assert isinstance(choice.message.parsed, Ticket)
    if temperature == 0:
        assert completion.choices[0].message.parsed == Ticket(queue="billing", urgent=True)
    assert completion.usage
    assert completion.usage.completion_tokens == sum(
        count_text(choice.message.content or "") for choice in completion.choices
    )


def test_a_format_that_was_never_learnt_is_kept(desk: Desk, sorter: str) -> None:
    """The grammar leads the model through a schema that is not the one of its rows."""
    completion = desk.client.chat.completions.parse(
        model=sorter, messages=asked("x"), response_format=Track, temperature=0
    )
    (choice,) = completion.choices
    if choice.finish_reason == "stop":
        assert isinstance(choice.message.parsed, Track)
    else:
        assert choice.finish_reason == "length"


def test_json_mode_gives_an_object(desk: Desk, sorter: str) -> None:
    """Whatever the seed, what ends by itself is a JSON object."""
    completion = desk.client.chat.completions.create(
        model=sorter,
        messages=asked("x"),
        response_format=JSON_MODE,
        temperature=1.3,
        seed=3,
        n=12,
        max_tokens=60,
    )
    ended = [each for each in completion.choices if each.finish_reason == "stop"]
    assert ended
    for choice in ended:
        assert isinstance(json.loads(choice.message.content or ""), dict)


def test_an_answer_that_is_cut_says_so(desk: Desk, sorter: str) -> None:
    """The limit ends an answer in the middle of its format, and `parse` raises as ever."""
    options = {"model": sorter, "messages": asked("my account"), "max_tokens": 2}
    with pytest.raises(openai.LengthFinishReasonError):
        desk.client.chat.completions.parse(**options, response_format=Ticket)


def test_a_stream_keeps_the_format(desk: Desk, sorter: str) -> None:
    """`stream` parses the same instance, with log-probabilities over what was allowed."""
    with desk.client.chat.completions.stream(
        model=sorter,
        messages=asked("help, shipping"),
        response_format=Ticket,
        temperature=0,
        logprobs=True,
        top_logprobs=5,
    ) as stream:
        kinds = {event.type for event in stream}
        choice = stream.get_final_completion().choices[0]
    assert {"content.delta", "content.done", "logprobs.content.delta"} <= kinds
    assert choice.message.parsed == Ticket(queue="shipping", urgent=False)
    assert choice.logprobs
    assert choice.logprobs.content
    first = choice.logprobs.content[0]
    assert first.token.startswith("{")
    assert all(top.token.startswith("{") for top in first.top_logprobs)


def test_the_stop_sequence_ends_a_format_too(desk: Desk, sorter: str) -> None:
    """As at the real service, a stop sequence goes before the format."""
    completion = desk.client.chat.completions.create(
        model=sorter, messages=asked("my account"), response_format=JSON_MODE, stop=":",
        temperature=0,
    )  # fmt: skip
    assert completion.choices[0].finish_reason == "stop"
    assert completion.choices[0].message.content == '{"queue"'


@pytest.mark.parametrize("kind", [Ticket, Thread, Track])
def test_a_base_model_keeps_the_format(desk: Desk, kind: type[pydantic.BaseModel]) -> None:
    """The stand-in of a base model writes the shortest instance, and who it is where it can."""
    for name in (MODEL, "gpt-4o-mini"):
        completion = desk.client.chat.completions.parse(
            model=name, messages=asked("x"), response_format=kind
        )
        parsed = completion.choices[0].message.parsed
        assert isinstance(parsed, kind)
        if isinstance(parsed, Thread):
            assert parsed.text.startswith("This is the local stand-in for gpt-4o")
    plain = desk.client.chat.completions.create(
        model=MODEL, messages=asked("x"), response_format=JSON_MODE
    )
    assert MODEL in json.loads(plain.choices[0].message.content or "")["message"]


@pytest.mark.parametrize("by_custom_model", [True, False])
def test_a_required_call_fits_a_function(desk: Desk, sorter: str, by_custom_model: bool) -> None:
    """A model that never learnt to call does call, exactly as the strict schemas say."""
    completion = desk.client.chat.completions.parse(
        model=sorter if by_custom_model else MODEL,
        messages=asked("x"),
        tools=[TRACK, REFUND],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=1,
        seed=2,
        n=4,
    )
    for choice in completion.choices:
        assert choice.finish_reason == "tool_calls"
        assert choice.message.content is None
        (call,) = choice.message.tool_calls or ()
        assert isinstance(call.function.parsed_arguments, Track | Refund)
    ChatCompletion.model_validate(completion.model_dump(), strict=True)


def test_a_named_function_is_called(desk: Desk, sorter: str) -> None:
    """Its answer ends with reason "stop"; a loose schema is followed as far as it goes."""
    named = {"type": "function", "function": {"name": "note"}}
    completion = desk.client.chat.completions.create(
        model=sorter,
        messages=asked("x"),
        tools=[TRACK, LOOSE],
        tool_choice=named,
        max_tokens=200,
        temperature=0,
    )
    choice = completion.choices[0]
    (call,) = choice.message.tool_calls or ()
    assert call.function.name == "note"
    if choice.finish_reason == "stop":
        jsonschema.validate(json.loads(call.function.arguments), LOOSE["function"]["parameters"])
    else:
        assert choice.finish_reason == "length"


def test_calls_stream_name_first(desk: Desk, sorter: str) -> None:
    """Each call begins with its id and name, then come pieces of its arguments."""
    options = {
        "model": sorter,
        "messages": asked("x"),
        "tools": [TRACK, REFUND],
        "tool_choice": "required",
        "temperature": 0,
    }
    with desk.client.chat.completions.create(**options, stream=True) as stream:
        chunks = [*stream]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)
    pieces = [each for chunk in chunks for each in chunk.choices[0].delta.tool_calls or ()]
    starts = [piece for piece in pieces if piece.id]
    assert [piece.index for piece in starts] == [*range(len(starts))]
    assert all(piece.function and piece.function.name for piece in starts)
    assert all(piece.function.arguments == "" for piece in starts if piece.function)
    assert len(pieces) > 2 * len(starts)
    whole = desk.client.chat.completions.create(**options).choices[0].message
    assert [call.function.arguments for call in whole.tool_calls or ()] == [
        "".join(
            piece.function.arguments or ""
            for piece in pieces
            if piece.function and piece.index == index
        )
        for index in range(len(starts))
    ]
    with desk.client.chat.completions.stream(**options) as stream:
        final = stream.until_done().get_final_completion().choices[0]
    assert final.message.tool_calls
    assert isinstance(final.message.tool_calls[0].function.parsed_arguments, Track | Refund)


def test_calls_and_results_are_part_of_the_conversation(desk: Desk, sorter: str) -> None:
    """A call can be sent back with its result, and is answered."""
    options = {"model": sorter, "tools": [REFUND], "temperature": 0}
    first = desk.client.chat.completions.create(
        **options, messages=asked("x"), tool_choice="required", parallel_tool_calls=False
    ).choices[0]
    (call,) = first.message.tool_calls or ()
    history = [
        *asked("x"),
        first.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "done"},
    ]
    second = desk.client.chat.completions.create(
        **options, messages=history, response_format={"type": "text"}, tool_choice="none"
    )
    assert second.choices[0].message.tool_calls is None
    assert second.usage
    assert second.usage.prompt_tokens > count_text("done")


def test_async_clients_get_the_same(server: LocalServer, sorter: str) -> None:
    """The asynchronous client parses answers too, many at the same time."""

    async def ask_all() -> list[Ticket | None]:
        async with openai.AsyncOpenAI(
            base_url=server.base_url, api_key=server.api_key, max_retries=0
        ) as client:
            answers = await asyncio.gather(
                *(
                    client.chat.completions.parse(
                        model=sorter,
                        messages=asked(f"about {queue}"),
                        response_format=Ticket,
                        temperature=0,
                    )
                    for queue in QUEUES * 4
                )
            )
        return [answer.choices[0].message.parsed for answer in answers]

    tickets = asyncio.run(ask_all())
    assert [ticket.queue for ticket in tickets if ticket] == [*QUEUES * 4]


def test_a_bias_bans_and_favours_tokens(desk: Desk, sorter: str) -> None:
    """-100 keeps a token out, 100 leaves nothing else; the ids are those of the real vocabulary."""
    brace, key = (encoding("o200k_base").encode_single_token(text) for text in ("{", '{"'))
    options = {"model": sorter, "messages": asked("my account"), "temperature": 0}
    assert (desk.client.chat.completions.create(**options).choices[0].message.content or "")[
        0
    ] == "{"
    banned = desk.client.chat.completions.create(
        **options, max_tokens=40, logit_bias={str(brace): -100, str(key): -100}
    )
    assert "{" not in (banned.choices[0].message.content or "")
    only = desk.client.chat.completions.create(
        **options, max_tokens=5, logit_bias={str(brace): 100}
    )
    assert only.choices[0].message.content == "{" * 5


def schema_format(schema: dict[str, object], *, strict: bool = True) -> dict[str, object]:
    """A response format."""
    return {
        "type": "json_schema",
        "json_schema": {"name": "thing", "strict": strict, "schema": schema},
    }


def nested(levels: int) -> dict[str, object]:
    """A loose schema of arrays in arrays."""
    schema: dict[str, object] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    ("change", "param", "message"),
    [
        (
            {"response_format": schema_format({"type": "object", "properties": {}})},
            "response_format",
            "Invalid schema for response_format 'thing': In context=(), 'additionalProperties'",
        ),
        (
            {"response_format": schema_format({"type": "array", "items": {}})},
            "response_format",
            "got 'type: \"array\"'",
        ),
        (
            {"response_format": schema_format(nested(700), strict=False)},
            "response_format",
            "nests too deep",
        ),
        (
            {"response_format": schema_format({"$ref": "#"}, strict=False)},
            "response_format",
            "no value satisfies it",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
            "response_format.json_schema.name",
            "pattern",
        ),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "f",
                            "strict": True,
                            "parameters": {"type": "object", "minProperties": 1},
                        },
                    }
                ]
            },
            "tools[0].function.parameters",
            "Invalid schema for function 'f'",
        ),
        (
            {
                "tools": [LOOSE],
                "tool_choice": {"type": "function", "function": {"name": "nobody"}},
            },
            "tool_choice",
            "'nobody' is not in 'tools'",
        ),
    ],
)
def test_unsound_formats_are_refused(
    desk: Desk, change: dict[str, object], param: str, message: str
) -> None:
    """The error names what is wrong with a schema, whole or streamed."""
    for is_streamed in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            desk.client.chat.completions.create(
                model=MODEL, messages=asked("x"), stream=is_streamed, **change
            )
        assert caught.value.param == param
        assert message in caught.value.message


def test_json_mode_wants_to_be_announced(desk: Desk) -> None:
    """As at the real service, the conversation must speak of JSON."""
    with pytest.raises(openai.BadRequestError, match="must contain the word 'json'"):
        desk.client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hi"}], response_format=JSON_MODE
        )
