"""Metrics in TensorBoard's event files."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from gpt4o_tune._extras import import_extra
from gpt4o_tune.jobs.loggers.logger import MetricsLogger

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

__all__ = ["TensorBoardLogger"]

FLUSH_SECONDS = 10
"""How long a number may wait before it reaches the file, and so the open browser page."""


class TensorBoardLogger(MetricsLogger):
    """Writes one scalar per number to a folder that TensorBoard reads.

    An earlier log in the folder is not read: TensorBoard is told to forget it from the first step on
    that is written now. A wait hands on every event from the start, so nothing is lost by that.

    Args:
        directory: The folder of this run, such as `runs/tickets`.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        super().__init__()
        self._library = import_extra(
            "tensorboardX", extra="tensorboard", feature="Logging to TensorBoard"
        )
        self._directory = os.fspath(directory)
        self._writer: Any = None

    def close(self) -> None:
        """Write out what is waiting and close the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, step: int, numbers: Mapping[str, float], measured_at: dt.datetime) -> None:
        writer = self._opened(purge_step=step)
        for name, value in numbers.items():
            writer.add_scalar(name, value, global_step=step, walltime=measured_at.timestamp())

    def _write_outcome(self, status: str, fine_tuned_model: str | None) -> None:
        writer = self._opened(purge_step=None)
        writer.add_text("outcome", " ".join(filter(None, (status, fine_tuned_model))))
        writer.flush()

    def _opened(self, *, purge_step: int | None) -> Any:
        if self._writer is None:
            self._writer = self._library.SummaryWriter(
                self._directory,
                purge_step=purge_step,
                flush_secs=FLUSH_SECONDS,
                # Files of one second would otherwise share a name, and the later replace the earlier.
                filename_suffix=f".{time.time_ns()}",
            )
        return self._writer
