"""What a client needs to reach a service, and the clock that waiting goes by.

Apart from the gateway, so that describing a provider does not import openai.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SYSTEM_CLOCK", "Clock", "Connection", "Paced"]


class Clock(Protocol):
    """Where waiting takes its time from; replaced in tests, so that nothing sleeps there."""

    def now(self) -> float:
        """Return monotonic seconds."""
        ...

    def today(self) -> dt.date:
        """Return the day by which models are on offer or retired."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block for that long."""
        ...

    async def sleep_async(self, seconds: float) -> None:
        """Suspend for that long."""
        ...


class _SystemClock:
    def now(self) -> float:
        return time.monotonic()

    def today(self) -> dt.date:
        return dt.datetime.now(dt.UTC).date()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


SYSTEM_CLOCK: Clock = _SystemClock()


class Paced:
    """What waits on a clock, blocking or suspending as the client behind it does."""

    def __init__(self, clock: Clock, *, blocking: bool) -> None:
        self._clock = clock
        self._blocking = blocking

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait, without blocking a running event loop."""
        if self._blocking:
            self._clock.sleep(seconds)
        else:
            await self._clock.sleep_async(seconds)


@dataclasses.dataclass(frozen=True, slots=True)
class Connection:
    """What a client needs to reach a service."""

    base_url: str
    api_key: str | Callable[[], str] = dataclasses.field(repr=False)
    organization: str | None = None
    project: str | None = None
    headers: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)
    query: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)
    clock: Clock = dataclasses.field(default=SYSTEM_CLOCK, repr=False, compare=False)
