"""`CustomModel.map`: order, rates, retries, the journal, the budget, and ends that nobody planned."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

import gpt4o_tune
from gpt4o_tune import CustomModel, Dataset, JournalError, MapResult, Provider, ProviderError
from tests.inference.limited_service import LimitedService
from tests.providers.stub import Answer, Request, StubServer
from tests.rows import SYSTEM, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpt4o_tune import LocalServer
    from tests.conftest import VirtualClock

BASE = "gpt-4o-2024-08-06"
TUNED = "ft:gpt-4o-2024-08-06:acme::abc123"
TEXTS = [f"question {number}" for number in range(40)]


@pytest.fixture(scope="module")
def service() -> Iterator[LimitedService]:
    """A service without limits that answers at once."""
    with LimitedService(latency=0.0) as running:
        yield running


def model_at(base_url: str, *, clock: VirtualClock | None = None, **options: Any) -> CustomModel:
    """A fine-tuned model at OpenAI's prices, answered by a stub."""
    provider = Provider(kind="openai", base_url=base_url, api_key="sk-test")
    if clock is not None:
        provider = Provider(kind="openai", base_url=base_url, api_key="sk-test", clock=clock)
    return CustomModel(TUNED, provider=provider, **options)


def completion(
    content: str | None, *, model: str = TUNED, finish: str = "stop", **message: object
) -> dict[str, object]:
    """A chat completion of 100 prompt tokens, 40 of them cached, and 10 of answer."""
    said = {"role": "assistant", "content": content, **message}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": said, "finish_reason": finish, "logprobs": None}],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "total_tokens": 110,
            "prompt_tokens_details": {"cached_tokens": 40},
        },
    }


def asked_of(request: Request) -> str:
    """The last message's text."""
    return request.body["messages"][-1]["content"]


def echo(request: Request) -> Answer:
    """Answer every question with itself."""
    return Answer(completion(asked_of(request), model=request.body["model"]))


def test_answers_come_in_order_on_both_faces(server: LocalServer) -> None:
    """On the real local server, `map` says what `ask` says, text by text."""
    model = CustomModel(BASE, provider=server.provider, system="Be brief.")
    texts = [f"{word} please" for word in ("one", "two", "three", "four")]

    async def suspended() -> MapResult:
        result = await model.map_async(texts, temperature=0, max_tokens=4)
        await server.provider.close_async()
        return result

    blocking = model.map(texts, temperature=0, max_tokens=4)
    asked = [model.ask(text, temperature=0, max_tokens=4) for text in texts]

    assert blocking.errors == {}
    assert blocking.texts == asked == asyncio.run(suspended()).texts
    assert blocking.usd == 0
    assert model.usage.calls == 12


def test_texts_conversations_and_rows_are_inputs() -> None:
    """Texts get the system prompt; rows are asked without their last answer, with their tools."""
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    rows = [row("hello", "delivery"), {**row("bye", "billing", system=None), "tools": [tool]}]
    with StubServer(echo) as stub:
        model = model_at(f"{stub.url}/v1", system=SYSTEM)
        model.map(["text", [{"role": "user", "content": "talk"}]], at_once=1, temperature=0.5)
        model.map(Dataset.from_records(rows), at_once=1)
        bodies = [request.body for request in stub.requests]

    system = {"role": "system", "content": SYSTEM}
    assert [body["messages"] for body in bodies] == [
        [system, {"role": "user", "content": "text"}],
        [{"role": "user", "content": "talk"}],
        [system, {"role": "user", "content": "hello"}],
        [{"role": "user", "content": "bye"}],
    ]
    assert [body.get("temperature") for body in bodies] == [0.5, 0.5, None, None]
    assert [body.get("tools") for body in bodies] == [None, None, None, [tool]]


def test_one_bad_row_never_loses_the_rest(clock: VirtualClock) -> None:
    """Refusals, outages and cut bodies are each an error in their place; passing ones are ridden out."""
    failures = {"flaky": 2, "down": 99}

    def application(request: Request) -> Answer:
        text = asked_of(request)
        if text == "bad":
            return Answer({"error": {"message": "too long", "code": "context"}}, status=400)
        if failures.get(text, 0) > 0:
            failures[text] -= 1
            return Answer({"error": {"message": "overloaded"}}, status=503)
        if text == "cut":
            return Answer(b'{"id": "chatc')
        if text == "refused":
            return Answer(completion(None, refusal="I will not."))
        if text == "tool":
            call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            return Answer(completion(None, finish="tool_calls", tool_calls=[call]))
        return echo(request)

    texts = ["good", "bad", "flaky", "down", "cut", "refused", "tool", "fine"]
    with StubServer(application) as stub:
        result = model_at(f"{stub.url}/v1", clock=clock).map(texts, max_attempts=3)

    assert result.texts == ["good", None, "flaky", None, None, None, None, "fine"]
    assert "BadRequestError" in result.errors[1]
    assert "too long" in result.errors[1]
    assert "InternalServerError" in result.errors[3]
    assert "UnreadableAnswerError" in result.errors[4]
    assert result.errors[5] == "the model refused: I will not."
    assert set(result.errors) == {1, 3, 4, 5}
    assert result[6].tool_calls[0]["id"] == "c1"
    assert [answer.attempts for answer in result] == [1, 1, 3, 3, 3, 1, 1, 1]
    assert "4 of 8 inputs" in str(result)
    assert "too long" in result._repr_html_()


