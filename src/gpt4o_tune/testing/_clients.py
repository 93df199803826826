"""Official clients on a transport of ours: the one place outside the gateway that imports openai."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai

if TYPE_CHECKING:
    import httpx2


def blocking_client(
    base_url: str,
    api_key: str,
    transport: httpx2.BaseTransport,
    *,
    retries: int,
    timeout: float | None,
) -> openai.OpenAI:
    """Make a blocking client."""
    return openai.OpenAI(
        base_url=base_url,
        api_key=api_key,
        max_retries=retries,
        timeout=openai.not_given if timeout is None else timeout,
        http_client=openai.DefaultHttpx2Client(transport=transport),
    )


def suspending_client(
    base_url: str,
    api_key: str,
    transport: httpx2.AsyncBaseTransport,
    *,
    retries: int,
    timeout: float | None,
) -> openai.AsyncOpenAI:
    """Make an asynchronous client."""
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key=api_key,
        max_retries=retries,
        timeout=openai.not_given if timeout is None else timeout,
        http_client=openai.DefaultAsyncHttpx2Client(transport=transport),
    )
