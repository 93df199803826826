"""What calls used and cost, by the catalog's dated prices."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, cast

from gpt4o_tune import catalog
from gpt4o_tune._display import html_text, money, paragraph, plural

if TYPE_CHECKING:
    import datetime as dt

    from gpt4o_tune.catalog import ProviderKind

__all__ = ["Meter", "Tariff", "Usage", "tariff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one or more calls used. Values can be added."""

    calls: int = 0
    """Answered calls; one that failed is not billed."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Those of the prompt tokens that the service had cached."""
    completion_tokens: int = 0
    usd: float | None = 0.0
    """In US dollars; None where the price or the tokens of a call are unknown."""
    as_of: dt.date | None = None
    """Day on which the oldest of the prices was last compared with its source."""
    basis: str = ""
    """Where the prices come from and what they leave out."""

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Self) -> Self:
        dates = [day for day in (self.as_of, other.as_of) if day is not None]
        bases = [self.basis] if other.basis in self.basis else [self.basis, other.basis]
        return type(self)(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            usd=None if self.usd is None or other.usd is None else self.usd + other.usd,
            as_of=min(dates, default=None),
            basis=" ".join(filter(None, bases)),
        )

    def to_dict(self) -> dict[str, object]:
        """Return the usage as plain values, ready for `json.dumps`."""
        return {
            "calls": self.calls,
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "completion_tokens": self.completion_tokens,
            "usd": self.usd,
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
            "basis": self.basis,
        }

    @property
    def summary(self) -> str:
        """Calls, tokens and price in one line."""
        cached = f" ({self.cached_tokens:,} cached)" if self.cached_tokens else ""
        return (
            f"{plural(self.calls, 'call')}, {self.prompt_tokens:,} prompt tokens{cached}, "
            f"{self.completion_tokens:,} completion tokens, {money(self.usd)}"
        )

    def __str__(self) -> str:
        basis = [paragraph(self.basis, indent="  ")] if self.basis else []
        return "\n".join([self.summary, *basis])

    def _repr_html_(self) -> str:
        return html_text(str(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What a provider takes for the tokens of one model, per 1M; None where no source gives it."""

    input_usd: float | None
    cached_input_usd: float | None
    output_usd: float | None
    as_of: dt.date | None
    basis: str

    def usage(self, counts: object) -> Usage:
        """Price one call by the `usage` of its answer: the service's object, or None."""
        used = cast("Mapping[str, object]", counts if isinstance(counts, Mapping) else {})
        details = used.get("prompt_tokens_details")
        about = cast("Mapping[str, object]", details if isinstance(details, Mapping) else {})
        prompt, written = _count(used, "prompt_tokens"), _count(used, "completion_tokens")
        cached = min(_count(about, "cached_tokens"), prompt)
        return Usage(
            calls=1,
            prompt_tokens=prompt,
            cached_tokens=cached,
            completion_tokens=written,
            usd=self._price(prompt, cached, written) if used else None,
            as_of=self.as_of,
            basis=self.basis if used else f"A call came without counts of its tokens. {self.basis}",
        )

    def _price(self, prompt: int, cached: int, written: int) -> float | None:
        if self.input_usd is None or self.output_usd is None:
            return None
        again = self.input_usd if self.cached_input_usd is None else self.cached_input_usd
        dollars = (prompt - cached) * self.input_usd + cached * again + written * self.output_usd
        return dollars / 1_000_000


@functools.lru_cache(maxsize=256)
def tariff(name: str, kind: ProviderKind) -> Tariff:
    """Return the prices of a model, fine-tuned or not, at a kind of provider."""
    model = catalog.load().find(name)
    offer = model.offer(kind) if model is not None else None
    if model is None or offer is None:
        return Tariff(
            input_usd=None,
            cached_input_usd=None,
            output_usd=None,
            as_of=None,
            basis=f"The catalog has no price of {name!r} for provider {kind!r}.",
        )
    # On own hardware the base costs as little as a model that was tuned there.
    tuned = kind == "local" or name.casefold() not in {model.name, *model.aliases}
    reads = offer.input_usd if tuned else offer.base_input_usd
    writes = offer.output_usd if tuned else offer.base_output_usd
    cached = offer.cached_input_usd if tuned else None
    return Tariff(
        input_usd=reads,
        cached_input_usd=cached,
        output_usd=writes,
        as_of=offer.as_of,
        basis=_basis(model.name, kind, offer.as_of, reads, cached, writes, tuned=tuned),
    )


class Meter:
    """A running total that threads may share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = Usage()

    def add(self, usage: Usage) -> None:
        """Count further calls."""
        with self._lock:
            self._total += usage

    @property
    def total(self) -> Usage:
        """What was used so far."""
        return self._total


def _basis(
    base: str,
    kind: ProviderKind,
    as_of: dt.date,
    reads: float | None,
    cached: float | None,
    writes: float | None,
    *,
    tuned: bool,
) -> str:
    what = f"a fine-tuned {base}" if tuned else base
    if kind == "local":
        return "Own hardware: no price per token."
    title = catalog.load().service(kind).title
    if reads is None or writes is None:
        return f"No source gives a price of {what} at {title}."
    apart = "cached input counted in full" if cached is None else f"${cached:g} cached input"
    return (
        f"Price of {what}: list of {title} as of {as_of}, per 1M tokens ${reads:g} input, "
        f"{apart}, ${writes:g} output."
    )


def _count(counts: Mapping[str, object], name: str) -> int:
    count = counts.get(name)
    return count if isinstance(count, int) else 0
