"""One line of progress: of an upload, and of a job from its state and events."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from gpt4o_tune._display import bar, duration, live_line

if TYPE_CHECKING:
    from collections.abc import Generator

    from gpt4o_tune.jobs.content import OnProgress
    from gpt4o_tune.jobs.events import Event

__all__ = ["Progress", "uploading_line"]

WORTH_SHOWING = 1_000_000
"""Bytes from which an upload gets a line of its own."""


@contextlib.contextmanager
def uploading_line(*, progress: bool | None) -> Generator[OnProgress]:
    """Show one line while files are sent; what is yielded takes the bytes sent and all there are.

    Unless asked for, nothing is shown for a file that is sent before anybody could read the line.
    """
    line = live_line(progress=progress)

    def show(sent: int, total: int) -> None:
        if total < WORTH_SHOWING and not progress:
            return
        share = sent / total if total else 1.0
        line.show(f"uploading {bar(share)}  {sent / 1e6:,.1f} of {total / 1e6:,.1f} MB")

    try:
        yield show
    finally:
        line.close()


class Progress:
    """Follows a job and keeps one line up to date: state, steps, losses, time left.

    Args:
        progress: False is silent, True always writes, None writes only to a terminal or notebook.
    """

    def __init__(self, job_id: str, *, progress: bool | None) -> None:
        self._job_id = job_id
        self._line = live_line(progress=progress)
        self._step = self._total = 0
        self._losses: dict[str, float] = {}
        self._first: tuple[int, float] | None = None
        self._left = ""

    @property
    def is_seen(self) -> bool:
        """Whether anybody sees the line."""
        return self._line.is_seen

    def update(self, state: str, events: list[Event], now: float) -> None:
        """Take in what is new and redraw; `now` is in monotonic seconds."""
        for event in events:
            self._take(event)
        self._left = self._time_left(now)
        self._line.show(self._text(state))

    def close(self) -> None:
        """Leave the last line standing."""
        self._line.close()

    def _take(self, event: Event) -> None:
        step, total = event.data.get("step"), event.data.get("total_steps")
        if isinstance(step, int) and isinstance(total, int) and total > 0:
            self._step, self._total = step, total
        for name in ("train_loss", "valid_loss", "full_valid_loss"):
            value = event.data.get(name)
            if isinstance(value, int | float):
                self._losses[name] = float(value)

    def _time_left(self, now: float) -> str:
        if not self._step:
            return ""
        if self._first is None:
            self._first = (self._step, now)
            return ""
        steps, seconds = self._step - self._first[0], now - self._first[1]
        if steps <= 0 or seconds <= 0:
            return ""
        return duration((self._total - self._step) * seconds / steps) + " left"

    def _text(self, state: str) -> str:
        parts = [state]
        if self._total:
            share = self._step / self._total
            parts.append(f"{bar(share, columns=16)} {share:4.0%}  step {self._step}/{self._total}")
        if "train_loss" in self._losses:
            parts.append(f"loss {self._losses['train_loss']:.3f}")
        valid = self._losses.get("full_valid_loss", self._losses.get("valid_loss"))
        if valid is not None:
            parts.append(f"validation {valid:.3f}")
        if self._left and self._step < self._total:
            parts.append(self._left)
        # Last, since a narrow terminal cuts the end.
        parts.append(self._job_id)
        return "  ".join(parts)
