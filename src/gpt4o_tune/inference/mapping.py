"""Many inputs, one model: the run behind `CustomModel.map` and the answers of a comparison.

`docs/design/throughput.md` says how the pace is found and what the journal promises.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from gpt4o_tune._display import bar, live_line, money
from gpt4o_tune._gateway import Call, Outcome, Watcher
from gpt4o_tune.errors import ProviderError
from gpt4o_tune.inference.inputs import Request, encode
from gpt4o_tune.inference.journal import Journal
from gpt4o_tune.inference.results import MapAnswer, MapResult
from gpt4o_tune.inference.usage import Meter, Usage, tariff

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import openai

    from gpt4o_tune._gateway import Gateway, Traffic
    from gpt4o_tune.catalog import ProviderKind
    from gpt4o_tune.inference.fallback import Route

__all__ = ["AT_ONCE", "MAX_ATTEMPTS", "TIMEOUT", "MapOptions", "map_requests"]

log = logging.getLogger("gpt4o_tune")

AT_ONCE = 64
"""Calls in flight where nothing else is said."""
TIMEOUT = 600.0
"""Seconds for one input, with all its attempts."""
MAX_ATTEMPTS = 6
"""Attempts for one input; refusals for the rate come on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """How many calls are made."""

    at_once: int = AT_ONCE
    timeout: float = TIMEOUT
    max_attempts: int = MAX_ATTEMPTS
    budget_usd: float | None = None
    journal: str | os.PathLike[str] | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        for name in ("at_once", "timeout", "max_attempts"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)!r}")
        if self.budget_usd is not None and self.budget_usd < 0:
            raise ValueError(f"budget_usd must be 0 or more, not {self.budget_usd!r}")


async def map_requests(
    gateway: Gateway,
    requests: Sequence[Request],
    *,
    route: Route,
    kind: ProviderKind,
    meter: Meter,
    options: MapOptions,
) -> MapResult:
    """Make all requests, each to its own end.

    Raises:
        JournalError: The journal is of other inputs, damaged, or in use.
        ProviderError: There is a budget, but the catalog has no price for the model.
        TypeError: A request holds something that is no JSON.
        openai.APIStatusError: The first refusal concerned every call, and nothing was answered at all.
    """
    if options.budget_usd is not None:
        _require_price(route, kind)
    journal = None
    if options.journal is not None:
        bodies = (encode(request, model=route.name) for request in requests)
        journal = Journal(options.journal, bodies)
    task = _Run(requests, route, kind, meter, gateway, options, journal)
    started = gateway.now()
    try:
        traffic = await gateway.chat_many(
            task.calls(),
            task,
            at_once=options.at_once,
            timeout=options.timeout,
            max_attempts=options.max_attempts,
            answer_tokens=_answer_tokens(requests),
        )
    except BaseException:
        task.say_how_to_go_on()
        raise
    finally:
        task.close()
    if traffic.stopped_by is not None and not task.total.calls:
        raise traffic.stopped_by
    return MapResult(
        answers=task.answers(_why_stopped(traffic, options)),
        model=route.name,
        seconds=gateway.now() - started,
        refused_requests=traffic.refused,
        stopped=_why_stopped(traffic, options),
        journal=None if journal is None else journal.path,
    )


