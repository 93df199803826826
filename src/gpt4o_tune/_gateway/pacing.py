"""How fast may many calls go? What a service tells of its limits, turned into when the next call is sent."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from gpt4o_tune._gateway.retrying import backoff

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Pace", "Ticket", "reset_seconds"]

FIRST_AT_ONCE = 16
"""Calls in flight before anything is known of the service."""
FIRST_PAUSE_OF = 2
"""Where a refusal names no time, the pause is that of this attempt of a single call, about a second."""
HINTS_BELIEVED = 2
"""Refusals without an answer between them after which a short hint no longer counts alone."""
SHORTEST_TELLING_RESET = 0.05
"""Seconds; a shorter reset time is too coarse to tell the rate of refill."""
UPWARD_STEP = 0.1
"""Share of the way by which a reading above our own count raises it; one below counts in full."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """One call as it was sent: what had been sent by then, itself included."""

    number: int
    tokens: float
    at: float


class Pace:
    """Decides when the next of many calls may be sent; one for all of them, so one refusal slows all.

    Two allowances, requests and tokens, are kept as token buckets that follow the service's
    `x-ratelimit-*` headers. Where there are none, the number of calls in flight grows with every answer
    and is halved by a refusal. Time is always passed in, so nothing here waits.
    """

    def __init__(self, *, at_once: int) -> None:
        self.refused = 0
        """Requests answered with 429."""
        self._most = at_once
        self._at_once = float(min(FIRST_AT_ONCE, at_once))
        self._requests, self._tokens = _Allowance(), _Allowance()
        self._sent, self._tokens_sent = 0, 0.0
        self._closed_until = 0.0
        self._slowed_at = -1.0
        self._refusals_in_a_row = 0

    def delay(self, now: float, *, in_flight: int, tokens: float) -> float | None:
        """Return seconds until a call of so many tokens may go; None: not before another one ends."""
        if in_flight >= int(self._at_once):
            return None
        return max(
            self._closed_until - now,
            self._requests.delay(now, 1),
            self._tokens.delay(now, tokens),
            0.0,
        )

    def closed_for(self, now: float) -> float:
        """Return seconds for which the service has asked everybody to stay away."""
        return max(0.0, self._closed_until - now)

    def send(self, now: float, *, tokens: float) -> Ticket:
        """Note that a call goes out now."""
        self._sent += 1
        self._tokens_sent += tokens
        self._requests.spend(now, 1)
        self._tokens.spend(now, tokens)
        return Ticket(self._sent, self._tokens_sent, now)

    def answered(self, ticket: Ticket, headers: Mapping[str, str], now: float) -> None:
        """Learn from an answer."""
        self._refusals_in_a_row = 0
        self._read(ticket, headers, now)
        if self._requests.is_known or self._tokens.is_known:
            # The service says what it takes, so there is nothing left to feel out.
            self._at_once = float(self._most)
        elif self._slowed_at < 0:
            self._at_once = min(self._most, self._at_once + 1)
        else:
            self._at_once = min(self._most, self._at_once + 1 / self._at_once)

    def refuse(
        self, ticket: Ticket, headers: Mapping[str, str], now: float, *, hint: float | None
    ) -> None:
        """Learn from a 429; those of calls sent before the last slowdown say nothing new."""
        self.refused += 1
        if ticket.at <= self._slowed_at:
            return
        self._read(ticket, headers, now)
        self._slowed_at = now
        self._refusals_in_a_row += 1
        pause = backoff(FIRST_PAUSE_OF + self._refusals_in_a_row - 1) if hint is None else hint
        if self._refusals_in_a_row > HINTS_BELIEVED:
            pause = max(pause, backoff(self._refusals_in_a_row - HINTS_BELIEVED))
        self._closed_until = max(self._closed_until, now + pause)
        explained = [part for part in (self._requests, self._tokens) if part.is_known]
        for part in explained:
            part.empty(now, until=now + pause)
        if not explained:
            self._at_once = max(1.0, self._at_once / 2)

    def _read(self, ticket: Ticket, headers: Mapping[str, str], now: float) -> None:
        self._requests.read(headers, "requests", ticket.at, self._sent - ticket.number, now)
        self._tokens.read(headers, "tokens", ticket.at, self._tokens_sent - ticket.tokens, now)


class _Allowance:
    """A token bucket that follows what a service tells: its size, what is left, when it is full again."""

    def __init__(self) -> None:
        self.is_known = False
        self._limit: float = 0.0
        self._level: float = 0.0
        self._rate: float = 0.0
        self._told: float = 0.0
        self._filled_at = 0.0
        self._read_of = 0.0

    def delay(self, now: float, units: float) -> float:
        """Return seconds until so many units are there; a call larger than the bucket waits for a full one."""
        if not self.is_known:
            return 0.0
        self._fill(now)
        missing = min(units, self._limit) - self._level
        return missing / self._rate if missing > 0 else 0.0

    def spend(self, now: float, units: float) -> None:
        if self.is_known:
            self._fill(now)
            self._level -= units

    def empty(self, now: float, *, until: float) -> None:
        """Expect the first unit again at `until`, whatever was counted so far."""
        self._fill(now)
        self._level = min(self._level, 1 - (until - now) * self._rate)

    def read(
        self, headers: Mapping[str, str], kind: str, sent_at: float, spent_since: float, now: float
    ) -> None:
        """Follow the headers of a call that was sent at `sent_at`, when the service counted it.

        Since then `spent_since` units went out, and the bucket has filled up a little.
        """
        limit = _number(headers.get(f"x-ratelimit-limit-{kind}"))
        left = _number(headers.get(f"x-ratelimit-remaining-{kind}"))
        if limit is None or left is None or limit <= 0 or sent_at < self._read_of:
            return
        self._read_of = sent_at
        if not self.is_known or limit != self._limit:
            self._rate, self._told = limit / 60, 0.0
        reset = reset_seconds(headers.get(f"x-ratelimit-reset-{kind}")) or 0.0
        # What is left is told in whole units, so one of those used may be a fraction. With it left out,
        # no reading exceeds the true rate, and the highest is the best.
        if reset >= SHORTEST_TELLING_RESET and (limit - left - 1) / reset > self._told:
            self._rate = self._told = (limit - left - 1) / reset
        seen = min(limit, left + (now - sent_at) * self._rate) - spent_since
        self._fill(now)
        if not self.is_known or seen < self._level:
            self._level = seen
        else:
            self._level += UPWARD_STEP * (seen - self._level)
        self.is_known, self._limit = True, limit

    def _fill(self, now: float) -> None:
        self._level = min(self._limit, self._level + (now - self._filled_at) * self._rate)
        self._filled_at = now


_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")


def reset_seconds(text: str | None) -> float | None:
    """Read the time of a reset header: `6m0s`, `120ms`, or plain seconds; None where it is neither."""
    parts = _SPAN.findall(text or "")
    if parts and "".join(map("".join, parts)) == text:
        return sum(float(count) * _UNITS[unit] for count, unit in parts)
    return _number(text)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
