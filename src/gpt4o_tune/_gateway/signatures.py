"""Who sent this? Webhook signatures, verified by the client's own code."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, cast

import openai

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["signed_payload"]


def signed_payload(
    body: str | bytes, headers: Mapping[str, str], *, secret: str
) -> dict[str, object]:
    """Return the JSON object of a webhook that was signed with `secret` within the last five minutes.

    Raises:
        ValueError: The signature, the time stamp or the body is not sound.
    """
    _client().webhooks.verify_signature(body, headers, secret=secret)
    payload: object = json.loads(body)
    if not isinstance(payload, dict):
        raise ValueError("the body is no JSON object")
    return cast("dict[str, object]", payload)


@functools.cache
def _client() -> openai.OpenAI:
    # Verifying sends nothing, so the key is never looked at.
    return openai.OpenAI(api_key="unused", base_url="http://localhost", max_retries=0)
