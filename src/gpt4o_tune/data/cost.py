"""What training will cost, before a cent is spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from gpt4o_tune._display import html_text, money, paragraph, plural
from gpt4o_tune.catalog import load

if TYPE_CHECKING:
    import datetime

    from gpt4o_tune.catalog import Model, Offer, ProviderKind
    from gpt4o_tune.data.tokens import TokenReport

__all__ = ["CostEstimate", "auto_epochs", "estimate"]

MAX_EPOCHS = 50
_PER = 1_000_000


def auto_epochs(rows: int) -> int:
    """Guess the number of epochs that OpenAI chooses for `auto`.

    This is the rule of OpenAI's data preparation notebook: 3 epochs, more for fewer than 34 rows (to
    reach 100 examples in all, at most 25 epochs), fewer above 8,333 rows (at most 25,000 examples, at
    least 1 epoch). The rule of the service itself is not published.

    Raises:
        ValueError: `rows` is negative.
    """
    if rows < 0:
        raise ValueError(f"the number of rows must be 0 or more, got {rows}")
    if rows * 3 < 100:
        return min(25, 100 // max(rows, 1))
    if rows * 3 > 25_000:
        return max(1, 25_000 // rows)
    return 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """What one training run is expected to cost."""

    usd: float | None
    """In US dollars; None where the catalog has no price per token."""
    tokens: int
    """Tokens billed: those of every row, as far as the model trains on them, times epochs."""
    epochs: int
    model: str
    provider: ProviderKind
    training_usd: float | None
    """Price per 1M tokens."""
    hosting_usd_per_hour: float | None
    """What the finished model costs per hour of deployment, used or not; not part of `usd`."""
    as_of: datetime.date
    """Day on which the price was last compared with its source."""
    basis: str
    """How the figure came about, and what in it is an estimate."""

    def to_dict(self) -> dict[str, object]:
        """Return the estimate as plain values, ready for `json.dumps`."""
        return {
            "usd": self.usd,
            "tokens": self.tokens,
            "epochs": self.epochs,
            "model": self.model,
            "provider": self.provider,
            "training_usd": self.training_usd,
            "hosting_usd_per_hour": self.hosting_usd_per_hour,
            "as_of": self.as_of.isoformat(),
            "basis": self.basis,
        }

    @property
    def summary(self) -> str:
        """The amount and how it is made up, in one line."""
        once = self.tokens // self.epochs
        amount = f"{self.tokens:,} tokens ({once:,} x {plural(self.epochs, 'epoch')})"
        if self.training_usd is None:
            return f"{money(self.usd)}: {amount} on {self.model}"
        return f"{money(self.usd)} = {amount} x {money(self.training_usd)} per 1M on {self.model}"

    def __str__(self) -> str:
        lines = [self.summary]
        if self.hosting_usd_per_hour:
            lines.append(f"  plus {money(self.hosting_usd_per_hour)} per hour while it is deployed")
        return "\n".join([*lines, paragraph(self.basis, indent="  ")])

    def _repr_html_(self) -> str:
        return html_text(str(self))


def estimate(
    report: TokenReport,
    *,
    model: Model,
    provider: ProviderKind,
    epochs: int | Literal["auto"] = "auto",
) -> CostEstimate:
    """Estimate the price of training on rows that were counted for this model.

    Validation rows are not billed by OpenAI, so only the training part belongs into `report`.

    Raises:
        ValueError: `epochs` is neither `auto` nor a whole number from 1 to 50, or the report was made for
            another model.
    """
    if report.model != model.name:
        raise ValueError(f"the tokens were counted for {report.model!r}, not for {model.name!r}")
    limit = model.training_context
    billed = Billed(
        rows=len(report),
        tokens=sum(min(tokens, limit) if limit else tokens for tokens in report.counts.totals),
        is_cut=bool(report.over_limit),
        basis=report.basis,
    )
    return price(billed, model=model, provider=provider, epochs=epochs)


class Billed(NamedTuple):
    """What is billed for one pass over some rows."""

    rows: int
    tokens: int
    """Those of every row, as far as the model trains on them."""
    is_cut: bool
    """Whether some row has more."""
    basis: str
    """How the tokens were counted."""


def price(
    billed: Billed, *, model: Model, provider: ProviderKind, epochs: int | Literal["auto"]
) -> CostEstimate:
    """Estimate the price of training on rows of which only the sums are known.

    Raises:
        ValueError: `epochs` is neither `auto` nor a whole number from 1 to 50.
    """
    times = _epochs(epochs, rows=billed.rows)
    once = billed.tokens
    offer = model.offer(provider)
    rate = offer.training_usd if offer else None
    return CostEstimate(
        usd=None if rate is None else once * times * rate / _PER,
        tokens=once * times,
        epochs=times,
        model=model.name,
        provider=provider,
        training_usd=rate,
        hosting_usd_per_hour=offer.hosting_usd_per_hour if offer else None,
        as_of=offer.as_of if offer else model.as_of,
        basis=_basis(offer, billed, model=model, epochs=epochs, provider=provider),
    )


def _epochs(epochs: int | Literal["auto"], *, rows: int) -> int:
    if epochs == "auto":
        return auto_epochs(rows)
    # A bool is an int to isinstance.
    if type(epochs) is not int or not 1 <= epochs <= MAX_EPOCHS:
        raise ValueError(
            f"epochs must be 'auto' or a whole number from 1 to {MAX_EPOCHS}, got {epochs!r}"
        )
    return epochs


def _basis(
    offer: Offer | None, billed: Billed, *, model: Model, epochs: object, provider: ProviderKind
) -> str:
    sentences = [price_basis(offer, model=model.name, provider=provider)]
    sentences += [epochs_basis(provider)] if epochs == "auto" else []
    if billed.is_cut:
        sentences.append(
            f"Tokens above {model.training_context:,} per row are cut off and left out of the bill."
        )
    return " ".join([*sentences, f"Tokens: {billed.basis}"])


def price_basis(offer: Offer | None, *, model: str, provider: ProviderKind) -> str:
    """Say where a training price comes from and what it leaves out, or why there is none."""
    if provider == "local":
        return "Own hardware: no price per token."
    if offer is None:
        return f"The catalog has no price of {model!r} for provider {provider!r}."
    if offer.training_usd is None:
        return _unpriced(offer)
    listed = f"Price: list of {load().service(provider).title} as of {offer.as_of}."
    return f"{listed} {offer.training_price_note}" if offer.training_price_note else listed


def epochs_basis(provider: ProviderKind) -> str:
    """Say how the number of epochs for `auto` came about."""
    if provider == "local":
        return "Epochs: a guess; the local server takes as many as its small model needs."
    return (
        "Epochs: OpenAI's notebook rule, as the service does not publish how it chooses for 'auto'."
    )


def _unpriced(offer: Offer) -> str:
    if offer.training_usd_per_hour is not None:
        return (
            f"Billed at {money(offer.training_usd_per_hour)} per hour of training, not by tokens."
        )
    return "No source gives a training price."
