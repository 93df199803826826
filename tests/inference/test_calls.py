"""`CustomModel` beyond plain asking: answers in a format, usage, waiting for a fresh model, a fallback."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import openai
import pydantic
import pydantic.dataclasses
import pytest

from gpt4o_tune import CustomModel, ModelNotReadyError, Provider, Usage
from tests.faults import FaultyProxy, Rule
from tests.inference.test_map import BASE, TUNED, asked_of, completion, echo, model_at
from tests.providers.stub import Answer, Request, StubServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpt4o_tune import LocalServer
    from tests.conftest import VirtualClock

CHAT = "/chat/completions"


class Ticket(pydantic.BaseModel):
    """What an answer is parsed into."""

    topic: str
    urgent: bool = False


@pydantic.dataclasses.dataclass
class Parcel:
    """The same as a dataclass."""

    number: int


def saying(text: str | None, **message: Any) -> Callable[[Request], Answer]:
    """A service that always gives the same answer."""
    return lambda request: Answer(completion(text, **message))


def test_parse_returns_an_instance_and_sends_a_strict_schema() -> None:
    """The pydantic model goes out as JSON schema; all fields are required, none may be added."""
    with StubServer(saying('{"topic": "delivery", "urgent": true}')) as stub:
        model = model_at(f"{stub.url}/v1", system="Sort it.")
        ticket = model.parse("My parcel!", response_format=Ticket, temperature=0)
        body = stub.requests[0].body

    assert ticket == Ticket(topic="delivery", urgent=True)
    sent = body["response_format"]["json_schema"]
    assert sent["strict"] is True
    assert sent["schema"]["required"] == ["topic", "urgent"]
    assert sent["schema"]["additionalProperties"] is False
    assert body["messages"][0]["content"] == "Sort it."
    assert body["temperature"] == 0
    assert model.usage.calls == 1


def test_parse_takes_dataclasses_and_conversations_on_both_faces() -> None:
    """The asynchronous face gives the same."""
    conversation = [{"role": "user", "content": "Which number?"}]

    with StubServer(saying('{"number": 7}')) as stub:
        model = model_at(f"{stub.url}/v1")

        async def suspended() -> Parcel:
            parcel = await model.parse_async(conversation, response_format=Parcel)
            await model.provider.close_async()
            return parcel

        assert model.parse(conversation, response_format=Parcel) == Parcel(7)
        assert asyncio.run(suspended()) == Parcel(7)
        assert stub.requests[0].body["messages"] == conversation


@pytest.mark.parametrize(
    ("text", "message", "error", "words"),
    [
        (None, {"refusal": "I will not."}, ValueError, "refused: I will not"),
        ('{"topic": ', {"finish": "length"}, openai.LengthFinishReasonError, "length"),
        ("", {"finish": "content_filter"}, openai.ContentFilterFinishReasonError, "filter"),
        ("no JSON at all", {}, ValueError, "JSON"),
    ],
)
def test_what_cannot_be_parsed_says_why(
    text: str | None, message: dict[str, Any], error: type[Exception], words: str
) -> None:
    """A refusal, a cut answer, a filtered one and free text are each an error of their own, sent once."""
    with StubServer(saying(text, **message)) as stub:
        with pytest.raises(error, match=words):
            model_at(f"{stub.url}/v1").parse("Hi", response_format=Ticket)
        assert len(stub.requests) == 1


def test_tools_and_images_pass_through() -> None:
    """What the chat endpoint takes is sent as it is, and tool calls come back in the completion."""
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    asked = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]

    with StubServer(saying(None, finish="tool_calls", tool_calls=[call])) as stub:
        answer = model_at(f"{stub.url}/v1").chat(asked, tools=tools, tool_choice="required")
        body = stub.requests[0].body

    assert answer.choices[0].message.tool_calls[0].function.name == "look"  # type: ignore[index, union-attr]  # there is one
    assert (body["messages"], body["tools"], body["tool_choice"]) == (asked, tools, "required")


def test_every_way_of_asking_is_counted(server: LocalServer) -> None:
    """Ask, chat, stream and map add up in one total; on own hardware it is free."""
    model = CustomModel(BASE, provider=server.provider)
    model.ask("one", max_tokens=2)
    model.chat([{"role": "user", "content": "two"}], max_tokens=2)
    assert list(model.stream("three", max_tokens=2))
    model.map(["four", "five"], max_tokens=2)

    assert model.usage.calls == 5
    assert model.usage.prompt_tokens > 5
    assert model.usage.completion_tokens > 0
    assert model.usage.usd == 0
    assert "Own hardware" in str(model.usage)
    assert json.dumps(model.usage.to_dict())


def test_usage_adds_up_and_an_unknown_price_stays_unknown() -> None:
    """A total with one unpriced call is no price at all."""
    known = Usage(calls=1, prompt_tokens=10, usd=0.5, basis="List.")
    unknown = Usage(calls=1, completion_tokens=3, usd=None, basis="No price.")

    total = known + unknown + known

    assert (total.calls, total.prompt_tokens, total.completion_tokens) == (3, 20, 3)
    assert total.usd is None
    assert total.basis == "List. No price."
    assert "no price known" in total._repr_html_()


def test_waiting_until_a_fresh_model_answers(server: LocalServer, clock: VirtualClock) -> None:
    """404s of the first minutes are waited out; where they last, the error names the model."""
    with FaultyProxy(server.base_url) as proxy:
        proxy.rules.append(Rule("POST", CHAT, ["404", "404", "404"]))
        behind = replace(server.provider, base_url=proxy.base_url, clock=clock)
        CustomModel(BASE, provider=behind).wait_until_ready(timeout=60)
        assert proxy.count("POST", CHAT) == 4

        proxy.rules.append(Rule("POST", CHAT, ["404"] * 50))
        with pytest.raises(ModelNotReadyError, match=r"does not answer after 20 s") as late:
            CustomModel(BASE, provider=behind).wait_until_ready(timeout=20)
    assert late.value.model == BASE


def test_the_asynchronous_wait_gives_the_same(server: LocalServer) -> None:
    """As the blocking one."""

    async def suspended() -> None:
        await CustomModel(BASE, provider=server.provider).wait_until_ready_async(timeout=5)
        await server.provider.close_async()

    asyncio.run(suspended())


@pytest.mark.parametrize("status", [404, 500])
def test_a_fallback_answers_and_says_so(
    status: int, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """While the model is absent the fallback answers, warns once, and is flagged; then it steps back."""
    is_absent = True

    def application(request: Request) -> Answer:
        if is_absent and request.body["model"] == TUNED:
            return Answer({"error": {"message": "gone"}}, status=status)
        return echo(request)

    with StubServer(application) as stub:
        model = model_at(f"{stub.url}/v1", clock=clock, fallback=BASE)
        first = model.chat([{"role": "user", "content": "a"}])
        assert model.ask("b") == "b"
        asked_for = len(stub.sent("POST", CHAT))
        result = model.map(["c", "d"])
        assert len(stub.sent("POST", CHAT)) == asked_for + 2  # the absent one is left alone
        is_absent = False
        clock.sleep(61)
        last = model.chat([{"role": "user", "content": "e"}])

    assert (first.model, last.model) == (BASE, TUNED)
    assert model.fell_back
    assert result.texts == ["c", "d"]
    assert [answer.is_fallback for answer in result] == [True, True]
    assert {answer.model for answer in result} == {BASE}
    assert "2 answers by the fallback model" in str(result)
    assert caplog.text.count("answers in its place") == 1


def test_map_falls_back_row_by_row(clock: VirtualClock, caplog: pytest.LogCaptureFixture) -> None:
    """Calls under way when the model goes away are asked again of the fallback, each once."""
    with StubServer(
        lambda request: (
            Answer({"error": {"message": "gone"}}, 404)
            if request.body["model"] == TUNED and asked_of(request) != "a"
            else echo(request)
        )
    ) as stub:
        model = model_at(f"{stub.url}/v1", clock=clock, fallback=BASE)
        result = model.map(["a", "b", "c"], at_once=1)

    assert result.texts == ["a", "b", "c"]
    assert [answer.is_fallback for answer in result] == [False, True, True]
    assert len(stub.requests) == 4
    assert caplog.text.count("answers in its place") == 1


def test_without_a_fallback_the_error_stays() -> None:
    """Nothing is ever answered by another model that was not named; nor is a bad request."""
    with StubServer(lambda request: Answer({"error": {"message": "no"}}, 400)) as stub:
        with pytest.raises(openai.BadRequestError):
            model_at(f"{stub.url}/v1", fallback=BASE).ask("a")
        assert len(stub.requests) == 1
    with StubServer(lambda request: Answer({"error": {"message": "no"}}, 404)) as stub:
        model = model_at(f"{stub.url}/v1")
        with pytest.raises(openai.NotFoundError):
            model.ask("a")
        assert not model.fell_back


def test_a_fresh_key_is_fetched_for_every_call() -> None:
    """A function in place of a key is asked each time, by `map` as by `ask`."""
    keys = iter(f"token-{number}" for number in range(10))
    with StubServer(echo) as stub:
        provider = Provider(kind="azure", base_url=f"{stub.url}/v1", api_key=lambda: next(keys))
        CustomModel(TUNED, provider=provider).map(["a", "b", "c"], at_once=1)

    assert [request.headers["authorization"] for request in stub.requests] == [
        f"Bearer token-{number}" for number in range(3)
    ]
