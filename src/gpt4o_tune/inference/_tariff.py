"""What a provider takes for the tokens of one model, with its source and date."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune import catalog

if TYPE_CHECKING:
    from gpt4o_tune.catalog import ProviderKind

_PER = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Prices per 1M tokens in US dollars; None where no source gives one."""

    input_usd: float | None
    output_usd: float | None
    basis: str

    def price(self, prompt: int | None, completion: int | None) -> float | None:
        """Price a call, without discounts for cached input; None where a price or a count is unknown."""
        reads, writes = self.input_usd, self.output_usd
        if reads is None or writes is None or prompt is None or completion is None:
            return None
        return (prompt * reads + completion * writes) / _PER


@functools.lru_cache(maxsize=256)
def tariff(name: str, kind: ProviderKind) -> Tariff:
    """Return the prices of a model, fine-tuned or not, at a kind of provider."""
    model = catalog.load().find(name)
    offer = model.offer(kind) if model is not None else None
    if model is None or offer is None:
        return Tariff(
            input_usd=None,
            output_usd=None,
            basis=f"The catalog has no price of {name!r} for provider {kind!r}.",
        )
    tuned = name.casefold() not in {model.name, *model.aliases}
    reads = offer.input_usd if tuned else offer.base_input_usd
    writes = offer.output_usd if tuned else offer.base_output_usd
    what = f"a fine-tuned {model.name}" if tuned else model.name
    if reads is None or writes is None:
        basis = f"No source gives a price of {what} for provider {kind!r}."
    else:
        basis = (
            f"{what} at {catalog.load().service(kind).title}, list of {offer.as_of}: ${reads:g} per 1M tokens"
            f" read and ${writes:g} written, nothing cached."
        )
    return Tariff(input_usd=reads, output_usd=writes, basis=basis)
