"""`MetricsLogger`: what all loggers have in common."""

from __future__ import annotations

import abc
import datetime as dt
import logging
from typing import TYPE_CHECKING, Self

from gpt4o_tune.jobs.metrics import from_events
from gpt4o_tune.jobs.states import FINAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.jobs.events import Event
    from gpt4o_tune.jobs.metrics import MetricRow

__all__ = ["MetricsLogger"]

log = logging.getLogger("gpt4o_tune")


class MetricsLogger(abc.ABC):
    """Carries the metrics of one job elsewhere. Call it with events, or give it rows with `log`.

    A number that stands there already, at its step and with its value, is not written again. A failure
    while an event is taken does not end the wait: it becomes a warning, and the rows are kept and tried
    again with the next event and with `finish`. Every other method raises what the target raises.

    To write one of your own, implement `_write`, `_write_outcome` and `close`.

    Example:
        >>> with JsonlLogger("run.jsonl") as logger:
        ...     try:
        ...         model = job.wait(on_event=logger)
        ...     finally:
        ...         logger.finish(job.status, job.fine_tuned_model)
    """

    def __init__(self) -> None:
        self._written: dict[tuple[int, str], str] = {}
        self._held: list[tuple[MetricRow, dt.datetime]] = []
        self._outcome: tuple[str, str | None] | None = None

    def __call__(self, event: Event) -> None:
        """Take an event: write what it measured, and pass over what is no measurement."""
        self._held += [(row, event.created_at) for row in from_events([event])]
        try:
            self._write_held()
        except Exception as error:
            log.warning(
                "%s failed at step %d, and tries again with the next event: %s",
                type(self).__name__,
                self._held[0][0].step,
                error,
            )

    def log(self, row: MetricRow, *, measured_at: dt.datetime | None = None) -> None:
        """Write what is new in a row; the time is now where none is given."""
        fresh = {
            name: value
            for name, value in row.numbers().items()
            if self._written.get((row.step, name)) != repr(value)
        }
        if fresh:
            self._write(row.step, fresh, measured_at or dt.datetime.now(dt.UTC))
            self._remember(row.step, fresh)

    def finish(self, status: str, fine_tuned_model: str | None = None) -> None:
        """Write how the job ended, once: its final state, and the model that came out.

        A state that is not final changes nothing, so this may stand in a `finally`.
        """
        self._write_held()
        if status in FINAL and self._outcome != (status, fine_tuned_model):
            self._write_outcome(status, fine_tuned_model)
            self._outcome = (status, fine_tuned_model)

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of files and connections; closing twice does nothing."""

    @abc.abstractmethod
    def _write(self, step: int, numbers: Mapping[str, float], measured_at: dt.datetime) -> None:
        """Write the numbers of one step, by name."""

    @abc.abstractmethod
    def _write_outcome(self, status: str, fine_tuned_model: str | None) -> None:
        """Write how the job ended."""

    def _remember(self, step: int, numbers: Mapping[str, float]) -> None:
        """Note what stands at the target; `repr` tells floats apart exactly, and finds NaN again."""
        self._written |= {(step, name): repr(value) for name, value in numbers.items()}

    def _write_held(self) -> None:
        while self._held:
            row, measured_at = self._held[0]
            self.log(row, measured_at=measured_at)
            del self._held[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
