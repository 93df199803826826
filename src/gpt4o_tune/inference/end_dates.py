"""When a model stops answering: the service's own word before the catalog's table."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from gpt4o_tune import catalog
from gpt4o_tune._display import plural

if TYPE_CHECKING:
    from openai.types import Model

    from gpt4o_tune.catalog import ProviderKind
    from gpt4o_tune.providers import Provider

__all__ = [
    "NEAR_DAYS",
    "EndDate",
    "EndSource",
    "catalog_end",
    "is_base",
    "is_tuned",
    "told_end",
    "warn_of_end",
]

log = logging.getLogger("gpt4o_tune")

NEAR_DAYS = 60
"""An end that is at most this many days away is near: time to train elsewhere and to compare."""

EndSource: TypeAlias = Literal["service", "catalog"]
"""Who says so."""

_warned: set[tuple[str, str]] = set()
"""Models that this process was warned of, each with its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDate:
    """The day on which a model is switched off, and who says so."""

    date: dt.date
    source: EndSource
    as_of: dt.date | None = None
    """Day on which the catalog's entry was last compared with its sources; None for the service's word."""

    def days_left(self, on: dt.date) -> int:
        """Return the days from `on` to the end: 0 on the day itself, below 0 after it."""
        return (self.date - on).days

    def is_near(self, on: dt.date) -> bool:
        """Say whether the end is at most `NEAR_DAYS` days away, or past."""
        return self.days_left(on) <= NEAR_DAYS

    def to_dict(self) -> dict[str, object]:
        """Return the date as plain values, ready for `json.dumps`."""
        as_of = None if self.as_of is None else self.as_of.isoformat()
        return {"date": self.date.isoformat(), "source": self.source, "as_of": as_of}

    def __str__(self) -> str:
        origin = "the service itself" if self.as_of is None else f"catalog as of {self.as_of}"
        return f"{self.date} ({origin})"


def is_tuned(name: str) -> bool:
    """Say whether a model's name alone shows that it was fine-tuned."""
    return catalog.base_id(name) != name


def is_base(name: str) -> bool:
    """Say whether a name is that of a base model of the catalog, or one of its aliases."""
    known = catalog.load().find(name)
    return known is not None and name.casefold() in {known.name, *known.aliases}


def catalog_end(name: str, kind: ProviderKind, *, base: str | None = None) -> EndDate | None:
    """Return the end that the catalog knows, or None where it knows none.

    Args:
        name: The model.
        kind: Where it answers.
        base: What it was tuned from, where its name does not say so; None for a base model.
    """
    known = catalog.load().find(base or name)
    offer = known.offer(kind) if known is not None else None
    if known is None or offer is None:
        return None
    date = offer.serving_ends if base or is_tuned(name) else known.switched_off(kind)
    return None if date is None else EndDate(date=date, source="catalog", as_of=offer.as_of)


def told_end(model: Model | None) -> EndDate | None:
    """Return the `shutdown_date` that a service tells of a model, or None where it tells none."""
    told: object = None if model is None else model.shutdown_date
    if not isinstance(told, str):
        return None
    try:
        return EndDate(date=dt.date.fromisoformat(told[:10]), source="service")
    except ValueError:
        return None


def warn_of_end(name: str, provider: Provider, end: EndDate | None) -> None:
    """Log a near end as a warning of `gpt4o_tune`, once for each model and process."""
    today = provider.clock.today()
    if end is None or not end.is_near(today) or (name, provider.base_url) in _warned:
        return
    _warned.add((name, provider.base_url))
    days = end.days_left(today)
    if days > 0:
        fate = f"is switched off on {end}, in {plural(days, 'day')}"
    else:
        fate = f"was to be switched off on {end}"
    log.warning(
        "%r at %s %s. Choose its successor while its answers can still be compared",
        name,
        provider.base_url,
        fate,
    )
