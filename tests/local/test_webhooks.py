"""Webhooks: signed, delivered, repeated until they are accepted."""

from __future__ import annotations

import contextlib
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import openai
import pytest
from openai.types.webhooks import BatchFailedWebhookEvent, FineTuningJobFailedWebhookEvent

from gpt4o_tune import LocalServer
from gpt4o_tune.jobs import webhooks
from tests.local.conftest import ROWS, Desk, jsonl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 30


class Receiver:
    """An HTTP server that takes webhooks and answers them with the statuses it was told."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.requests: queue.Queue[tuple[str, dict[str, str], bytes]] = queue.Queue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.put((self.path, dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks?for=tests"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def next(self) -> tuple[str, dict[str, str], bytes]:
        """Wait for a request."""
        return self.requests.get(timeout=PATIENCE_S)


@contextlib.contextmanager
def served(folder: Path, *urls: str) -> Iterator[tuple[Desk, LocalServer]]:
    """A server that tells these addresses, and a desk at it."""
    with LocalServer(folder, webhooks=urls) as server:
        client = openai.OpenAI(
            base_url=server.base_url,
            api_key=server.api_key,
            webhook_secret=server.webhook_secret,
            max_retries=0,
        )
        with client:
            yield Desk(client), server


def fail_a_job(desk: Desk) -> str:
    """A job that fails at once, for want of rows."""
    return desk.finished(desk.create(desk.upload(jsonl(ROWS[:3])).id).id).id


def test_the_official_client_verifies_what_arrives(tmp_path: Path) -> None:
    """`client.webhooks.unwrap` accepts the signature and reads the event; a changed byte is refused."""
    with Receiver() as receiver, served(tmp_path, receiver.url) as (desk, server):
        job_id = fail_a_job(desk)
        path, headers, body = receiver.next()
        assert path == "/hooks?for=tests"
        event = desk.client.webhooks.unwrap(body, headers)
        FineTuningJobFailedWebhookEvent.model_validate_json(body, strict=True)
        assert (event.type, event.data.id) == ("fine_tuning.job.failed", job_id)
        assert event.id == headers["webhook-id"]
        with pytest.raises(openai.InvalidWebhookSignatureError):
            desk.client.webhooks.unwrap(body.replace(job_id[:6].encode(), b"ftjob_"), headers)
        ours = webhooks.parse(body, headers, secret=server.webhook_secret)
        assert ours
        assert ours.state == "failed"

        file = desk.client.files.create(file=("a.jsonl", b"[]"), purpose="batch")
        batch = desk.client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        _, headers, body = receiver.next()
        BatchFailedWebhookEvent.model_validate_json(body, strict=True)
        assert desk.client.webhooks.unwrap(body, headers).data.id == batch.id


def test_every_end_of_a_job_is_told(tmp_path: Path) -> None:
    """Success, written by the training process, and cancellation reach every address."""
    with (
        Receiver() as first,
        Receiver() as second,
        served(tmp_path, first.url, second.url, first.url) as (desk, _),
    ):
        file = desk.upload(jsonl(ROWS))
        succeeded = desk.finished(desk.create(file.id, n_epochs=1).id).id
        cancelled = desk.create(file.id, n_epochs=50).id
        desk.client.fine_tuning.jobs.cancel(cancelled)
        for receiver in (first, second):
            events = []
            for _ in range(2):
                _, headers, body = receiver.next()
                events.append(desk.client.webhooks.unwrap(body, headers))
            assert [(event.type, event.data.id) for event in events] == [
                ("fine_tuning.job.succeeded", succeeded),
                ("fine_tuning.job.cancelled", cancelled),
            ]
        assert first.requests.empty()


def test_a_webhook_that_is_not_accepted_comes_again(tmp_path: Path) -> None:
    """Errors and redirects are no acceptance; the id stays the same, and the signature holds."""
    with Receiver() as receiver, served(tmp_path, receiver.url) as (desk, _):
        receiver.statuses = [500, 302]
        fail_a_job(desk)
        attempts = [receiver.next() for _ in range(3)]
        assert {path for path, _, _ in attempts} == {"/hooks?for=tests"}
        assert len({headers["webhook-id"] for _, headers, _ in attempts}) == 1
        for _, headers, body in attempts:
            desk.client.webhooks.unwrap(body, headers)


def test_webhooks_wait_for_the_next_start(tmp_path: Path) -> None:
    """What nobody accepted before a stop comes after it, and what nobody wanted to hear does not."""
    with Receiver() as receiver:
        receiver.statuses = [503] * 1_000
        with served(tmp_path, receiver.url, f"{receiver.url}&gone=1") as (desk, _):
            job_id = fail_a_job(desk)
            ids = {receiver.next()[1]["webhook-id"] for _ in range(2)}
        while not receiver.requests.empty():
            receiver.next()
        receiver.statuses = []
        with served(tmp_path, receiver.url) as (desk, _):
            _, headers, body = receiver.next()
            assert desk.client.webhooks.unwrap(body, headers).data.id == job_id
            assert {headers["webhook-id"]} == ids
        with served(tmp_path) as (desk, _):
            fail_a_job(desk)
        with served(tmp_path, receiver.url) as (desk, _):
            told = fail_a_job(desk)
            _, headers, body = receiver.next()
            assert desk.client.webhooks.unwrap(body, headers).data.id == told
        assert receiver.requests.empty()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x",
        "host/x",
        "http://",
        "http:///x",
        "http://host:port/",
        "http://user:secret@host/",
        "http://host/a b",
        "http://host/\r\nx: y",
        "file:///etc/passwd",
    ],
)
def test_only_web_addresses_are_told(url: str) -> None:
    """The address is refused before anything starts."""
    with pytest.raises(ValueError, match="webhook"):
        LocalServer(webhooks=[url])


def test_a_secret_must_be_readable() -> None:
    """What follows `whsec_` is base64, as the client reads it."""
    with pytest.raises(ValueError, match="base64"):
        LocalServer(webhook_secret="whsec_***")
