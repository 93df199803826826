"""Thousands of calls, each to its own end: paced together, repeated alone, handed over as they finish."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, cast

import openai

from gpt4o_tune._gateway.failures import advised, is_repeatable, server_hint
from gpt4o_tune._gateway.pacing import Pace, Ticket
from gpt4o_tune._gateway.retrying import backoff

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gpt4o_tune._connection import Clock
    from gpt4o_tune._gateway.lanes import Lanes, Reply

__all__ = ["Call", "ManyCalls", "Outcome", "Traffic", "Watcher"]

SHORTEST_ATTEMPT = 1.0
"""Seconds that an attempt gets even where the call's deadline is nearer."""
CHARACTERS_PER_TOKEN = 4.0
"""Of a request's body, before the first answer has told; what OpenAI's own limiter is said to assume."""


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One request to make."""

    row: int
    body: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one call ended: with a reply, or with the error of its last attempt."""

    row: int
    reply: Mapping[str, object] | None = None
    error: openai.OpenAIError | None = None
    seconds: float
    """Of the last attempt, from sending to the whole answer."""
    attempts: int


@dataclasses.dataclass(slots=True)
class Traffic:
    """What happened on the way."""

    refused: int = 0
    """Requests answered with 429."""
    stopped_by: openai.OpenAIError | None = None
    """The refusal that concerns every call, so that no further one was sent."""
    is_over_budget: bool = False
    """No further call was sent since the watcher could not afford one."""


class Watcher:
    """Who follows many calls. Methods are called one at a time; `look` maybe from another thread."""

    def afford(self, in_flight: int) -> bool:
        """Say whether one more call may be sent beside those in flight."""
        return True

    def settle(self, outcome: Outcome) -> None:
        """Take what a call has come to; an error raised here ends all."""

    def reroute(self, row: int, error: openai.OpenAIError) -> bytes | None:
        """Give another body to send in place of a call that failed for good, or None."""
        return None

    def look(self) -> None:
        """Show progress; called a few times a second."""


