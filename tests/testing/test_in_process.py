"""Official clients without a socket: streams as they are made, uploads, time-outs, both faces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2
import openai
import pytest

from gpt4o_tune.testing import FakeService
from tests.testing.conftest import MODEL, start, upload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ASKED = [{"role": "user", "content": "Hello?"}]


def with_async_client(work: Callable[[openai.AsyncOpenAI, FakeService], Awaitable[None]]) -> None:
    """Run work with an asynchronous client in an event loop."""

    async def main() -> None:
        async with service.async_client(timeout=5) as client:
            await work(client, service)

    with FakeService() as service:
        asyncio.run(main())


def test_the_asynchronous_client_runs_a_job() -> None:
    """Upload, job, events by pages, and a streamed answer."""

    async def work(client: openai.AsyncOpenAI, service: FakeService) -> None:
        file_id = await asyncio.to_thread(upload, service.client())
        job = await client.fine_tuning.jobs.create(model=MODEL, training_file=file_id)
        events = [event async for event in client.fine_tuning.jobs.list_events(job.id, limit=10)]
        assert len(events) > 20
        stream = await client.chat.completions.create(model=MODEL, messages=ASKED, stream=True)
        assert "".join([c.choices[0].delta.content or "" async for c in stream]).startswith("This")

    with_async_client(work)


def test_many_requests_at_once() -> None:
    """Requests of one event loop do not wait for each other's turn to be over."""

    async def work(client: openai.AsyncOpenAI, _: FakeService) -> None:
        found = await asyncio.gather(*(client.models.retrieve(MODEL) for _ in range(20)))
        assert {model.id for model in found} == {MODEL}

    with_async_client(work)


def test_faults_reach_the_asynchronous_client() -> None:
    """A dropped connection, a broken stream and an answer that comes too late."""

    async def work(client: openai.AsyncOpenAI, service: FakeService) -> None:
        service.faults.add("GET /v1/models/*", drop=True)
        with pytest.raises(openai.APIConnectionError):
            await client.models.retrieve(MODEL)
        service.faults.add("GET /v1/models/*", delay=30)
        with pytest.raises(openai.APITimeoutError):
            await client.with_options(timeout=0.02).models.retrieve(MODEL)
        service.faults.add("POST /v1/chat/completions", cut_after=2)
        stream = await client.chat.completions.create(model=MODEL, messages=ASKED, stream=True)
        await anext(stream)
        await anext(stream)
        with pytest.raises(openai.APIConnectionError):
            await anext(stream)

    with_async_client(work)


def test_a_stream_is_handed_on_while_it_is_made(client: openai.OpenAI) -> None:
    """The first piece is there before the last one is asked for, and the rest may be left."""
    stream = client.chat.completions.create(model=MODEL, messages=ASKED, stream=True)

    assert next(iter(stream)).choices[0].delta.role == "assistant"
    stream.close()
    assert client.models.retrieve(MODEL).id == MODEL


def test_a_large_upload_arrives_whole(client: openai.OpenAI) -> None:
    """Three megabytes through the transport come back byte for byte."""
    content = bytes(range(256)) * 12_000

    file = client.files.create(file=("big.bin", content), purpose="user_data")

    assert client.files.content(file.id).content == content


def test_the_transports_serve_plain_clients(service: FakeService) -> None:
    """Programs that speak HTTP themselves are served too; the key is wanted."""
    with httpx2.Client(transport=service.transport(), base_url="http://any") as http:
        refused = http.get("/v1/models")
        listed = http.get("/v1/models", headers={"authorization": f"Bearer {service.api_key}"})

    assert (refused.status_code, listed.status_code) == (401, 200)


def test_the_clients_own_retries_work(service: FakeService) -> None:
    """A client that tries again gets through."""
    service.faults.add("GET /v1/models/*", status=500, headers={"retry-after-ms": "1"})

    assert service.client(max_retries=1).models.retrieve(MODEL).id == MODEL
    assert len(service.requests) == 2


def test_an_error_inside_a_service_that_closes_is_passed_on() -> None:
    """A client that is used after the end is told that its service is gone."""
    with FakeService() as service:
        client = service.client()
        start(client)

    with pytest.raises((RuntimeError, openai.APIConnectionError)):
        client.models.retrieve(MODEL)
