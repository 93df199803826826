"""The pace of many calls, against a simulated service: no waiting, no network."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune._gateway.pacing import Pace, Ticket, reset_seconds


@dataclass
class Limiter:
    """A service's token bucket in simulated time, with or without headers that tell of it."""

    per_second: float
    burst: float
    tells: bool = True
    level: float = -1.0
    filled: float = 0.0

    def ask(self, now: float) -> tuple[bool, dict[str, str]]:
        if self.level < 0:
            self.level = self.burst
        self.level = min(self.burst, self.level + (now - self.filled) * self.per_second)
        self.filled = now
        is_admitted = self.level >= 1
        self.level -= is_admitted
        reset = (self.burst - self.level) / self.per_second
        told = {
            "x-ratelimit-limit-requests": str(int(self.burst)),
            "x-ratelimit-remaining-requests": str(int(self.level)),
            "x-ratelimit-reset-requests": f"{reset * 1000:.0f}ms",
        }
        return is_admitted, told if self.tells else {}


def simulate(
    limiter: Limiter, *, rows: int, at_once: int, latency: float, hint: float | None = None
) -> tuple[float, int]:
    """Make so many calls; return when the last was answered, and how many were refused."""
    pace, now, left = Pace(at_once=at_once), 0.0, rows
    under_way: list[tuple[float, int, Ticket, bool, dict[str, str]]] = []
    while left or under_way:
        delay = pace.delay(now, in_flight=len(under_way), tokens=1) if left else None
        if delay == 0:
            ticket = pace.send(now, tokens=1)
            is_admitted, told = limiter.ask(now)
            left -= 1
            end = now + (latency if is_admitted else 0.002)
            heapq.heappush(under_way, (end, ticket.number, ticket, is_admitted, told))
            continue
        turn = float("inf") if delay is None else now + delay
        if under_way and under_way[0][0] <= turn:
            now, _, ticket, is_admitted, told = heapq.heappop(under_way)
            if is_admitted:
                pace.answered(ticket, told, now)
            else:
                pace.refuse(ticket, told, now, hint=hint)
                left += 1
        else:
            # A step of its own, as a clock has no infinite precision.
            now = turn + 1e-9
    return now, pace.refused


@settings(max_examples=30)
@given(
    per_second=st.floats(0.5, 500),
    burst_seconds=st.sampled_from([1, 5, 60]),
    latency=st.floats(0.05, 5),
    at_once=st.integers(1, 256),
)
def test_told_limits_are_used_and_hardly_overstepped(
    per_second: float, burst_seconds: int, latency: float, at_once: int
) -> None:
    """Whatever the limit, burst, latency and width: few refusals, and little time lost."""
    # Smaller buckets, told in whole units, tell too little of their rate.
    burst = max(20.0, per_second * burst_seconds)
    rows = int(min(burst + 20 * per_second, 2000)) + 20

    seconds, refused = simulate(
        Limiter(per_second, burst), rows=rows, at_once=at_once, latency=latency
    )

    ideal = max((rows - burst) / per_second, rows * latency / at_once)
    assert refused <= 16 + 0.05 * rows
    assert seconds <= 1.3 * ideal + 3 * latency + 6 + 4 / per_second


def test_where_nothing_is_told_the_calls_in_flight_are_felt_out() -> None:
    """Without headers the calls in flight double per round, and a refusal halves them, once."""
    free, refused = simulate(Limiter(1e6, 1e6, tells=False), rows=2000, at_once=256, latency=1)
    slow, some = simulate(
        Limiter(50, 50, tells=False), rows=500, at_once=256, latency=0.5, hint=1.0
    )

    assert refused == 0
    assert free <= 14  # 8 rounds of 256 at best, 4 more to grow
    assert some <= 200
    assert slow <= 30  # 9 s at best


@given(st.integers(0, 10**7))
def test_reset_times_are_read_as_openai_writes_them(milliseconds: int) -> None:
    """Hours, minutes, seconds and milliseconds in any mix, and plain seconds."""
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    seconds, rest = divmod(rest, 1000)

    written = f"{hours}h{minutes}m{seconds}s{rest}ms"
    assert reset_seconds(written) == pytest.approx(milliseconds / 1000)
    assert reset_seconds(str(milliseconds)) == milliseconds
    assert reset_seconds("soon") is None
    assert reset_seconds(None) is None
