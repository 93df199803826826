"""The numbers of a training run: losses and accuracies per step, and what they say."""

from __future__ import annotations

import base64
import binascii
import contextlib
import csv
import dataclasses
import io
from typing import TYPE_CHECKING

from gpt4o_tune._display import chart, html_text, plural
from gpt4o_tune.jobs.diagnosis import Diagnosis, diagnose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gpt4o_tune.jobs.events import Event

__all__ = ["MetricRow", "Metrics"]

_NAMES = {
    "train_loss": ("train_loss",),
    "train_accuracy": ("train_mean_token_accuracy", "train_accuracy"),
    "valid_loss": ("valid_loss", "validation_loss"),
    "valid_accuracy": (
        "valid_mean_token_accuracy",
        "validation_mean_token_accuracy",
        "valid_accuracy",
    ),
    "full_valid_loss": ("full_valid_loss",),
    "full_valid_accuracy": ("full_valid_mean_token_accuracy",),
}
"""Our name of a number, and the names that services give it."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class MetricRow:
    """What was measured at one step; None where it was not measured there.

    Losses are mean cross entropies in nats per trained token, accuracies shares of trained tokens
    that the model would have chosen itself.
    """

    step: int
    train_loss: float | None = None
    train_accuracy: float | None = None
    valid_loss: float | None = None
    """On one batch of validation rows."""
    valid_accuracy: float | None = None
    full_valid_loss: float | None = None
    """On all validation rows; measured at the end of an epoch."""
    full_valid_accuracy: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Curve:
    title: str
    mark: str
    points: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Metrics:
    """All rows of a run, in the order of their steps.

    Iterate it for `MetricRow` values, print it for the curves, or pass `to_records()` to a
    dataframe's constructor.
    """

    rows: tuple[MetricRow, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[MetricRow]:
        return iter(self.rows)

    @property
    def diagnosis(self) -> Diagnosis:
        """What the curves say: overfitting, divergence, underfitting, or nothing alarming."""
        return diagnose(self.rows)

    def to_records(self) -> list[dict[str, int | float | None]]:
        """Return one dictionary per step."""
        return [dataclasses.asdict(row) for row in self.rows]

    def __str__(self) -> str:
        if not self.rows:
            return "No metrics yet. They arrive with the first training steps."
        curves = [
            _Curve("training loss", "·", self._points("train_loss")),
            _Curve("validation loss", "●", self._validation_points()),
        ]
        title = f"Loss over {plural(self.rows[-1].step, 'step')}, in nats per trained token"
        return f"{title}\n{chart(curves, x_title='step')}\n{self.diagnosis}"

    def _repr_html_(self) -> str:
        return html_text(str(self))

    def _validation_points(self) -> tuple[tuple[float, float], ...]:
        """Full validation where it was measured, else what single batches gave."""
        return self._points("full_valid_loss") or self._points("valid_loss")

    def _points(self, name: str) -> tuple[tuple[float, float], ...]:
        pairs = ((row.step, getattr(row, name)) for row in self.rows)
        return tuple((float(step), value) for step, value in pairs if value is not None)


def from_events(events: Iterable[Event]) -> Metrics:
    """Collect the metrics events of a job."""
    return _collect(event.data for event in events if event.kind == "metrics")


def from_result_file(content: bytes) -> Metrics:
    """Read a result file: CSV with either of the known headers, plain or base64-encoded."""
    return _collect(csv.DictReader(io.StringIO(_decode(content))))


def combine(first: Metrics, second: Metrics) -> Metrics:
    """Join two measurements of one run; where both have a number, the second's is kept."""
    return _collect([*first.to_records(), *second.to_records()])


def _decode(content: bytes) -> str:
    # OpenAI delivers the file in base64 (seen since 2024-06), others in plain text.
    if not content.lstrip().startswith(b"step"):
        with contextlib.suppress(binascii.Error):
            content = base64.b64decode(content, validate=True)
    return content.decode("utf-8", errors="replace")


def _collect(records: Iterable[Mapping[str, object]]) -> Metrics:
    steps: dict[int, dict[str, float]] = {}
    for record in records:
        step = _number(record.get("step"))
        if step is None:
            continue
        known = steps.setdefault(int(step), {})
        for name, spellings in _NAMES.items():
            for spelling in (name, *spellings):
                value = _number(record.get(spelling))
                if value is not None:
                    known[name] = value
    return Metrics(tuple(MetricRow(step=step, **steps[step]) for step in sorted(steps)))


def _number(value: object) -> float | None:
    """Read a cell; blanks and words are no numbers, NaN and infinity are (a diverged loss)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
