"""Webhooks: the service calls you when a job has ended, instead of you asking.

    event = webhooks.parse(request.body, request.headers, secret=secret)
    if event is not None and event.state == "succeeded":
        model = event.job().wait()

The signature is checked by the scheme of https://www.standardwebhooks.com. A service may deliver the
same webhook more than once: `id` is then the same.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, cast

from gpt4o_tune.errors import WebhookError
from gpt4o_tune.jobs.events import Event
from gpt4o_tune.jobs.states import SPELLINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.jobs.job import FineTuneJob
    from gpt4o_tune.providers import Provider

__all__ = ["WebhookEvent", "parse"]

PREFIX = "fine_tuning.job."


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class WebhookEvent(Event):
    """A job has ended, as its service tells by a webhook; an `Event` like those of `job.events()`."""

    job_id: str
    state: str
    """`succeeded`, `failed` or `cancelled`."""

    def job(self, *, provider: Provider | None = None) -> FineTuneJob:
        """Look the job up; errors as for `FineTuneJob.get`."""
        from gpt4o_tune.jobs.job import FineTuneJob

        return FineTuneJob.get(self.job_id, provider=provider)

    async def job_async(self, *, provider: Provider | None = None) -> FineTuneJob:
        """As `job`, without blocking."""
        from gpt4o_tune.jobs.job import FineTuneJob

        return await FineTuneJob.get_async(self.job_id, provider=provider)


def parse(body: str | bytes, headers: Mapping[str, str], *, secret: str) -> WebhookEvent | None:
    """Verify a webhook and read it.

    Args:
        body: The request's body, byte for byte as it came: parsed and written again it has another
            signature.
        headers: The request's headers; their case does not matter.
        secret: The endpoint's secret, such as `whsec_...`.

    Returns:
        What happened to which job; None for webhooks about anything else than fine-tuning jobs.

    Raises:
        WebhookError: The signature is wrong or missing, is older than five minutes, or the body is
            not what the service documents.
    """
    from gpt4o_tune._gateway import signed_payload

    if not secret:
        raise WebhookError(
            "there is no secret to verify by; copy the one of the webhook's endpoint"
        )
    try:
        payload = signed_payload(body, headers, secret=secret)
    except ValueError as error:
        raise WebhookError(
            f"this webhook is not to be trusted: {error}. Pass the body byte for byte as it came, and "
            "the secret of this very endpoint"
        ) from error
    kind = payload.get("type")
    if not isinstance(kind, str) or not kind.startswith(PREFIX):
        return None
    return _read(payload, state=kind.removeprefix(PREFIX))


def _read(payload: Mapping[str, object], *, state: str) -> WebhookEvent:
    data = payload.get("data")
    fields = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    job_id, created_at = fields.get("id"), payload.get("created_at")
    if not isinstance(job_id, str) or not isinstance(created_at, int | float):
        raise WebhookError(
            "the webhook is signed, but names no job or no time: its form may be newer than this library"
        )
    state = SPELLINGS.get(state, state)
    return WebhookEvent(
        id=str(payload.get("id") or ""),
        created_at=dt.datetime.fromtimestamp(created_at, dt.UTC),
        level="error" if state == "failed" else "info",
        kind="message",
        message=f"job {job_id!r} has {state}"
        if state != "cancelled"
        else f"job {job_id!r} was cancelled",
        data=fields,
        job_id=job_id,
        state=state,
    )
