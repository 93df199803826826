"""Metrics as a file of JSON lines."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gpt4o_tune.jobs.loggers.logger import MetricsLogger
from gpt4o_tune.jobs.metrics import from_records

if TYPE_CHECKING:
    import datetime as dt
    import os
    from collections.abc import Mapping

__all__ = ["JsonlLogger"]

_BEGINNINGS = (b'{"step": ', b'{"status": ')


class JsonlLogger(MetricsLogger):
    """Appends one JSON object per step to a file, and one for how the job ended.

    What the file holds already is not written again, so a wait may be begun anew with the same file. A
    last line that a killed process left half written is replaced. Take one file per job.

    Args:
        path: The file; folders above it are made.

    Raises:
        ValueError: The file holds something else than such a log.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = Path(path)
        """The file that is written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._take_up()

    def close(self) -> None:
        """Do nothing: the file is open only while a line is written."""

    def _write(self, step: int, numbers: Mapping[str, float], measured_at: dt.datetime) -> None:
        values = {name: _json_number(value) for name, value in numbers.items()}
        self._append({"step": step, "measured_at": measured_at.isoformat(), **values})

    def _write_outcome(self, status: str, fine_tuned_model: str | None) -> None:
        self._append({"status": status, "fine_tuned_model": fine_tuned_model})

    def _append(self, record: Mapping[str, object]) -> None:
        line = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
        with self.path.open("ab", buffering=0) as stream:
            stream.write(line.encode())

    def _take_up(self) -> None:
        *whole, rest = self.path.read_bytes().split(b"\n")
        records = [self._parsed(line, number) for number, line in enumerate(whole, start=1)]
        if not any(rest.startswith(begin) or begin.startswith(rest) for begin in _BEGINNINGS):
            raise self._foreign(len(whole) + 1)
        for record in records:
            for row in from_records([record]):
                self._remember(row.step, row.numbers())
            if "status" in record:
                model = record.get("fine_tuned_model")
                self._outcome = (str(record["status"]), None if model is None else str(model))
        if rest:
            with self.path.open("r+b") as stream:
                stream.truncate(sum(len(line) + 1 for line in whole))

    def _parsed(self, line: bytes, number: int) -> dict[str, object]:
        try:
            record: object = json.loads(line)
        except ValueError:
            raise self._foreign(number) from None
        if not isinstance(record, dict) or not line.startswith(_BEGINNINGS):
            raise self._foreign(number)
        return cast("dict[str, object]", record)

    def _foreign(self, line: int) -> ValueError:
        return ValueError(
            f"line {line} of {str(self.path)!r} was not written by a JsonlLogger. Choose another path; "
            "the file was left as it is"
        )


def _json_number(value: float) -> float | str:
    """JSON has no NaN and no infinity; as words they are read back like the numbers they stand for."""
    return value if math.isfinite(value) else str(value)
