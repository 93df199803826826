"""Is the new model there yet? `docs/design/readiness.md` says why this is asked, and what it costs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpt4o_tune._gateway import Gateway

__all__ = ["READY_TIMEOUT", "await_ready", "not_ready"]

log = logging.getLogger("gpt4o_tune")

READY_TIMEOUT = 600.0
"""Seconds for which a fresh model that is not found is asked again."""
FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 2.0, 30.0, 1.5
"""Seconds between two probes."""


async def await_ready(gateway: Gateway, model: str, *, timeout: float) -> bool:
    """Ask a model for one token until the service finds it.

    Returns:
        Whether it was found within `timeout` seconds.
    """
    end = gateway.now() + timeout
    pause = FIRST_PAUSE
    while not await gateway.answers(model, patience=max(0.0, end - gateway.now())):
        left = end - gateway.now()
        if left <= 0:
            return False
        log.info("model %r does not answer yet; asking again in %.0f s", model, min(pause, left))
        await gateway.sleep(min(pause, left))
        pause = min(pause * GROWTH, LONGEST_PAUSE)
    return True


def not_ready(model: str, *, timeout: float) -> str:
    """Say that a model does not answer, and what else a 404 can mean."""
    return (
        f"model {model!r} does not answer after {timeout:.0f} s. It may need more time; otherwise this "
        "key's project or organisation may not see it, or the service wants it deployed first"
    )
