"""Webhooks, signed here by the published scheme and verified by the library."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import WebhookError
from gpt4o_tune.jobs import Event, webhooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpt4o_tune import FineTuneJob

SECRET = "whsec_" + base64.b64encode(b"a secret of this test").decode()


def body(kind: str = "fine_tuning.job.succeeded", **fields: object) -> bytes:
    """What OpenAI sends."""
    event = {
        "object": "event",
        "id": "evt_1",
        "type": kind,
        "created_at": 1_700_000_000,
        "data": {"id": "ftjob-1"},
    }
    return json.dumps({**event, **fields}).encode()


def signed(
    content: bytes, *, secret: str = SECRET, age_s: int = 0, spell: str = "webhook-{}"
) -> dict[str, str]:
    """The three headers of https://www.standardwebhooks.com: HMAC-SHA-256 over `id.time.body`."""
    stamp = str(int(time.time()) - age_s)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, b"msg_1." + stamp.encode() + b"." + content, hashlib.sha256).digest()
    values = {
        "id": "msg_1",
        "timestamp": stamp,
        "signature": "v1," + base64.b64encode(digest).decode(),
    }
    return {spell.format(name): value for name, value in values.items()}


@pytest.mark.parametrize(
    ("state", "level"), [("succeeded", "info"), ("failed", "error"), ("cancelled", "info")]
)
def test_a_signed_webhook_becomes_an_event(state: str, level: str) -> None:
    """Job, state and time are read; the value is an event like those of a job."""
    content = body(f"fine_tuning.job.{state}")

    event = webhooks.parse(content, signed(content), secret=SECRET)

    assert event is not None
    assert isinstance(event, Event)
    assert (event.id, event.job_id, event.state, event.level) == ("evt_1", "ftjob-1", state, level)
    assert event.created_at == dt.datetime.fromtimestamp(1_700_000_000, dt.UTC)
    assert "ftjob-1" in event.message
    assert state in event.message


def test_text_and_any_case_of_headers_will_do() -> None:
    """Frameworks hand the same request over in different shapes."""
    content = body()

    for spell in ("Webhook-{}", "WEBHOOK-{}"):
        assert webhooks.parse(content.decode(), signed(content, spell=spell), secret=SECRET)


def test_other_webhooks_are_none_of_ours() -> None:
    """An endpoint that gets everything can pass everything on."""
    content = body("response.completed", data={"id": "resp_1"})

    assert webhooks.parse(content, signed(content), secret=SECRET) is None


OTHER = "whsec_" + base64.b64encode(b"another secret").decode()


FAULTS: dict[str, Callable[[], tuple[bytes, dict[str, str], str]]] = {
    "another secret": lambda: (body(), signed(body(), secret=OTHER), "does not match"),
    "another body": lambda: (body(data={"id": "ftjob-2"}), signed(body()), "does not match"),
    "too old": lambda: (body(), signed(body(), age_s=301), "too old"),
    "too new": lambda: (body(), signed(body(), age_s=-400), "too new"),
    "no headers": lambda: (body(), {}, "webhook-signature"),
    "no time stamp": lambda: (
        body(),
        {**signed(body()), "webhook-timestamp": "today"},
        "timestamp",
    ),
    "not text": lambda: (b"\xff", signed(body()), "decode"),
    "not an object": lambda: (b"[]", signed(b"[]"), "no JSON object"),
    "not JSON": lambda: (b"{", signed(b"{"), "not to be trusted"),
    "no job": lambda: (body(data=None), signed(body(data=None)), "names no job"),
    "no date": lambda: (body(created_at="now"), signed(body(created_at="now")), "no time"),
}
"""What can be wrong with a webhook; signed when the test runs, since signatures age."""


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_to_be_trusted_is_refused(fault: str) -> None:
    """Every fault is one error that says what is wrong and holds no secret."""
    content, headers, words = FAULTS[fault]()

    with pytest.raises(WebhookError, match=words) as caught:
        webhooks.parse(content, headers, secret=SECRET)

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "whsec_no base64!"])
def test_a_secret_that_cannot_be_one(secret: str) -> None:
    """A missing or mangled secret never lets a webhook through."""
    content = body()

    with pytest.raises(WebhookError):
        webhooks.parse(content, signed(content), secret=secret)


def test_a_webhook_leads_to_its_job(finished: FineTuneJob) -> None:
    """From the event to the model, on both faces."""
    content = body(data={"id": finished.id})
    event = webhooks.parse(content, signed(content), secret=SECRET)
    assert event is not None

    async def again() -> str | None:
        try:
            return (await event.job_async(provider=finished.provider)).fine_tuned_model
        finally:
            await finished.provider.close_async()

    assert event.job(provider=finished.provider).wait().name == finished.fine_tuned_model
    assert asyncio.run(again()) == finished.fine_tuned_model
