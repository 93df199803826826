"""Faults on demand, as the official client and the library see them, with and without a socket."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import httpx2
import openai
import pytest

from gpt4o_tune import FineTuneJob
from gpt4o_tune.providers.profiles import OPENAI
from gpt4o_tune.testing import FakeService, Fault, Transitions, UnusedFaultWarning
from tests.testing.conftest import JOBS, MODEL, start, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune import Dataset

CHAT = "POST /v1/chat/completions"
ASKED = [{"role": "user", "content": "Hello?"}]


@pytest.fixture(params=["in process", "socket"])
def any_client(request: pytest.FixtureRequest, service: FakeService) -> Iterator[openai.OpenAI]:
    """A client on each kind of connection; faults look the same on both."""
    if request.param == "in process":
        yield service.client()
        return
    with openai.OpenAI(base_url=service.base_url, api_key=service.api_key, max_retries=0) as client:
        yield client


def stream_of(client: openai.OpenAI) -> Iterator[str]:
    """The texts of a streamed answer."""
    for chunk in client.chat.completions.create(model=MODEL, messages=ASKED, stream=True):
        yield chunk.choices[0].delta.content or ""


@pytest.mark.parametrize(("after_commit", "jobs"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("settings", [{"status": 500}, {"drop": True}])
def test_a_create_is_lost_before_or_after_the_server_acted(
    service: FakeService,
    any_client: openai.OpenAI,
    settings: dict[str, object],
    after_commit: bool,
    jobs: int,
) -> None:
    """The client sees the same failure; only the server knows the difference."""
    service.faults.add(f"POST {JOBS}", after_commit=after_commit, **settings)
    expected = openai.InternalServerError if "status" in settings else openai.APIConnectionError

    with pytest.raises(expected):
        start(any_client)

    assert len(any_client.fine_tuning.jobs.list().data) == jobs


@pytest.mark.parametrize("after_commit", [False, True])
def test_an_upload_is_dropped(
    service: FakeService, any_client: openai.OpenAI, after_commit: bool
) -> None:
    """Bodies that are no JSON are dropped just so."""
    service.faults.add("POST /v1/files", drop=True, after_commit=after_commit)

    with pytest.raises(openai.APIConnectionError):
        upload(any_client)

    assert len(any_client.files.list().data) == after_commit


def test_no_second_job_after_a_lost_answer(service: FakeService, rows: Dataset) -> None:
    """The library takes up the job that it could not see being created."""
    service.faults.add(f"POST {JOBS}", drop=True, after_commit=True)

    job = FineTuneJob.create(rows, provider=service.provider)

    assert job.wait().name.startswith("ft:")
    assert len(service.requests.to(f"POST {JOBS}")) == 1
    assert service.clock.seconds > 0, "it waited before it looked"


def test_faults_are_met_in_order_and_used_up(service: FakeService, client: openai.OpenAI) -> None:
    """The first fault that fits and is not used up acts; headers and body arrive as they were given."""
    service.faults.add("GET /v1/models/*", status=503, times=2, headers={"retry-after": "7"})
    service.faults.add("GET /v1/*", status=418, code="teapot")
    service.faults.add("/v1/files", status=200, body={"data": [], "has_more": False, "mine": 1})
    service.faults.add("/v1/files", status=200, body="<html>")

    errors = []
    for _ in range(3):
        with pytest.raises(openai.APIStatusError) as caught:
            client.models.retrieve(MODEL)
        errors.append(caught.value)
    client.models.retrieve(MODEL)

    assert [error.status_code for error in errors] == [503, 503, 418]
    assert (errors[0].response.headers["retry-after"], errors[2].code) == ("7", "teapot")
    assert json.loads(client.files.with_raw_response.list().text)["mine"] == 1
    assert client.files.with_raw_response.list().text == "<html>"


def test_a_condition_picks_requests(service: FakeService, client: openai.OpenAI) -> None:
    """A fault can look at what was sent."""
    service.faults.add(
        f"POST {JOBS}", status=400, when=lambda request: request.json["suffix"] == "bad"
    )

    assert start(client, suffix="good").id
    with pytest.raises(openai.BadRequestError):
        start(client, suffix="bad")


def test_chance_is_repeated_by_the_seed() -> None:
    """The same seed fails the same requests; another seed fails others."""

    def failures(seed: int) -> list[bool]:
        with FakeService(seed=seed) as service:
            client = service.client()
            service.faults.add("GET /v1/models/*", status=500, times=None, probability=0.4)
            return [_fails(client) for _ in range(20)]

    first = failures(1)
    assert first == failures(1) != failures(2)
    assert 2 < sum(first) < 16


def _fails(client: openai.OpenAI) -> bool:
    try:
        client.models.retrieve(MODEL)
    except openai.InternalServerError:
        return True
    return False


def test_a_stream_breaks_off(service: FakeService, any_client: openai.OpenAI) -> None:
    """So many events arrive, then the connection is gone."""
    whole = [*stream_of(any_client)]
    service.faults.add(CHAT, cut_after=3)

    broken = stream_of(any_client)
    assert [*islice(broken, 3)] == whole[:3]
    with pytest.raises(openai.APIConnectionError) as caught:
        next(broken)

    assert isinstance(caught.value.__cause__, httpx2.RemoteProtocolError)


def test_a_plain_body_breaks_off(service: FakeService, any_client: openai.OpenAI) -> None:
    """Half of an answer is none."""
    service.faults.add("GET /v1/models/*", cut_after=0)

    with pytest.raises(openai.APIConnectionError):
        any_client.models.retrieve(MODEL)


def test_garbage_stands_in_a_stream(service: FakeService, client: openai.OpenAI) -> None:
    """A line that is no JSON follows after two good events."""
    service.faults.add(CHAT, garbage_after=2)

    broken = stream_of(client)
    assert len([*islice(broken, 2)]) == 2
    with pytest.raises(json.JSONDecodeError):
        next(broken)


def test_garbage_stands_in_place_of_a_body(service: FakeService, any_client: openai.OpenAI) -> None:
    """What a proxy's error page looks like to the client."""
    service.faults.add("GET /v1/models/*", garbage_after=0)

    with pytest.raises(json.JSONDecodeError):
        any_client.models.retrieve(MODEL)