class _Run(Watcher):
    """One run over the requests: it keeps what each came to, and what all cost so far."""

    def __init__(
        self,
        requests: Sequence[Request],
        route: Route,
        kind: ProviderKind,
        meter: Meter,
        gateway: Gateway,
        options: MapOptions,
        journal: Journal | None,
    ) -> None:
        self._requests, self._route = requests, route
        self._kind: ProviderKind = kind
        self._meter, self._gateway = meter, gateway
        self._budget, self._journal = options.budget_usd, journal
        self._line = live_line(progress=options.progress)
        self._answers: list[MapAnswer | None] = [None] * len(requests)
        self._asked: dict[int, str] = {}
        self._failed = 0
        self._dearest: float | None = None
        self.total = Usage()
        """Of all answers, those of earlier runs included."""
        for row, record in (journal.finished if journal else {}).items():
            if "error" not in record:
                self._keep(_answer_of(record, row, route, kind))

    def calls(self) -> Iterator[Call]:
        """Yield what is not answered yet, encoded when it is due."""
        for row, request in enumerate(self._requests):
            if self._answers[row] is None:
                self._asked[row] = model = self._route.due(self._gateway.now())
                yield Call(row, encode(request, model=model))

    def afford(self, in_flight: int) -> bool:
        """Keep the dearest price so far free for each call in flight; the first call goes alone."""
        if self._budget is None:
            return True
        if self._dearest is None:
            return not in_flight and self._budget > 0
        return (self.total.usd or 0.0) + self._dearest * (in_flight + 1) <= self._budget

    def settle(self, outcome: Outcome) -> None:
        record = _record(outcome, self._asked.pop(outcome.row))
        if self._journal is not None:
            self._journal.write(outcome.row, record)
        answer = _answer_of(record, outcome.row, self._route, self._kind, is_old=False)
        self._meter.add(answer.usage)
        self._keep(answer)

    def reroute(self, row: int, error: openai.OpenAIError) -> bytes | None:
        other = self._route.other(self._asked[row], error, self._gateway.now())
        if other is None:
            return None
        self._asked[row] = other
        return encode(self._requests[row], model=other)

    def look(self) -> None:
        if self._journal is not None:
            self._journal.sync()
        if self._line.is_seen:
            self._line.show(self._progress())

    def close(self) -> None:
        self.look()
        self._line.close()
        if self._journal is not None:
            self._journal.close()

    def answers(self, reason: str | None) -> tuple[MapAnswer, ...]:
        """Return what each request came to; those left out say why."""
        unasked = f"not asked: {reason}"
        return tuple(
            MapAnswer(row=row, error=unasked) if answer is None else answer
            for row, answer in enumerate(self._answers)
        )

    def say_how_to_go_on(self) -> None:
        done = self.total.calls
        if self._journal is not None:
            log.warning(
                "stopped after %d of %d inputs. Their answers are in %r: make the same call again with "
                "this journal= to go on, without paying for them twice",
                done,
                len(self._answers),
                str(self._journal.path),
            )
        elif done:
            log.warning(
                "stopped after %d of %d inputs, whose answers are lost; with journal='FILE.jsonl' they "
                "are kept",
                done,
                len(self._answers),
            )

    def _keep(self, answer: MapAnswer) -> None:
        self._answers[answer.row] = answer
        self._failed += answer.error is not None
        self.total += answer.usage
        if answer.usage.usd is not None and answer.usage.calls:
            self._dearest = max(self._dearest or 0.0, answer.usage.usd)

    def _progress(self) -> str:
        done, every = self.total.calls + self._failed, len(self._answers)
        errors = f"  {self._failed:,} failed" if self._failed else ""
        return (
            f"{bar(done / every if every else 1)}  {done:,}/{every:,}  {self.total.tokens:,} tokens  "
            f"{money(self.total.usd)}{errors}  {self._route.name}"
        )


def _record(outcome: Outcome, model: str) -> dict[str, object]:
    """Write what a call came to as it stands in the journal."""
    if outcome.error is not None:
        error = f"{type(outcome.error).__name__}: {outcome.error}"
        return {"error": error, "model": model, "attempts": outcome.attempts}
    reply = outcome.reply or {}
    choice = _first_choice(reply)
    return {
        "model": model,
        "message": choice.get("message") or {},
        "finish_reason": choice.get("finish_reason"),
        "usage": reply.get("usage"),
        "latency_seconds": round(outcome.seconds, 6),
        "attempts": outcome.attempts,
    }


def _answer_of(
    record: Mapping[str, object], row: int, route: Route, kind: ProviderKind, *, is_old: bool = True
) -> MapAnswer:
    model, attempts = cast("str", record["model"]), cast("int", record["attempts"])
    if "error" in record:
        return MapAnswer(row=row, error=str(record["error"]), model=model, attempts=attempts)
    message = cast("Mapping[str, object]", record["message"])
    text = message.get("content")
    has_answer = text is not None or message.get("tool_calls")
    return MapAnswer(
        row=row,
        text=text if isinstance(text, str) else None,
        error=None if has_answer else _emptiness(message, record),
        message=message,
        finish_reason=cast("str | None", record["finish_reason"]),
        model=model,
        is_fallback=model == route.fallback,
        usage=tariff(model, kind).usage(record["usage"]),
        latency_seconds=cast("float", record["latency_seconds"]),
        attempts=attempts,
        from_journal=is_old,
    )


def _emptiness(message: Mapping[str, object], record: Mapping[str, object]) -> str:
    refusal = message.get("refusal")
    if refusal:
        return f"the model refused: {refusal}"
    return f"no text in the answer (finish reason {record['finish_reason']!r})"


def _first_choice(reply: Mapping[str, object]) -> Mapping[str, object]:
    choices = reply.get("choices")
    for choice in cast("Sequence[object]", choices if isinstance(choices, list) else ()):
        if isinstance(choice, Mapping):
            return cast("Mapping[str, object]", choice)
    return {}


def _answer_tokens(requests: Sequence[Request]) -> int | None:
    """Return the limit on an answer's tokens, which services take off the rate beforehand."""
    first = requests[0] if requests else {}
    limit = first.get("max_completion_tokens") or first.get("max_tokens")
    return limit if isinstance(limit, int) else None


def _why_stopped(traffic: Traffic, options: MapOptions) -> str | None:
    if traffic.is_over_budget:
        return (
            f"the next call might have exceeded the budget of {money(options.budget_usd)}; raise "
            "budget_usd= to go on"
        )
    if traffic.stopped_by is not None:
        return f"{type(traffic.stopped_by).__name__}: {traffic.stopped_by}"
    return None


def _require_price(route: Route, kind: ProviderKind) -> None:
    for name in filter(None, (route.name, route.fallback)):
        prices = tariff(name, kind)
        if prices.input_usd is None or prices.output_usd is None:
            raise ProviderError(
                f"{prices.basis} Without one no budget can be kept: leave out budget_usd=, or limit the "
                "inputs and max_completion_tokens="
            )
