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

__all__ = ["repeating"]

log = logging.getLogger("gpt4o_tune")

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds between repeats: they double from the first to the longest; half of each is jitter."""


def repeating(
    clock: Clock, patience: float, sleep: Callable[[float], Awaitable[None]]
) -> tenacity.AsyncRetrying:
    """Return a controller that repeats a call until it answers or `patience` seconds are spent."""
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(is_repeatable),
        wait=_delay,
        stop=_OutOfPatience(clock, patience),
        sleep=sleep,
        before_sleep=_log_repeat,
        reraise=True,
    )


class _OutOfPatience(tenacity.stop.stop_base):
    """Stops when the next attempt would start after the patience is spent, on the gateway's clock."""

    def __init__(self, clock: Clock, patience: float) -> None:
        self._clock = clock
        self._end = clock.now() + patience

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return self._clock.now() + retry_state.upcoming_sleep > self._end


def _delay(state: tenacity.RetryCallState) -> float:
    hint = server_hint(_error_of(state))
    if hint is not None:
        return hint
    full = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (state.attempt_number - 1))
    return random.uniform(full / 2, full)  # noqa: S311  # jitter is no secret


def _log_repeat(state: tenacity.RetryCallState) -> None:
    error, pause = type(_error_of(state)).__name__, state.upcoming_sleep
    # The second failure in a row is worth knowing; a single one is everyday weather.
    level = logging.WARNING if state.attempt_number == 2 else logging.INFO
    log.log(level, "%s: trying again in %.1f s (attempt %d)", error, pause, state.attempt_number)


def _error_of(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
