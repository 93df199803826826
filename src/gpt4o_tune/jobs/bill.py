"""What a job was estimated at, what the service billed, and how far the two lie apart."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Self

from gpt4o_tune import catalog
from gpt4o_tune._display import html_text, money

if TYPE_CHECKING:
    import datetime as dt

    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune.catalog import ProviderKind

__all__ = ["Bill", "Expected"]

PER = 1_000_000


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What an estimate said before the launch."""

    tokens: int
    usd: float | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """The trained tokens of a job at the list price, beside what was estimated.

    The tokens are the service's own count. The amount is not its invoice: it is the count times the
    catalog's price per token, so discounts, taxes and hosting are not in it.
    """

    job_id: str
    tokens: int | None
    """Tokens that the service bills; None as long as it has not said."""
    usd: float | None
    """In US dollars; None without tokens, or where no price per token is known."""
    training_usd: float | None
    """Price per 1M tokens."""
    as_of: dt.date | None
    """Day on which the price was last compared with its source."""
    estimated_tokens: int | None = None
    """None where the estimate is not known in this process; a `RunRecord` keeps it."""
    estimated_usd: float | None = None

    @classmethod
    def of(cls, job: FineTuningJob, *, kind: ProviderKind, expected: Expected | None) -> Self:
        """Price what a job reports."""
        model = catalog.load().find(job.model)
        offer = model.offer(kind) if model else None
        price = offer.training_usd if offer else None
        tokens = job.trained_tokens
        return cls(
            job_id=job.id,
            tokens=tokens,
            usd=None if price is None or tokens is None else tokens * price / PER,
            training_usd=price,
            as_of=offer.as_of if offer else None,
            estimated_tokens=expected.tokens if expected else None,
            estimated_usd=expected.usd if expected else None,
        )

    @property
    def difference_tokens(self) -> int | None:
        """Billed minus estimated tokens; above 0 where the bill is higher."""
        if self.tokens is None or self.estimated_tokens is None:
            return None
        return self.tokens - self.estimated_tokens

    @property
    def difference_usd(self) -> float | None:
        """Billed minus estimated US dollars."""
        if self.usd is None or self.estimated_usd is None:
            return None
        return self.usd - self.estimated_usd

    def to_dict(self) -> dict[str, object]:
        """Return the bill as plain values, ready for `json.dumps`."""
        return {
            "tokens": self.tokens,
            "usd": self.usd,
            "training_usd": self.training_usd,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "estimated_tokens": self.estimated_tokens,
            "estimated_usd": self.estimated_usd,
            "difference_tokens": self.difference_tokens,
            "difference_usd": self.difference_usd,
        }

    def __str__(self) -> str:
        if self.tokens is None:
            billed = "the service has not reported trained tokens"
        else:
            billed = f"{_amount(self.tokens, self.usd)}{self._basis()}"
        lines = [f"Bill of {self.job_id}", f"  billed      {billed}"]
        if self.estimated_tokens is None:
            lines.append("  estimated   not known here; a run record keeps the estimate")
        else:
            lines.append(f"  estimated   {_amount(self.estimated_tokens, self.estimated_usd)}")
        if self.difference_tokens is not None:
            lines.append(f"  difference  {self._difference(self.difference_tokens)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_text(str(self))

    def _basis(self) -> str:
        if self.training_usd is None:
            return ""
        return f" at {money(self.training_usd)} per 1M (list price as of {self.as_of})"

    def _difference(self, tokens: int) -> str:
        if tokens == 0:
            return "none"
        share = f" ({tokens / self.estimated_tokens:+.1%})" if self.estimated_tokens else ""
        dollars = "" if self.difference_usd is None else f", {_signed(self.difference_usd)}"
        return f"{tokens:+,} tokens{share}{dollars}"


def _amount(tokens: int, usd: float | None) -> str:
    return f"{tokens:,} tokens, {money(usd)}"


def _signed(usd: float) -> str:
    return f"{'-' if usd < 0 else '+'}{money(abs(usd))}"
