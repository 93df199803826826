"""How a read is repeated: tenacity with backoff, jitter, the server's hint, and bounded patience."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

import tenacity

from gpt4o_tune._gateway.failures import is_repeatable, server_hint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gpt4o_tune._connection import Clock

__all__ = ["backoff", "repeating"]

log = logging.getLogger("gpt4o_tune")

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds between repeats: they double from the first to the longest; half of each is jitter."""


def repeating(
    clock: Clock, patience: float, sleep: Callable[[float], Awaitable[None]]
) -> tenacity.AsyncRetrying:
    """Return a controller that repeats a call until it answers or `patience` seconds are spent."""
    bounds = _Patience(clock, patience)
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(is_repeatable),
        wait=bounds.delay,
        stop=bounds.is_spent,
        sleep=sleep,
        before_sleep=_log_repeat,
        reraise=True,
    )


class _Patience:
    """How long to wait before the next attempt, and when there is none, on the gateway's clock."""

    def __init__(self, clock: Clock, patience: float) -> None:
        self._clock = clock
        self._end = clock.now() + patience

    def delay(self, state: tenacity.RetryCallState) -> float:
        """Return seconds: the server's hint where it is longer than our own backoff."""
        own = backoff(state.attempt_number)
        hint = server_hint(_error_of(state))
        # A hint of 0 must not become a busy loop, and the last attempt of our own falls on the end.
        return max(hint, own) if hint else min(own, self._left())

    def is_spent(self, state: tenacity.RetryCallState) -> bool:
        """Say whether the next attempt would start after the end."""
        return self._left() <= 0 or state.upcoming_sleep > self._left()

    def _left(self) -> float:
        return max(0.0, self._end - self._clock.now())


def backoff(attempt: int) -> float:
    """Return seconds to wait after that many attempts, with jitter."""
    # The exponent is bounded since attempts are not.
    full = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(attempt - 1, 16))
    return random.uniform(full / 2, full)  # noqa: S311  # jitter is no secret


def _log_repeat(state: tenacity.RetryCallState) -> None:
    error, pause = type(_error_of(state)).__name__, state.upcoming_sleep
    # The second failure in a row is worth knowing; a single one is everyday weather.
    level = logging.WARNING if state.attempt_number == 2 else logging.INFO
    log.log(level, "%s: trying again in %.1f s (attempt %d)", error, pause, state.attempt_number)


def _error_of(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
