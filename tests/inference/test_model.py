"""`CustomModel` on the real local server: ask, chat, stream and compare, on both faces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import CustomModel, Dataset, DatasetError, FineTuneJob
from gpt4o_tune.testing import FakeService
from tests.rows import SYSTEM, TOPICS, routing_rows, row

if TYPE_CHECKING:
    from gpt4o_tune import LocalServer
    from tests.conftest import VirtualClock

BASE = "gpt-4o-2024-08-06"
UNSEEN = Dataset.from_records(
    row(f"Could you look at this, {text}?", label)
    for label, texts in TOPICS.items()
    for text in texts
)


@pytest.fixture(scope="session")
def model(server: LocalServer) -> CustomModel:
    """A model that has learnt to route fifty-four short messages."""
    job = FineTuneJob.create(
        Dataset.from_records(routing_rows()),
        provider=server.provider,
        suffix="router",
        hyperparameters={"n_epochs": 20, "batch_size": 8},
    )
    return job.wait(timeout=180)


def test_ask_answers_with_the_training_prompt_applied(model: CustomModel) -> None:
    """The system prompt of the training rows is sent unless the caller says otherwise."""
    assert model.system == SYSTEM
    assert model.ask("Hello, I was charged twice", temperature=0) == "billing"
    assert model.ask("Hello, I was charged twice", system="", temperature=0)


def test_chat_returns_the_whole_completion(model: CustomModel) -> None:
    """Usage, finish reason and model name are the service's own."""
    completion = model.chat(
        [{"role": "user", "content": "Hi there, reset my password"}], temperature=0, max_tokens=20
    )

    assert completion.model == model.name
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.completion_tokens > 0


def test_a_stream_adds_up_to_the_answer(model: CustomModel) -> None:
    """Pieces in order make the same text as `ask`, from a message or a conversation."""
    text = "Good morning, my parcel never came"
    whole = model.ask(text, temperature=0)
    conversation = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]

    assert "".join(model.stream(text, temperature=0)) == whole
    assert "".join(model.stream(conversation, temperature=0)) == whole


def test_the_asynchronous_faces_give_the_same(model: CustomModel, server: LocalServer) -> None:
    """Ask, chat, stream and compare without blocking."""
    text = "Quick one: the invoice is wrong"

    async def every_face() -> list[object]:
        pieces = [piece async for piece in model.stream_async(text, temperature=0)]
        completion = await model.chat_async([{"role": "user", "content": text}], temperature=0)
        found = [
            await model.ask_async(text, temperature=0),
            "".join(pieces),
            completion.choices[0].message.content,
            (await model.compare_async(UNSEEN, against=BASE)).to_dict()["differences"],
        ]
        await server.provider.close_async()
        return found

    asked, streamed, chatted, differences = asyncio.run(every_face())

    assert asked == streamed == model.ask(text, temperature=0)
    assert (
        chatted
        == model.chat([{"role": "user", "content": text}], temperature=0).choices[0].message.content
    )
    assert differences == model.compare(UNSEEN, against=BASE).to_dict()["differences"]


def test_compare_says_which_is_better(model: CustomModel) -> None:
    """Same rows for both, an interval each, and a paired difference that excludes zero."""
    comparison = model.compare(UNSEEN, against=BASE)

    assert comparison.baseline == BASE
    assert comparison.candidates[BASE].accuracy == 0
    assert comparison.candidates[model.name].accuracy >= 0.6  # type: ignore[operator]  # graded yes or no
    assert "better" in comparison.verdict
    assert comparison.failures == {}
    assert all(answer.usd is not None for answer in comparison.candidates[model.name].answers)


def test_rows_seen_in_training_are_refused(model: CustomModel) -> None:
    """Nobody measures on what was learnt by heart, unless it is said aloud."""
    learnt = Dataset.from_records(routing_rows(6))

    with pytest.raises(DatasetError, match="training set"):
        model.compare(learnt, against=BASE)
    assert set(model.compare(learnt, against=BASE, allow_seen=True).seen) == set(range(6))


def test_a_failing_call_is_an_answer_too(
    model: CustomModel, server: LocalServer, clock: VirtualClock
) -> None:
    """A candidate that cannot be reached loses its rows by name; the others keep theirs."""
    missing = CustomModel("ft:gpt-4o-2024-08-06:local::missing1", provider=server.provider)

    comparison = model.compare(UNSEEN, against=[BASE, missing])

    assert len(comparison.failures[missing.name]) == len(UNSEEN)
    assert "NotFoundError" in comparison.failures[missing.name][0]
    assert model.name not in comparison.failures


def test_calls_ride_out_rate_limits() -> None:
    """A 429 is waited out for as long as the server asks."""
    with FakeService() as service:
        hint = {"retry-after": "3"}
        service.faults.add("POST /v1/chat/completions", status=429, headers=hint, times=2)

        assert CustomModel(BASE, provider=service.provider).ask("Hello, reset my password")
        assert service.clock.sleeps == [3.0, 3.0]


@pytest.mark.parametrize(
    ("against", "words"), [([], "nothing to compare with"), ([BASE, BASE], "named twice")]
)
def test_candidates_must_differ(model: CustomModel, against: list[str], words: str) -> None:
    """A comparison needs at least one other model, each named once."""
    with pytest.raises(ValueError, match=words):
        model.compare(UNSEEN, against=against)


def test_an_unknown_model_is_the_clients_own_error(server: LocalServer) -> None:
    """The service's refusal passes through unchanged."""
    with pytest.raises(openai.NotFoundError, match="ft:nothing"):
        CustomModel("ft:nothing", provider=server.provider).ask("hello")