def test_usage_is_priced_by_the_catalog() -> None:
    """Cached input has its own price; basis and date stand beside the total."""
    with StubServer(echo) as stub:
        model = model_at(f"{stub.url}/v1")
        result = model.map(["a", "b"])
        model.ask("c")

    each = (60 * 3.75 + 40 * 1.875 + 10 * 15) / 1_000_000
    assert result.usd == pytest.approx(2 * each)
    assert model.usage.usd == pytest.approx(3 * each)
    assert (model.usage.calls, model.usage.cached_tokens, model.usage.tokens) == (3, 120, 330)
    assert model.usage.as_of is not None
    assert "list of OpenAI" in model.usage.basis
    assert json.dumps(result.to_dict())


def test_an_unknown_price_is_none_and_holds_no_budget() -> None:
    """A model that the catalog lacks has tokens but no price, and a budget for it is refused."""
    with StubServer(echo) as stub:
        provider = Provider.compatible(f"{stub.url}/v1", api_key="key")
        model = CustomModel("some-deployment", provider=provider)

        assert model.map(["a"]).usd is None
        with pytest.raises(ProviderError, match="no budget can be kept"):
            model.map(["a"], budget_usd=1)
        assert len(stub.requests) == 1


def test_a_refused_rate_slows_all_calls_once(clock: VirtualClock) -> None:
    """Twenty calls refused at the same time make one pause, of the length that the service asked for."""
    left = {"refusals": 5}

    def application(request: Request) -> Answer:
        if left["refusals"] > 0:
            left["refusals"] -= 1
            return Answer({"error": {"message": "slow"}}, 429, headers={"retry-after": "7"})
        return echo(request)

    with StubServer(application) as stub:
        result = model_at(f"{stub.url}/v1", clock=clock).map(TEXTS, at_once=5)

    assert result.texts == TEXTS
    assert result.refused_requests == 5
    assert clock.seconds < 15


def test_the_pace_follows_the_headers() -> None:
    """Of a service that takes 200 requests a second, 500 are had with few refusals on the way."""
    with LimitedService(latency=0.02, requests_per_minute=12_000, burst_seconds=1) as limited:
        result = model_at(limited.base_url).map([f"q{n}" for n in range(500)], at_once=64)

    assert result.errors == {}
    assert result.refused_requests <= 25


def test_tokens_are_paced_as_well() -> None:
    """Where the tokens are the narrower limit, they set the pace."""
    with LimitedService(latency=0.02, tokens_per_minute=300_000, burst_seconds=1) as limited:
        result = model_at(limited.base_url).map(TEXTS * 5, at_once=32, max_tokens=30)

    assert result.errors == {}
    assert result.refused_requests <= 20


def test_a_journal_is_continued_without_asking_twice(
    service: LimitedService, tmp_path: Path
) -> None:
    """A second call reads what is there, even after a torn last line, and asks only the rest."""
    texts = [f"continue {number}" for number in range(30)]
    path = tmp_path / "run.jsonl"
    model = model_at(service.base_url)
    first = model.map(texts, journal=path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:21]) + lines[21][:30])

    again = model.map(texts, journal=path)
    third = model.map(texts, journal=path)

    assert again.texts == first.texts == third.texts
    assert [answer.from_journal for answer in again].count(True) == 20
    assert again.usd == pytest.approx(first.usd)
    asked = service.stats()["asked"]
    assert sum(asked[text] for text in texts) == 40  # type: ignore[index]  # a mapping
    assert "30 answers from the journal" in str(third)


