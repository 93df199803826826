"""Rows are screened text by text: each once, remembered across runs and crashes, named when flagged."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import openai
import pytest

from gpt4o_tune import Dataset, Provider
from gpt4o_tune.data.checks import RULES
from gpt4o_tune.errors import ProviderError
from tests.data.cases import answer, call, chat, many, pair, user
from tests.providers.stub import Answer, Request, StubServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import VirtualClock

NAMES = ("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit")
NAMES += ("illicit/violent", "self-harm", "self-harm/intent", "self-harm/instructions", "sexual")
NAMES += ("sexual/minors", "violence", "violence/graphic")


class Moderations:
    """A moderation service that finds a text violent where it says `fight`, and hateful at `hate`."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.answers: list[Answer] = []
        """Given instead of verdicts, one per request, first to last."""

    def __call__(self, request: Request) -> Answer:
        assert (request.method, request.path) == ("POST", "/v1/moderations")
        if self.answers:
            return self.answers.pop(0)
        self.asked.append(request.body["input"])
        results = [self._result(text) for text in request.body["input"]]
        return Answer({"id": "modr-1", "model": request.body["model"], "results": results})

    def _result(self, text: str) -> dict[str, Any]:
        hits = {"violence": "fight" in text, "hate": "hate" in text}
        return {
            "flagged": any(hits.values()),
            "categories": {name: hits.get(name, False) for name in NAMES},
            "category_scores": dict.fromkeys(NAMES, 0.0),
            "category_applied_input_types": {name: ["text"] for name in NAMES},
        }


@pytest.fixture
def service() -> Moderations:
    """What the stub answers."""
    return Moderations()


@pytest.fixture
def provider(service: Moderations, clock: VirtualClock) -> Iterator[Provider]:
    """A provider whose moderation is the stub's, on virtual time."""
    with StubServer(service) as server:
        provider = Provider.compatible(f"{server.url}/v1", api_key="sk-never-shown")
        provider = replace(provider, clock=clock)
        yield provider
        provider.close()


def test_a_flagged_message_is_named(provider: Provider) -> None:
    """Line, path and categories, by both faces; the report can drop the rows."""
    rows = [
        *many(1),
        *chat(user(), answer("I hate it and will fight.")),
        *chat(
            user([{"type": "text", "text": "fight"}]),
            answer(None, tool_calls=[call('{"a":"hate"}')]),
        ),
        *many(1),
    ]
    data = Dataset.from_records(rows)

    report = data.moderate(provider=provider)

    assert [(p.line, p.path) for p in report.errors] == [
        (2, "messages[1]"),
        (3, "messages[0]"),
        (3, "messages[1]"),
    ]
    assert "flagged: hate, violence." in report.errors[0].message
    assert len(data.drop(report.errors)) == 2
    assert asyncio.run(data.moderate_async(provider=provider)) == report
    assert {p.code for p in report.errors} == {r.code for r in RULES if r.subject == "verdict"}


def test_each_text_is_asked_once_in_batches(provider: Provider, service: Moderations) -> None:
    """Repeats and blank texts are not sent, and long ones go in pieces."""
    rows = [chat(user("Same question"), answer(f"Answer {n} "))[0] for n in range(100)]
    rows += chat(user("  "), answer("x" * 25_000))

    Dataset.from_records(rows).moderate(provider=provider)

    sent = [text for batch in service.asked for text in batch]
    assert len(sent) == len(set(sent)) == 1 + 100 + 2
    assert max(map(len, service.asked)) == 32
    assert max(map(len, sent)) == 10_000
    assert all(text.strip() for text in sent)


def test_a_second_run_asks_nothing(
    provider: Provider, service: Moderations, tmp_path: Path
) -> None:
    """Verdicts are kept by hash, without the texts, and hold for one model only."""
    data = Dataset.from_records([*many(3), *chat(user("fight"), answer())])
    cache = tmp_path / "verdicts.jsonl"
    first = data.moderate(provider=provider, cache=cache)
    asked = len(service.asked)

    assert data.moderate(provider=provider, cache=cache) == first
    assert len(service.asked) == asked
    assert b"fight" not in cache.read_bytes()
    data.moderate(provider=provider, cache=cache, model="text-moderation-latest")
    assert len(service.asked) == 2 * asked


def test_what_was_answered_survives_a_crash(
    provider: Provider, service: Moderations, tmp_path: Path
) -> None:
    """Answers are written as they come; a line that was cut off is asked about again."""
    data = Dataset.from_records([*many(200, answers=200), *chat(user("fight"), answer())])
    cache = tmp_path / "verdicts.jsonl"
    data[:60].moderate(provider=provider, cache=cache)
    cache.write_bytes(cache.read_bytes()[:-7])
    known = len(cache.read_bytes().splitlines()) - 1
    before = sum(map(len, service.asked))
    service.answers = [Answer({"error": {"message": "no"}}, 400)]
    with pytest.raises(openai.BadRequestError):
        data.moderate(provider=provider, cache=cache)
    service.answers = []

    report = data.moderate(provider=provider, cache=cache)

    assert [problem.line for problem in report.problems] == [201]
    lines = [line for line in cache.read_bytes().splitlines() if line.endswith(b"}")]
    assert len({json.loads(line)["key"] for line in lines}) == len(lines) == 402
    # At most the wave that failed is asked about twice.
    assert sum(map(len, service.asked)) - before <= 402 - known + 4 * 32


def test_a_rate_limit_is_waited_out(
    provider: Provider, service: Moderations, clock: VirtualClock
) -> None:
    """As every read."""
    service.answers = [Answer({"error": {}}, 429, {"retry-after": "7"}), Answer(b"oops", 502)]

    assert Dataset.from_records(many(2)).moderate(provider=provider).ok
    assert clock.sleeps[0] == 7


def test_a_provider_without_moderation_says_where_there_is_one(
    provider: Provider, service: Moderations
) -> None:
    """Azure and the local server have none."""
    service.answers = [Answer({"error": {"message": "no route"}}, 404)]

    with pytest.raises(ProviderError, match=r"Provider\.openai"):
        Dataset.from_records(many(1)).moderate(provider=provider)


def test_an_answer_to_other_texts_is_refused(
    provider: Provider, service: Moderations, tmp_path: Path
) -> None:
    """Fewer verdicts than texts cannot be told apart, so none is kept."""
    service.answers = [Answer({"id": "modr-1", "model": "m", "results": []})] * 1_000
    cache = tmp_path / "verdicts.jsonl"

    with pytest.raises(openai.APIConnectionError):
        Dataset.from_records(many(1)).moderate(provider=provider, cache=cache)
    assert cache.read_bytes() == b""


def test_pairs_are_screened_on_both_sides(provider: Provider) -> None:
    """The worse answer is uploaded too."""
    data = Dataset.from_records(pair(non_preferred_output=[answer("hate")]))

    (problem,) = data.moderate(provider=provider).problems

    assert problem.path == "non_preferred_output[0]"
