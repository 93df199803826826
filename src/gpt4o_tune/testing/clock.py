"""`VirtualClock`: time that jumps instead of passing."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading

_FIRST_DAY = dt.date(2026, 11, 23)


class VirtualClock:
    """A clock that moves only when somebody sleeps on it or advances it; threads may share it.

    It is what `Provider.clock` takes, so that `FineTuneJob.wait` waits in no time.

    Example:
        >>> clock = VirtualClock()
        >>> clock.sleep(3600)
        >>> clock.seconds
        3600.0

    Args:
        today: The day on which it starts, at midnight UTC. Models are on offer or retired by it.

    Attributes:
        sleeps: Every sleep so far, in seconds.
    """

    def __init__(self, *, today: dt.date = _FIRST_DAY) -> None:
        self._start = dt.datetime(today.year, today.month, today.day, tzinfo=dt.UTC)
        self._seconds = 0.0
        self._lock = threading.Lock()
        self.sleeps: list[float] = []

    def __repr__(self) -> str:
        return (
            f"VirtualClock({self._start + dt.timedelta(seconds=self._seconds):%Y-%m-%d %H:%M:%S})"
        )

    @property
    def seconds(self) -> float:
        """How far it has moved since its start."""
        return self._seconds

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._seconds

    def time(self) -> float:
        """Return seconds since 1970, as the service writes them into what it makes."""
        return self._start.timestamp() + self._seconds

    def today(self) -> dt.date:
        """Return the day, in UTC."""
        return (self._start + dt.timedelta(seconds=self._seconds)).date()

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"time does not run backwards: seconds={seconds!r}")
        with self._lock:
            self._seconds += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass and remember that somebody waited for it."""
        self.advance(seconds)
        self.sleeps.append(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """As `sleep`, and give other tasks their turn."""
        self.sleep(seconds)
        await asyncio.sleep(0)