def test_failed_rows_of_a_journal_are_asked_again(tmp_path: Path) -> None:
    """An error costs nothing, so the next run tries it once more."""
    bad = {"b"}

    def application(request: Request) -> Answer:
        if asked_of(request) in bad:
            return Answer({"error": {"message": "no"}}, status=400)
        return echo(request)

    with StubServer(application) as stub:
        model = model_at(f"{stub.url}/v1")
        first = model.map(["a", "b", "c"], journal=tmp_path / "j")
        bad.clear()
        second = model.map(["a", "b", "c"], journal=tmp_path / "j")

    assert set(first.errors) == {1}
    assert second.texts == ["a", "b", "c"]
    assert len(stub.requests) == 4


def test_a_journal_of_other_calls_is_refused(service: LimitedService, tmp_path: Path) -> None:
    """Other inputs, another model or parameter, no journal at all, a damaged line: nothing is sent."""
    path, other = tmp_path / "run.jsonl", tmp_path / "notes.txt"
    model = model_at(service.base_url)
    model.map(["a", "b"], journal=path)
    other.write_text("shopping list\n")
    before = service.stats()["answered"]

    for inputs, parameters, file in (
        (["a", "c"], {}, path),
        (["a", "b", "c"], {}, path),
        (["a", "b"], {"temperature": 0}, path),
        (["a", "b"], {}, other),
    ):
        with pytest.raises(JournalError, match="Nothing was sent"):
            model.map(inputs, journal=file, **parameters)
    assert other.read_text() == "shopping list\n"
    path.write_bytes(
        path.read_bytes().replace(b'{"row":1', b'["row":1').replace(b'{"row":0', b"{{")
    )
    with pytest.raises(JournalError, match="damaged"):
        model.map(["a", "b"], journal=path)
    assert service.stats()["answered"] == before


def test_a_budget_stops_the_sending_and_more_goes_on(tmp_path: Path) -> None:
    """What is answered stays within the budget; the rest is named, and a higher budget continues."""
    each = (60 * 3.75 + 40 * 1.875 + 10 * 15) / 1_000_000
    with StubServer(echo) as stub:
        model = model_at(f"{stub.url}/v1")
        first = model.map(TEXTS, journal=tmp_path / "j", budget_usd=10.5 * each, at_once=8)
        second = model.map(TEXTS, journal=tmp_path / "j", budget_usd=1, at_once=8)
        sent = len(stub.requests)

    assert first.usage.calls == 10
    assert first.usd is not None
    assert first.usd <= 10.5 * each
    assert len(first.errors) == 30
    assert "budget" in str(first.stopped)
    assert second.texts == TEXTS
    assert sent == 40


def test_a_wrong_key_stops_at_once() -> None:
    """What concerns every call is raised, not repeated for each input."""
    with StubServer(lambda request: Answer({"error": {"message": "who?"}}, 401)) as stub:
        with pytest.raises(openai.AuthenticationError, match="who"):
            model_at(f"{stub.url}/v1").map(TEXTS, at_once=4)
        assert len(stub.requests) <= 4


def test_an_exhausted_quota_keeps_what_was_answered() -> None:
    """Finished answers are returned, and the rest says why it was not asked."""
    left = {"answers": 3}

    def application(request: Request) -> Answer:
        left["answers"] -= 1
        if left["answers"] < 0:
            return Answer({"error": {"message": "pay", "code": "insufficient_quota"}}, 429)
        return echo(request)

    with StubServer(application) as stub:
        result = model_at(f"{stub.url}/v1").map(TEXTS, at_once=1)

    assert result.texts[:3] == TEXTS[:3]
    assert "RateLimitError" in str(result.stopped)
    assert len(stub.requests) == 4
    assert "not asked" in result.errors[39]


def test_a_limit_that_outlasts_the_deadline_stops(clock: VirtualClock) -> None:
    """A daily limit is not slept through: the run ends and can be continued."""

    def application(request: Request) -> Answer:
        return Answer({"error": {"message": "tomorrow"}}, 429, headers={"retry-after": "40000"})

    with (
        StubServer(application) as stub,
        pytest.raises(openai.RateLimitError, match="tomorrow"),
    ):
        model_at(f"{stub.url}/v1", clock=clock).map(TEXTS, at_once=4, timeout=60)
    assert clock.seconds < 60


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"at_once": 0}, "at_once"),
        ({"timeout": 0}, "timeout"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"budget_usd": -1}, "budget_usd"),
        ({"n": 2}, "'n'"),
        ({"stream": True}, "'stream'"),
    ],
)
def test_knobs_are_checked_before_anything_is_sent(arguments: dict[str, Any], words: str) -> None:
    """A value that makes no sense is named."""
    with pytest.raises(ValueError, match=words):
        model_at("http://127.0.0.1:9/v1").map(["a"], **arguments)


@pytest.mark.parametrize("inputs", ["one text", [5], [[]], [["a"]]])
def test_inputs_are_texts_or_conversations(inputs: Any) -> None:
    """Anything else is named with its number."""
    with pytest.raises(TypeError, match="input"):
        model_at("http://127.0.0.1:9/v1").map(inputs)