def test_events_come_twice_and_in_another_order(rows: Dataset) -> None:
    """The library shows each event once, in order, however the service lists them."""
    with FakeService(transitions=Transitions.after_seconds(3600)) as service:
        job = FineTuneJob.create(rows, provider=service.provider)
        service.clock.advance(3600)
        plain = [event.created_at for event in job.events()]
        service.faults.add(f"GET {JOBS}/*/events", duplicate=True, reorder=True, times=None)
        listed = service.client().fine_tuning.jobs.list_events(job.id, limit=100).data

        assert [event.created_at for event in job.events()] == plain
        ids = [event.id for event in listed]
        assert {ids.count(each) for each in ids} == {2}
        times = [event.created_at for event in listed]
        assert times != sorted(times, reverse=True)


def test_events_of_a_stream_come_twice(service: FakeService, client: openai.OpenAI) -> None:
    """The stream still ends as one does."""
    whole = [*stream_of(client)]
    service.faults.add(CHAT, duplicate=True)

    assert [*stream_of(client)] == [text for text in whole for _ in range(2)]


def test_the_rate_limit_follows_the_virtual_clock(
    service: FakeService, client: openai.OpenAI
) -> None:
    """Headers count down; the third request in a minute is refused until the minute is over."""
    service.faults.rate_limit(requests_per_minute=2, route="GET /v1/models/*")
    retrieve = client.models.with_raw_response.retrieve

    left = [retrieve(MODEL).headers["x-ratelimit-remaining-requests"] for _ in range(2)]
    service.clock.advance(20)
    with pytest.raises(openai.RateLimitError) as caught:
        retrieve(MODEL)
    service.clock.advance(40)
    again = retrieve(MODEL)

    assert left == ["1", "0"]
    headers = caught.value.response.headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("40", "40000")
    assert headers["x-ratelimit-reset-requests"] == "40s"
    assert caught.value.code == "rate_limit_exceeded"
    assert again.headers["x-ratelimit-limit-requests"] == "2"


def test_the_library_waits_out_a_rate_limit(rows: Dataset) -> None:
    """It sleeps as long as the service asks, on the virtual clock."""
    with FakeService(transitions=Transitions.after_reads(1)) as service:
        job = FineTuneJob.create(rows, provider=service.provider)
        service.faults.rate_limit(requests_per_minute=1, route=f"GET {JOBS}/*")

        job.wait(poll_interval=1)

        assert 180 <= service.clock.seconds < 200


def test_a_fresh_model_is_waited_for(service: FakeService, rows: Dataset) -> None:
    """The model answers 404 at first; where the provider is such, the wait goes on until it answers."""
    service.faults.warm_up(times=3)
    provider = replace(service.provider, profile=OPENAI)

    FineTuneJob.create(rows, provider=provider).wait()

    assert len(service.requests.to(CHAT)) == 4


def test_an_answer_is_blocked(service: FakeService, client: openai.OpenAI) -> None:
    """A content filter refuses one request."""
    service.faults.moderation_block()

    with pytest.raises(openai.BadRequestError) as caught:
        [*stream_of(client)]

    assert caught.value.code == "content_filter"


def test_a_delay_outlasts_the_clients_patience(service: FakeService) -> None:
    """The client gives up, and closing the service does not wait for the rest of the delay."""
    service.faults.add("GET /v1/models/*", delay=30, times=2)

    with pytest.raises(openai.APITimeoutError):
        service.client(timeout=0.05).models.retrieve(MODEL)
    client = openai.OpenAI(
        base_url=service.base_url, api_key=service.api_key, max_retries=0, timeout=0.05
    )
    with client, pytest.raises(openai.APITimeoutError):
        client.models.retrieve(MODEL)


def test_a_short_delay_only_delays(service: FakeService, client: openai.OpenAI) -> None:
    """The answer is the server's own."""
    service.faults.add("GET /v1/models/*", delay=0.01)

    assert client.models.retrieve(MODEL).id == MODEL


def test_faults_that_met_nothing_are_reported() -> None:
    """By a warning, an error, or not at all; never on top of another failure."""
    with pytest.warns(UnusedFaultWarning, match="/v1/nowhere"), FakeService() as service:
        service.faults.add("/v1/nowhere", status=500)
    with (
        pytest.raises(AssertionError, match="no request met"),
        FakeService(unused_faults="raise") as service,
    ):
        service.faults.add("/v1/nowhere", status=500)
    with (
        pytest.raises(KeyError),
        FakeService(unused_faults="raise") as service,
    ):
        raise KeyError(service.faults.add("/v1/nowhere", status=500).route)
    with warnings.catch_warnings(action="error"):
        with FakeService(unused_faults="ignore") as service:
            service.faults.add("/v1/nowhere", status=500)
        with FakeService() as service:
            service.faults.add("/v1/nowhere", status=500)
            service.faults.clear()
            service.faults.add("/v1/nowhere", status=500, times=None, probability=0.5)


@pytest.mark.parametrize(
    "settings",
    [
        {"body": "x"},
        {"drop": True, "status": 500},
        {"probability": 0.0},
        {"times": 0},
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, object]) -> None:
    """A mistake in a test is told where it is made."""
    with pytest.raises(ValueError, match=r"fault|probability|times"):
        Fault(**settings)