class ManyCalls:
    """One run over many calls, on the running event loop."""

    def __init__(
        self,
        lanes: Lanes,
        clock: Clock,
        watcher: Watcher,
        *,
        base_url: str,
        at_once: int,
        timeout: float,
        max_attempts: int,
        answer_tokens: int | None,
    ) -> None:
        self._lanes, self._clock, self._watcher = lanes, clock, watcher
        self._base_url = base_url
        self._at_once, self._timeout, self._max_attempts = at_once, timeout, max_attempts
        self._pace = Pace(at_once=at_once)
        self._size = _Size(answer_tokens)
        self._traffic = Traffic()
        self._in_flight = 0
        self._is_open = True
        self._refusal: openai.RateLimitError | None = None
        self._turn = asyncio.Lock()
        self._ended = asyncio.Event()

    async def run(self, calls: Iterable[Call]) -> Traffic:
        """Make the calls, at most `at_once` at the same time, in about their order."""
        rest = iter(calls)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._at_once):
                    group.create_task(self._work(rest))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        self._traffic.refused = self._pace.refused
        return self._traffic

    async def _work(self, rest: Iterator[Call]) -> None:
        for call in rest:
            outcome = await self._call(call.row, call.body)
            if outcome is None:
                return
            if outcome.error is not None:
                other = self._watcher.reroute(call.row, outcome.error)
                outcome = (await self._call(call.row, other) if other else None) or outcome
            self._watcher.settle(outcome)

    async def _call(self, row: int, body: bytes) -> Outcome | None:
        """Make one call until it is answered, refused for good, or out of time; None: never sent."""
        attempts, end, error, seconds = 0, None, None, 0.0
        while await self._enter(tokens := self._size.guess(body), end):
            sent_at = self._clock.now()
            end = sent_at + self._timeout if end is None else end
            ticket = self._pace.send(sent_at, tokens=tokens)
            attempts += 1
            try:
                with advised(self._base_url):
                    limit = max(SHORTEST_ATTEMPT, end - sent_at)
                    reply = await self._lanes.send(body, timeout=limit)
            except openai.OpenAIError as failure:
                error = failure
            else:
                seconds = self._clock.now() - sent_at
                self._pace.answered(ticket, reply.headers, sent_at + seconds)
                self._size.learn(body, reply)
                return Outcome(row=row, reply=reply.body, seconds=seconds, attempts=attempts)
            finally:
                self._in_flight -= 1
                self._ended.set()
            seconds = self._clock.now() - sent_at
            pause = self._pause(error, ticket, attempts, end)
            if pause is None:
                break
            await self._clock.sleep_async(pause)
        if error is None:
            return None
        return Outcome(row=row, error=error, seconds=seconds, attempts=attempts)

    def _pause(
        self, error: openai.OpenAIError, ticket: Ticket, attempts: int, end: float
    ) -> float | None:
        """Return seconds after which a failed call may line up again; None where it has failed for good."""
        now = self._clock.now()
        hint = server_hint(error)
        if isinstance(error, openai.RateLimitError):
            # No failure of this call's own: the pace keeps everybody away for as long as it takes.
            self._refusal = error
            self._pace.refuse(ticket, error.response.headers, now, hint=hint)
        if _concerns_all(error):
            self._close(error)
        elif isinstance(error, openai.RateLimitError) and is_repeatable(error) and now < end:
            return 0.0
        elif is_repeatable(error) and attempts < self._max_attempts:
            pause = max(hint or 0.0, backoff(attempts))
            return pause if now + pause <= end else None
        return None

    async def _enter(self, tokens: float, end: float | None) -> bool:
        """Wait for a call's turn; False where none is sent any more, or its deadline comes first."""
        async with self._turn:
            while self._is_open:
                now = self._clock.now()
                patience = self._timeout if end is None else end - now
                if self._refusal is not None and self._pace.closed_for(now) > patience:
                    if end is None:
                        self._close(self._refusal)
                    return False
                delay = self._pace.delay(now, in_flight=self._in_flight, tokens=tokens)
                if not self._watcher.afford(self._in_flight):
                    if not self._in_flight:
                        self._traffic.is_over_budget, self._is_open = True, False
                        return False
                    delay = None
                if delay == 0:
                    self._in_flight += 1
                    return True
                if delay is None:
                    await self._until_one_ends()
                else:
                    await self._clock.sleep_async(delay)
        return False

    async def _until_one_ends(self) -> None:
        self._ended.clear()
        await self._ended.wait()

    def _close(self, error: openai.OpenAIError) -> None:
        self._is_open = False
        self._traffic.stopped_by = self._traffic.stopped_by or error


class _Size:
    """How many tokens a call will take from the allowance; learned from the answers."""

    def __init__(self, answer_tokens: int | None) -> None:
        self._answer_tokens = answer_tokens
        self._characters = self._prompt = self._written = self._answers = 0

    def guess(self, body: bytes) -> float:
        per_token = self._characters / self._prompt if self._prompt else CHARACTERS_PER_TOKEN
        written = self._written / self._answers if self._answers else 0
        return len(body) / per_token + (
            written if self._answer_tokens is None else self._answer_tokens
        )

    def learn(self, body: bytes, reply: Reply) -> None:
        usage = reply.body.get("usage")
        if isinstance(usage, dict):
            counts = cast("Mapping[str, object]", usage)
            prompt, written = counts.get("prompt_tokens"), counts.get("completion_tokens")
            if isinstance(prompt, int) and isinstance(written, int):
                self._characters += len(body)
                self._prompt += prompt
                self._written += written
                self._answers += 1


def _concerns_all(error: openai.OpenAIError) -> bool:
    """Say whether every other call would be refused as well: a wrong key, or nothing left to spend."""
    if isinstance(error, openai.RateLimitError):
        return error.code == "insufficient_quota"
    return isinstance(error, openai.AuthenticationError)
