"""Sending what must not be done twice: after a doubtful failure, look before sending again."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gpt4o_tune._gateway.failures import UnconfirmedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gpt4o_tune._gateway.gateway import Gateway

__all__ = ["LOOK_UP_PATIENCE", "send_once"]

ATTEMPTS = 3
"""How often a request is sent at most, each time only after the look-ups found nothing."""
SETTLING = (0.5, 1.5, 4.0)
"""Seconds before each look-up after a doubtful failure; the server may still be at work."""
LONGEST_HINT = 900.0
"""Seconds of Retry-After that are waited for; a service that asks for more is left for today."""
LOOK_UP_PATIENCE = 600.0
"""Seconds for which a look-up is repeated once something may have been paid for."""

T = TypeVar("T")


async def send_once(
    gateway: Gateway,
    send: Callable[[], Awaitable[T]],
    look_up: Callable[[], Awaitable[T | None]],
) -> T:
    """Send a request until it is answered, and never again where the first one took effect.

    Args:
        gateway: Where sleeping happens.
        send: Sends the request exactly once; raises UnconfirmedError where its outcome stays open.
        look_up: Finds what the request makes, or None.

    Raises:
        openai.APIError: The service refused, or no attempt was answered or found.
    """
    attempts = 0
    while True:
        attempts += 1
        try:
            return await send()
        except UnconfirmedError as unconfirmed:
            hint = unconfirmed.server_hint or 0.0
            patient = hint <= LONGEST_HINT
            first = max(SETTLING[0], hint) if patient else SETTLING[0]
            for pause in (first, *SETTLING[1:]):
                await gateway.sleep(pause)
                if (found := await look_up()) is not None:
                    return found
            if attempts == ATTEMPTS or not patient:
                raise unconfirmed.error from None
