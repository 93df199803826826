"""What happened in a job, as values: every event once, oldest first."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openai.types.fine_tuning import FineTuningJobEvent

__all__ = ["Event"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One entry of a job's log."""

    id: str
    created_at: dt.datetime
    """When, by the server's clock, in UTC."""
    level: str
    """`info`, `warn` or `error`."""
    kind: str
    """`message`, `metrics`, or what a service adds to these."""
    message: str
    data: Mapping[str, object] = dataclasses.field(repr=False)
    """What a metrics event measured; empty for a message."""

    def __str__(self) -> str:
        return f"{self.created_at:%H:%M:%S}  {self.message}"


def read_event(raw: FineTuningJobEvent) -> Event:
    """Read an event as the client gives it; fields that a service leaves out become empty."""
    extra = cast("dict[str, object]", raw.model_extra or {})
    data = raw.data if raw.data is not None else extra.get("data")
    return Event(
        id=raw.id,
        created_at=dt.datetime.fromtimestamp(float(raw.created_at or 0), dt.UTC),
        level=str(raw.level or "info"),
        kind=str(raw.type or "message"),
        message=raw.message or "",
        data=cast("dict[str, object]", data) if isinstance(data, dict) else {},
    )


def in_order(newest_first: Iterable[FineTuningJobEvent]) -> list[Event]:
    """Return events oldest first, each id once.

    Events of one second keep the order in which the server lists them.
    """
    oldest_first = [read_event(raw) for raw in newest_first][::-1]
    return sorted(
        {event.id: event for event in oldest_first}.values(), key=lambda event: event.created_at
    )
