"""What candidates answered, what it took, and how it was graded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gpt4o_tune.evaluation.clusters import mean_interval
from gpt4o_tune.evaluation.statistics import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from gpt4o_tune.evaluation.graders import Grade

__all__ = ["Answer", "CandidateResult", "Measure"]

Measure = Literal["accuracy", "score"]
"""What is compared: the share of right answers, or the mean score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One candidate's answer to one row, or the failure of the call.

    Raises:
        ValueError: There are both a text and an error, or neither.
    """

    text: str | None = None
    error: str | None = None
    """Why there is no text: a failed call, a refusal, a tool call in place of text."""

    latency_seconds: float | None = None
    """From sending the request to the whole answer."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    usd: float | None = None
    """Price of the call in US dollars; None where no price is known."""

    def __post_init__(self) -> None:
        if (self.text is None) == (self.error is None):
            raise ValueError("an answer has either a text or an error that says why there is none")


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """How one candidate did over all rows. Answers and grades stand in the order of the rows."""

    name: str
    answers: tuple[Answer, ...]
    grades: tuple[Grade, ...]
    interval: Interval
    """Around `accuracy`, or around `mean_score` where the comparison is by score."""

    @property
    def right(self) -> int:
        """How many answers passed."""
        return sum(grade.passed is True for grade in self.grades)

    @property
    def accuracy(self) -> float | None:
        """Share of answers that passed; None where the grader does not say yes or no."""
        if any(grade.passed is None for grade in self.grades):
            return None
        return self.right / len(self.grades)

    @property
    def mean_score(self) -> float:
        """Mean of the scores, failed calls counted as 0."""
        return math.fsum(grade.score for grade in self.grades) / len(self.grades)

    @property
    def failed(self) -> tuple[int, ...]:
        """Row numbers whose call gave no text."""
        return tuple(row for row, answer in enumerate(self.answers) if answer.text is None)

    @property
    def mean_latency_seconds(self) -> float | None:
        """Mean over the calls that gave a text and were timed."""
        times = self._latencies()
        return math.fsum(times) / len(times) if times else None

    @property
    def p50_latency_seconds(self) -> float | None:
        """The latency that half of the calls stay within."""
        return _nearest_rank(self._latencies(), 0.50)

    @property
    def p90_latency_seconds(self) -> float | None:
        """The latency that 90 % of the calls stay within."""
        return _nearest_rank(self._latencies(), 0.90)

    @property
    def p95_latency_seconds(self) -> float | None:
        """The latency that 95 % of the calls stay within."""
        return _nearest_rank(self._latencies(), 0.95)

    @property
    def p99_latency_seconds(self) -> float | None:
        """The latency that 99 % of the calls stay within."""
        return _nearest_rank(self._latencies(), 0.99)

    @property
    def prompt_tokens(self) -> int | None:
        """All prompt tokens; None where a call that gave a text has no count."""
        return _total([answer.prompt_tokens for answer in self._given()])

    @property
    def completion_tokens(self) -> int | None:
        """All completion tokens; None where a call that gave a text has no count."""
        return _total([answer.completion_tokens for answer in self._given()])

    @property
    def usd(self) -> float | None:
        """What all calls cost; None where a call that gave a text has no price."""
        if any(answer.usd is None for answer in self._given()):
            return None
        prices = [answer.usd for answer in self.answers if answer.usd is not None]
        return math.fsum(prices) if prices else None

    @property
    def usd_per_1000_calls(self) -> float | None:
        """Price of a thousand calls like these; None where no price is known."""
        return None if self.usd is None else 1000 * self.usd / len(self.answers)

    @property
    def usd_per_1000_right(self) -> float | None:
        """Price of a thousand right answers; None where none is right or no price is known."""
        return None if self.usd is None or not self.right else 1000 * self.usd / self.right

    def _given(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.text is not None]

    def _latencies(self) -> list[float]:
        times = (answer.latency_seconds for answer in self._given())
        return sorted(time for time in times if time is not None)


def result(
    name: str,
    answers: Sequence[Answer],
    grades: Sequence[Grade],
    *,
    measure: Measure,
    confidence: float,
    groups: Sequence[Hashable] | None = None,
) -> CandidateResult:
    """Put the right interval beside a candidate's answers.

    Wilson's for shares, its form for scores and for rows that come in groups.
    """
    passed = [grade.passed is True for grade in grades]
    scores = [grade.score for grade in grades]
    if measure == "accuracy" and groups is None:
        interval = wilson(sum(passed), len(grades), confidence=confidence)
    elif len(grades) == 1:
        interval = Interval(scores[0], scores[0], confidence)
    else:
        values = passed if measure == "accuracy" else scores
        interval = mean_interval(values, groups, confidence=confidence)
    return CandidateResult(name, tuple(answers), tuple(grades), interval)


def _nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None
