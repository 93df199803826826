"""Faults on demand: what goes wrong with which request, how often, and in which order."""

from __future__ import annotations

import math
import random
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict, Unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gpt4o_tune.testing.clock import VirtualClock
    from gpt4o_tune.testing.recording import RecordedRequest

_CHAT = "POST /v1/chat/completions"
_MINUTE_S = 60.0


class UnusedFaultWarning(UserWarning):
    """A scripted fault that no request met: the test does not test what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one kind of request; `Faults.add` makes one from the same settings."""

    route: str = "*"
    """Such as `POST /v1/fine_tuning/jobs`; see `RecordedRequest.matches`."""
    status: int | None = None
    """Answer with this status instead of the server's."""
    code: str | None = None
    """The error code in the body of that answer."""
    body: str | bytes | Mapping[str, object] | None = None
    """The whole body of that answer, in place of an error in OpenAI's shape."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Added to the answer, such as `retry-after`."""
    drop: bool = False
    """Cut the connection without an answer."""
    after_commit: bool = False
    """Let the server act on the request first; only its answer is lost."""
    delay: float = 0.0
    """Real seconds before the server acts, or with `after_commit` before it answers."""
    cut_after: int | None = None
    """Cut the connection after so many events of a stream; a plain body breaks off half-way."""
    garbage_after: int | None = None
    """Put a line that is no JSON after so many events of a stream, or in place of a plain body."""
    duplicate: bool = False
    """Give each item of a listing, or each event of a stream, twice."""
    reorder: bool = False
    """Shuffle the items of a listing, or the events of a stream, by the seed."""
    times: int | None = 1
    """How many requests it meets; None for all."""
    probability: float = 1.0
    """The share of fitting requests that it meets, drawn by the seed."""
    when: Callable[[RecordedRequest], bool] | None = None
    """A further condition."""

    def __post_init__(self) -> None:
        if self.body is not None and self.status is None:
            raise ValueError("a fault with a body needs a status to answer with")
        if self.drop and self.status is not None:
            raise ValueError("a fault either drops the connection or answers with a status")
        if not 0 < self.probability <= 1:
            raise ValueError(f"probability must be above 0 and at most 1, not {self.probability!r}")
        if self.times is not None and self.times < 1:
            raise ValueError(f"times must be 1 or more, or None for always, not {self.times!r}")


class FaultSettings(TypedDict, total=False):
    """The keyword arguments of `Faults.add`: the fields of `Fault`."""

    status: int | None
    code: str | None
    body: str | bytes | Mapping[str, object] | None
    headers: Mapping[str, str]
    drop: bool
    after_commit: bool
    delay: float
    cut_after: int | None
    garbage_after: int | None
    duplicate: bool
    reorder: bool
    times: int | None
    probability: float
    when: Callable[[RecordedRequest], bool] | None


class Faults:
    """The faults of one service.

    Each request meets at most one: the first that was added, fits, and is not used up. A request that
    a rate limit refuses meets none. Faults are met before the key is looked at, so a wrong key meets
    them too.
    """

    def __init__(self, *, clock: VirtualClock, seed: int = 0) -> None:
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._armed: list[_Armed] = []
        self._limits: list[RateLimit] = []
        self._lock = threading.Lock()

    def add(self, route: str = "*", **settings: Unpack[FaultSettings]) -> Fault:
        """Arm a fault.

        Args:
            route: Such as `POST /v1/fine_tuning/jobs`, or `GET /v1/fine_tuning/jobs/*`.
            **settings: The other fields of `Fault`.
        """
        fault = Fault(route=route, **settings)
        with self._lock:
            self._armed.append(_Armed(fault, left=fault.times))
        return fault

    def rate_limit(self, *, requests_per_minute: int, route: str = "*") -> None:
        """Refuse what comes too fast with 429, by the service's clock.

        Every answer of the route carries `x-ratelimit-limit-requests`, `-remaining-requests` and
        `-reset-requests`; a refusal also `retry-after` and `retry-after-ms`.
        """
        with self._lock:
            self._limits.append(RateLimit(route, requests_per_minute, self._clock))

    def warm_up(self, *, times: int = 3, route: str = _CHAT) -> Fault:
        """Answer 404 at first, as services do while a fresh model is being loaded."""
        return self.add(route, status=404, code="model_not_found", times=times)

    def moderation_block(self, *, times: int = 1, route: str = _CHAT) -> Fault:
        """Refuse with status 400 and the code `content_filter`, as Azure's content filter does."""
        return self.add(route, status=400, code="content_filter", times=times)

    def clear(self) -> None:
        """Disarm all faults and lift all limits."""
        with self._lock:
            self._armed.clear()
            self._limits.clear()

    @property
    def unused(self) -> list[Fault]:
        """The faults that should have met more requests than came; those of chance do not count."""
        return [
            armed.fault for armed in self._armed if armed.left and armed.fault.probability == 1.0
        ]

    def choose(self, request: RecordedRequest) -> Fault | None:
        """Use up the fault that a request meets; the service calls it for each request."""
        with self._lock:
            for armed in self._armed:
                if armed.left != 0 and self._meets(armed.fault, request):
                    armed.left = None if armed.left is None else armed.left - 1
                    return armed.fault
        return None

    def limit(self, request: RecordedRequest) -> RateLimit | None:
        """Find the limit that holds for a request."""
        return next((limit for limit in self._limits if request.matches(limit.route)), None)

    def shuffled(self, number: int) -> list[int]:
        """Return the numbers below `number` in an order drawn by the seed."""
        with self._lock:
            return self._random.sample(range(number), number)

    def _meets(self, fault: Fault, request: RecordedRequest) -> bool:
        if not request.matches(fault.route) or not (fault.when is None or fault.when(request)):
            return False
        return fault.probability == 1.0 or self._random.random() < fault.probability


@dataclass(slots=True)
class _Armed:
    fault: Fault
    left: int | None


class RateLimit:
    """A number of requests in any sixty seconds of the service's clock."""

    def __init__(self, route: str, requests_per_minute: int, clock: VirtualClock) -> None:
        if requests_per_minute < 1:
            raise ValueError("requests_per_minute must be 1 or more")
        self.route = route
        self._most = requests_per_minute
        self._clock = clock
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def take(self) -> tuple[bool, dict[str, str]]:
        """Count a request in; return whether it is within the limit, and the headers that say so."""
        with self._lock:
            now = self._clock.time()
            while self._times and self._times[0] <= now - _MINUTE_S:
                self._times.popleft()
            is_within = len(self._times) < self._most
            if is_within:
                self._times.append(now)
            wait = self._times[0] + _MINUTE_S - now
            headers = {
                "x-ratelimit-limit-requests": str(self._most),
                "x-ratelimit-remaining-requests": str(self._most - len(self._times)),
                "x-ratelimit-reset-requests": f"{wait:g}s",
            }
        if not is_within:
            headers["retry-after"] = str(math.ceil(wait))
            headers["retry-after-ms"] = str(math.ceil(wait * 1000))
        return is_within, headers