def test_no_inputs_are_no_calls(service: LimitedService) -> None:
    """An empty list gives an empty result."""
    result = model_at(service.base_url).map([])

    assert len(result) == 0
    assert "0 of 0 inputs" in str(result)


RUN = """
import sys, gpt4o_tune
provider = gpt4o_tune.Provider(kind="openai", base_url=sys.argv[1], api_key="k")
model = gpt4o_tune.CustomModel("ft:gpt-4o-2024-08-06:acme::abc123", provider=provider)
texts = [f"{sys.argv[3]} {n}" for n in range(int(sys.argv[4]))]
result = model.map(texts, journal=sys.argv[2], at_once=32)
print(len(result.errors), sum(answer.from_journal for answer in result), result.usage.calls)
"""


def start(service: LimitedService, path: Path, word: str, rows: int) -> subprocess.Popen[str]:
    """Map in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, service.base_url, str(path), word, str(rows)],
        env={"PYTHONPATH": str(Path(gpt4o_tune.__path__[0]).parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(is_true: Callable[[], bool]) -> None:
    """Look again and again until another process has come so far."""
    end = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)  # of another process there is no event to wait for


def lines_of(path: Path) -> int:
    """Whole lines of a journal."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize(("ending", "rows"), [(signal.SIGKILL, 5_000), (signal.SIGINT, 600)])
def test_an_interrupted_run_loses_none_and_pays_none_twice(
    tmp_path: Path, ending: signal.Signals, rows: int
) -> None:
    """After kill -9 or Ctrl-C, a second run asks again at most what was in flight."""
    path, word = tmp_path / "run.jsonl", ending.name
    with LimitedService(latency=0.02) as service:
        first = start(service, path, word, rows)
        until(lambda: lines_of(path) > rows // 4)
        first.send_signal(ending)
        _, said = first.communicate()
        kept = lines_of(path) - 1
        second = start(service, path, word, rows)
        shown, _ = second.communicate()
        asked = service.stats()["asked"]

    assert first.returncode != 0
    assert kept < rows
    if ending is signal.SIGINT:
        assert "KeyboardInterrupt" in said
        assert "make the same call again" in said
    assert shown.split() == ["0", str(kept), str(rows)]
    assert len(asked) == rows  # type: ignore[arg-type]  # a mapping
    assert sum(asked.values()) - rows <= 32  # type: ignore[attr-defined]  # as above
    assert {json.loads(line).get("row") for line in path.read_text().splitlines()[1:]} == set(
        range(rows)
    )


def test_two_runs_never_share_a_journal(tmp_path: Path) -> None:
    """A second process that would pay for the same rows is turned away while the first one runs."""
    path = tmp_path / "run.jsonl"
    with LimitedService(latency=0.3) as service:
        first = start(service, path, "shared", 100)
        until(lambda: lines_of(path) > 0)
        with pytest.raises(JournalError, match="in use"):
            model_at(service.base_url).map([f"shared {n}" for n in range(100)], journal=path)
        first.communicate()

    assert first.returncode == 0


def test_progress_shows_tokens_and_cost(
    service: LimitedService, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that changes in place."""
    model_at(service.base_url).map(TEXTS, progress=True)

    shown = capsys.readouterr().err
    assert "40/40" in shown
    assert "tokens" in shown
    assert "$0." in shown


def test_the_blocking_face_works_inside_a_running_loop(service: LimitedService) -> None:
    """As in a notebook, whose own loop is running already."""

    async def cell() -> MapResult:
        return model_at(service.base_url).map(TEXTS)

    assert asyncio.run(cell()).errors == {}


def test_a_cancelled_run_keeps_its_journal(tmp_path: Path) -> None:
    """On the asynchronous face too, what was answered is not asked again."""
    path, texts = tmp_path / "run.jsonl", [f"cancel {number}" for number in range(200)]

    async def cancelled(model: CustomModel) -> None:
        running = asyncio.create_task(model.map_async(texts, journal=path, at_once=8))
        while lines_of(path) < 30:
            await asyncio.sleep(0.005)  # the calls need the loop
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await model.provider.close_async()

    with LimitedService(latency=0.01) as service:
        model = model_at(service.base_url)
        asyncio.run(cancelled(model))
        result = model.map(texts, journal=path)
        asked = service.stats()["asked"]

    assert result.errors == {}
    assert sum(answer.from_journal for answer in result) >= 29
    assert sum(asked.values()) - len(texts) <= 8  # type: ignore[attr-defined]  # a mapping
