"""The numbers of a training run: losses and accuracies per step, and what they say.

What optional packages return is typed `Any`: a type checker sees them only where they are installed.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import contextlib
import csv
import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt4o_tune._display import chart, html_text, plural
from gpt4o_tune._extras import import_extra
from gpt4o_tune.jobs.curves import Curve, Panel, figure, svg
from gpt4o_tune.jobs.diagnosis import Diagnosis, diagnose

if TYPE_CHECKING:
    import os
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
    "train_margin": ("train_reward_margin",),
    "valid_margin": ("valid_reward_margin",),
    "full_valid_margin": ("full_valid_reward_margin",),
    "train_reward": ("train_reward_mean", "train_mean_reward"),
    "valid_reward": ("valid_reward_mean", "full_valid_mean_reward"),
}
"""Our name of a number, and the names that services give it. Of reward means OpenAI's guide has both; those of
margins are the local server's, as no published event shows any."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class MetricRow:
    """What was measured at one step; None where it was not measured there.

    Losses are mean cross entropies in nats per trained token, accuracies shares of trained tokens
    that the model would have chosen itself. Method `dpo` has losses a pair of answers and margins instead,
    `reinforcement` only rewards.
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
    train_margin: float | None = None
    """Beta times the nats by which preferred answers have gained on the others; method `dpo`."""
    valid_margin: float | None = None
    full_valid_margin: float | None = None
    train_reward: float | None = None
    """Mean reward of sampled answers; method `reinforcement`."""
    valid_reward: float | None = None

    def numbers(self) -> dict[str, float]:
        """Return what was measured, by name, without the step."""
        named = dataclasses.asdict(self)
        del named["step"]
        return {name: float(value) for name, value in named.items() if value is not None}


@dataclasses.dataclass(frozen=True, slots=True)
class Metrics:
    """All rows of a run, in the order of their steps.

    Iterate it for `MetricRow` values, print it for the curves, or take it elsewhere with `to_pandas`,
    `to_polars`, `to_csv` or `to_records`.
    """

    rows: tuple[MetricRow, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[MetricRow]:
        return iter(self.rows)

    @property
    def diagnosis(self) -> Diagnosis:
        """What the curves say: overfitting, divergence, underfitting, plateau, or nothing alarming."""
        return diagnose(self.rows)

    def to_records(self) -> list[dict[str, int | float | None]]:
        """Return one dictionary per step."""
        return [dataclasses.asdict(row) for row in self.rows]

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write one line per step under a header, blank where nothing was measured; return the path."""
        target = Path(path)
        with target.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, _COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.to_records())
        return target

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame, one row per step, NaN where nothing was measured.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        library = import_extra("pandas", extra="pandas", feature="Metrics as a pandas DataFrame")
        frame = library.DataFrame.from_records(self.to_records(), columns=_COLUMNS)
        return frame.astype(dict.fromkeys(_COLUMNS, "float64") | {"step": "int64"})

    def to_polars(self) -> Any:
        """Return a polars DataFrame, one row per step, null where nothing was measured.

        Raises:
            MissingExtraError: polars is not installed.
        """
        library = import_extra("polars", extra="polars", feature="Metrics as a polars DataFrame")
        schema = dict.fromkeys(_COLUMNS, library.Float64) | {"step": library.Int64}
        return library.DataFrame(self.to_records(), schema=schema)

    def plot(self) -> Any:
        """Draw losses and accuracies as a matplotlib figure, to save or to restyle.

        The figure stands outside pyplot, so nothing has to be closed: `metrics.plot().savefig("run.png")`.
        A notebook shows curves for the metrics themselves, without matplotlib.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        return figure(self._panels())

    def __str__(self) -> str:
        if not self.rows:
            return "No metrics yet. They arrive with the first training steps."
        drawing = chart(self._panels()[0].curves, x_title="step")
        return f"{self._title()}\n{drawing}\n{self.diagnosis}"

    def _repr_html_(self) -> str:
        if not self.rows:
            return html_text(str(self))
        text = f"{self._title()}\n{self.diagnosis}"
        return f"<div>{svg(self._panels())}{html_text(text)}</div>"

    def _title(self) -> str:
        return f"{self._panels()[0].title} over {plural(self.rows[-1].step, 'step')}"

    def _panels(self) -> tuple[Panel, ...]:
        """Loss, and what else was measured; reinforcement has no loss."""
        per = "pair" if self._curves("margin") else "trained token"
        titles = {
            "loss": f"Loss (nats per {per})",
            "accuracy": "Accuracy (share of trained tokens)",
            "margin": "Margin of preferred answers (beta times nats)",
            "reward": "Mean reward",
        }
        panels = [Panel(title=title, curves=self._curves(name)) for name, title in titles.items()]
        return tuple(panel for panel in panels if panel.curves) or (panels[0],)

    def _curves(self, measure: str) -> tuple[Curve, ...]:
        validation = self._points(f"full_valid_{measure}") or self._points(f"valid_{measure}")
        curves = (
            Curve(title=f"training {measure}", mark="·", points=self._points(f"train_{measure}")),
            Curve(title=f"validation {measure}", mark="●", points=validation),
        )
        return tuple(curve for curve in curves if curve.points)

    def _points(self, name: str) -> tuple[tuple[float, float], ...]:
        pairs = ((row.step, getattr(row, name, None)) for row in self.rows)
        return tuple((float(step), value) for step, value in pairs if value is not None)


_COLUMNS = [field.name for field in dataclasses.fields(MetricRow)]


def from_events(events: Iterable[Event]) -> Metrics:
    """Collect the metrics events of a job."""
    return from_records(event.data for event in events if event.kind == "metrics")


def from_result_file(content: bytes) -> Metrics:
    """Read a result file: CSV with either of the known headers, plain or base64-encoded.

    A file that holds something else gives no rows.
    """
    try:
        return from_records(csv.DictReader(_decode(content).splitlines()))
    except csv.Error:
        return Metrics(())


def from_records(records: Iterable[Mapping[str, object]]) -> Metrics:
    """Collect measurements by step; names may be ours or a service's, the last of a number is kept."""
    steps: dict[int, dict[str, float]] = {}
    for record in records:
        step = _number(record.get("step"))
        if step is None or not math.isfinite(step):
            continue
        known = steps.setdefault(int(step), {})
        for name, spellings in _NAMES.items():
            for spelling in (name, *spellings):
                value = _number(record.get(spelling))
                if value is not None:
                    known[name] = value
    return Metrics(tuple(MetricRow(step=step, **steps[step]) for step in sorted(steps)))


def combine(first: Metrics, second: Metrics) -> Metrics:
    """Join two measurements of one run; where both have a number, the second's is kept."""
    return from_records([*first.to_records(), *second.to_records()])


def _decode(content: bytes) -> str:
    # OpenAI delivers the file in base64 (seen since 2024-06), others in plain text.
    packed = b"".join(content.split())
    if not packed.removeprefix(codecs.BOM_UTF8).startswith(b"step"):
        with contextlib.suppress(binascii.Error):
            content = base64.b64decode(packed, validate=True)
    return content.decode("utf-8-sig", errors="replace")


def _number(value: object) -> float | None:
    """Read a cell; blanks and words are no numbers, NaN and infinity are (a diverged loss)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
