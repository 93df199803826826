"""What many calls came to: an answer or an error for each input, in order, and what it all cost."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast, overload

from gpt4o_tune._display import duration, html_table, html_text, plural, shorten
from gpt4o_tune.inference.usage import Usage

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MapAnswer", "MapResult"]

ERRORS_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAnswer:
    """What came of one input."""

    row: int
    """Number of the input, from 0."""
    text: str | None = None
    """The answer's text; None where the call failed or the model answered without text."""
    error: str | None = None
    """Why there is no answer; None where there is one, be it a tool call."""
    message: Mapping[str, object] | None = None
    """The assistant's message as the service sent it, with `tool_calls` and `refusal`."""
    finish_reason: str | None = None
    model: str | None = None
    """The model that was asked and answered."""
    is_fallback: bool = False
    """Whether the fallback answered in place of the model."""
    usage: Usage = field(default_factory=Usage)
    latency_seconds: float | None = None
    """Of the attempt that was answered."""
    attempts: int = 0
    """Requests sent for this input; 0 where it was not asked."""
    from_journal: bool = False
    """Whether an earlier run asked and paid."""

    @property
    def tool_calls(self) -> tuple[Mapping[str, object], ...]:
        """The calls of tools, as the service sent them."""
        calls = (self.message or {}).get("tool_calls")
        return tuple(cast("Sequence[Mapping[str, object]]", calls or ()))

    def to_dict(self) -> dict[str, object]:
        """Return the answer as plain values, ready for `json.dumps`."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**values, "usage": self.usage.to_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapResult(Sequence[MapAnswer]):
    """The answers to many inputs, in the order of the inputs."""

    answers: tuple[MapAnswer, ...] = field(repr=False)
    model: str
    seconds: float
    """Of this run, from the first call to the end."""
    refused_requests: int
    """Requests of this run that were answered with 429; they cost time, not money."""
    stopped: str | None = None
    """Why inputs were left unasked: the budget, a wrong key, a limit that lasts too long."""
    journal: Path | None = None

    @overload
    def __getitem__(self, index: int) -> MapAnswer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[MapAnswer]: ...
    def __getitem__(self, index: int | slice) -> MapAnswer | Sequence[MapAnswer]:
        return self.answers[index]

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def texts(self) -> list[str | None]:
        """The text of each answer, None where there is none."""
        return [answer.text for answer in self.answers]

    @property
    def errors(self) -> dict[int, str]:
        """The inputs without an answer, by number, with the reason."""
        return {a.row: a.error for a in self.answers if a.error is not None}

    @property
    def usage(self) -> Usage:
        """What all answers used, those of earlier runs in the journal included."""
        return sum_of([answer.usage for answer in self.answers])

    @property
    def usd(self) -> float | None:
        """What all answers cost; None where a price is unknown."""
        return self.usage.usd

    def to_dict(self) -> dict[str, object]:
        """Return the result as plain values, ready for `json.dumps`."""
        return {
            "model": self.model,
            "seconds": self.seconds,
            "refused_requests": self.refused_requests,
            "stopped": self.stopped,
            "journal": None if self.journal is None else str(self.journal),
            "usage": self.usage.to_dict(),
            "answers": [answer.to_dict() for answer in self.answers],
        }

    def __str__(self) -> str:
        lines = [self._summary, f"  {self.usage.summary}"]
        earlier = sum(answer.from_journal for answer in self.answers)
        other = sum(answer.is_fallback for answer in self.answers)
        lines += (
            [f"  {plural(earlier, 'answer')} from the journal, not asked again"] if earlier else []
        )
        lines += [f"  {plural(other, 'answer')} by the fallback model"] if other else []
        lines += (
            [f"  {plural(self.refused_requests, 'request')} refused for the rate (429)"]
            if self.refused_requests
            else []
        )
        lines += [f"  stopped: {self.stopped}"] if self.stopped else []
        lines += [f"  {count:,} x {reason}" for reason, count in self._reasons()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        first = [
            [str(answer.row), shorten(answer.text or answer.error or "tool call", 120)]
            for answer in self.answers[:10]
        ]
        return html_text(str(self)) + html_table(["row", "answer"], first)

    @property
    def _summary(self) -> str:
        answered = len(self.answers) - len(self.errors)
        return (
            f"{answered:,} of {plural(len(self.answers), 'input')} answered by {self.model} in "
            f"{duration(self.seconds)}"
        )

    def _reasons(self) -> list[tuple[str, int]]:
        counts = Counter(shorten(error, 110) for error in self.errors.values())
        return counts.most_common(ERRORS_SHOWN)


def sum_of(usages: Sequence[Usage]) -> Usage:
    """Add up what calls used."""
    return sum(usages, Usage())
