"""What training and a month of use would cost on every model that could be trained on these rows.

Prices and dates are the catalog's; token counts are made with each model's own tokenizer. Models that take
no jobs any more stand in the table, marked, where their price is known: that shows what a change of model
saves or costs. A figure that no source gives is unknown, and a sum with an unknown part is a lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gpt4o_tune._display import money
from gpt4o_tune.catalog import load
from gpt4o_tune.data import _turns
from gpt4o_tune.data.cost import epochs_basis, estimate, price_basis
from gpt4o_tune.data.formats import METHOD_OF_FORMAT
from gpt4o_tune.data.tokens import RowTokens, TokenReport

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Mapping, Sequence

    from gpt4o_tune.catalog import Model, Offer, ProviderKind
    from gpt4o_tune.data.cost import CostEstimate
    from gpt4o_tune.data.formats import Format

__all__ = ["HOURS_PER_MONTH", "CostRow", "CostTable", "LeftOut", "Usage", "cost_table"]

HOURS_PER_MONTH = 730.0
"""A twelfth of a year of 365 days."""

_PER = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How the finished model is going to be used.

    Raises:
        ValueError: A figure is negative or not finite, or there are no months.
    """

    calls_per_month: float = 0
    months: float = 1
    hosting_hours: float = HOURS_PER_MONTH
    """Hours a month in which the model is deployed, used or not."""
    input_tokens: float | None = None
    """Per call; None takes the mean of the rows, in each model's own tokens."""
    output_tokens: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls_per_month", "months", "hosting_hours", "input_tokens", "output_tokens"):
            value: float | None = getattr(self, name)
            if value is not None and not (0 <= value < math.inf):
                raise ValueError(f"{name} must be a number from 0, got {value!r}")
        if self.months == 0:
            raise ValueError("months must be above 0; a fraction is allowed")


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """One model at one provider. Amounts are US dollars; None is unknown."""

    provider: ProviderKind
    is_open: bool
    """Whether new jobs are taken on the day of the table."""
    training: CostEstimate
    rows_cut: int
    """Rows longer than the training context, which lose their end."""
    hosting_usd_per_month: float | None
    input_tokens: float
    """Per call."""
    output_tokens: float | None
    """Per call; None where the rows hold no answers."""
    usd_per_1000_calls: float | None
    inference_usd_per_month: float | None
    total_usd: float | None
    """Training, and hosting and inference for all months; None where a part is unknown."""
    at_least_usd: float | None
    """The parts that are known; None where none is."""
    serving_ends: datetime.date | None
    """Day on which fine-tuned models are switched off; None where none was announced."""
    eligibility: str | None
    """A sentence that says who may create jobs, or None where anyone may."""
    basis: Mapping[str, str] = field(hash=False)
    """By figure: how it came about, from which source, and when that was looked at."""

    @property
    def model(self) -> str:
        """The id of the snapshot."""
        return self.training.model

    def to_dict(self) -> dict[str, object]:
        """Return the row as plain values, ready for `json.dumps`."""
        return {
            "model": self.model,
            "provider": self.provider,
            "is_open": self.is_open,
            "epochs": self.training.epochs,
            "tokens": self.training.tokens,
            "rows_cut": self.rows_cut,
            "training_usd": self.training.usd,
            "hosting_usd_per_month": self.hosting_usd_per_month,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "usd_per_1000_calls": self.usd_per_1000_calls,
            "inference_usd_per_month": self.inference_usd_per_month,
            "total_usd": self.total_usd,
            "at_least_usd": self.at_least_usd,
            "serving_ends": self.serving_ends.isoformat() if self.serving_ends else None,
            "eligibility": self.eligibility,
            "as_of": self.training.as_of.isoformat(),
            "basis": dict(self.basis),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A model that is not in the table, and why."""

    model: str
    provider: ProviderKind
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTable:
    """What the same rows would cost on all models, cheapest first among those that take jobs."""

    on: datetime.date
    """The day for which it holds."""
    format: Format
    examples: int
    """Rows of the dataset."""
    usage: Usage
    rows: tuple[CostRow, ...]
    left_out: tuple[LeftOut, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the table as plain values, ready for `json.dumps`."""
        return {
            "on": self.on.isoformat(),
            "format": self.format,
            "examples": self.examples,
            "calls_per_month": self.usage.calls_per_month,
            "months": self.usage.months,
            "hosting_hours": self.usage.hosting_hours,
            "rows": [row.to_dict() for row in self.rows],
            "left_out": [
                {"model": left.model, "provider": left.provider, "reason": left.reason}
                for left in self.left_out
            ],
        }

    def to_html(self) -> str:
        """Write the table as an HTML page that needs no other file."""
        from gpt4o_tune.data._cost_display import page

        return page(self)

    def __str__(self) -> str:
        from gpt4o_tune.data._cost_display import render

        return render(self)

    def _repr_html_(self) -> str:
        from gpt4o_tune.data._cost_display import fragment

        return fragment(self)


def may_show_image(raw: bytes) -> bool:
    """Tell quickly whether the bytes of a row may hold an image, plainly or in JSON's escapes."""
    return b"image_url" in raw or b"\\u00" in raw


def shows_image(row: Mapping[str, object]) -> bool:
    """Tell whether a row holds an image."""
    return any(list(_turns.images(turn.message)) for turn in _turns.turns(row))


def cost_table(
    tokens_of: Callable[[str], TokenReport],
    *,
    format: Format,  # noqa: A002  # as in Dataset
    examples: int,
    has_images: bool,
    usage: Usage,
    epochs: int | Literal["auto"],
    providers: Sequence[ProviderKind],
    on: datetime.date,
) -> CostTable:
    """Price the same rows on every model of the catalog that is, or was, trained on such rows.

    Args:
        tokens_of: Counts the rows for a model; called once for models that count alike.
        format: What the rows are.
        examples: How many there are.
        has_images: Whether some show images, which few models are trained on.
        usage: How much the finished model is going to be used.
        epochs: Passes over the data; `auto` estimates what the service would choose.
        providers: Where to look.
        on: The day for which the table holds.

    Raises:
        ValueError: `epochs` is out of range.
    """
    counted = _Counted(tokens_of, has_images=has_images)
    rows: list[CostRow] = []
    left_out: list[LeftOut] = []
    for provider in dict.fromkeys(providers):
        for model in load().models:
            offer = model.offer(provider)
            if offer is None or not offer.methods:
                continue
            if reason := _misfit(model, offer, format=format, has_images=has_images, on=on):
                left_out.append(LeftOut(model=model.name, provider=provider, reason=reason))
                continue
            report = counted.report(model)
            training = estimate(report, model=model, provider=provider, epochs=epochs)
            row = _row(
                report,
                training,
                offer,
                format=format,
                usage=usage,
                epochs=epochs,
                is_open=offer.trains(METHOD_OF_FORMAT[format], on=on),
            )
            rows.append(row)
    return CostTable(
        on=on,
        format=format,
        examples=examples,
        usage=usage,
        rows=tuple(sorted(rows, key=_rank)),
        left_out=tuple(left_out),
    )


class _Counted:
    """Token reports for all models, each kind of counting done once."""

    def __init__(self, tokens_of: Callable[[str], TokenReport], *, has_images: bool) -> None:
        self._tokens_of = tokens_of
        self._has_images = has_images
        self._counts: dict[object, tuple[RowTokens, ...]] = {}

    def report(self, model: Model) -> TokenReport:
        images = model.image_tokens if self._has_images else None
        key = (model.encoding, model.message_tokens, images)
        if key not in self._counts:
            self._counts[key] = _counts(self._tokens_of(model.name))
        return TokenReport.of(self._counts[key], model=model)


def _counts(report: TokenReport) -> tuple[RowTokens, ...]:
    per_row = (report.per_row, report.trained_per_row, report.guessed_images_per_row)
    return tuple(map(RowTokens._make, zip(*per_row, strict=True)))


def _misfit(
    model: Model,
    offer: Offer,
    *,
    format: Format,  # noqa: A002  # as in Dataset
    has_images: bool,
    on: datetime.date,
) -> str | None:
    """Say why a model has no place in the table, or return None where it has one."""
    method = METHOD_OF_FORMAT[format]
    if method not in offer.methods:
        return f"{format} rows need {method} training, which it does not offer"
    if not model.takes_chats:
        return "it trains on pairs of prompt and completion, not on chats"
    if has_images and not offer.vision:
        return "some rows show an image, and it trains on none"
    prices = (offer.training_usd, offer.training_usd_per_hour)
    if not offer.trains(method, on=on) and prices == (None, None):
        end = min(day for day in (offer.training_ends, offer.serving_ends) if day)
        return f"it ended on {end}, and no source gives its price"
    return None


def _row(
    report: TokenReport,
    training: CostEstimate,
    offer: Offer,
    *,
    format: Format,  # noqa: A002  # as in Dataset
    usage: Usage,
    epochs: int | Literal["auto"],
    is_open: bool,
) -> CostRow:
    hosting = _times(offer.hosting_usd_per_hour, usage.hosting_hours)
    read, written = _per_call(report, format=format, usage=usage)
    per_1000 = _per_1000_calls(offer, read, written)
    # No calls cost nothing, whatever their price.
    inference = _times(per_1000, usage.calls_per_month / 1000) if usage.calls_per_month else 0.0
    parts = (training.usd, _times(hosting, usage.months), _times(inference, usage.months))
    known = [part for part in parts if part is not None]
    is_known = training.usd is not None or bool(hosting) or per_1000 is not None
    return CostRow(
        provider=training.provider,
        is_open=is_open,
        training=training,
        rows_cut=len(report.over_limit),
        hosting_usd_per_month=hosting,
        input_tokens=read,
        output_tokens=written,
        usd_per_1000_calls=per_1000,
        inference_usd_per_month=inference,
        total_usd=sum(known) if len(known) == len(parts) else None,
        at_least_usd=sum(known) if is_known else None,
        serving_ends=offer.serving_ends,
        eligibility=offer.eligibility or load().service(training.provider).eligibility,
        basis={
            "tokens": report.basis,
            "epochs": epochs_basis(training.provider) if epochs == "auto" else "Epochs: as given.",
            "training": price_basis(offer, model=training.model, provider=training.provider),
            "hosting": _hosting_basis(offer, usage=usage),
            "inference": _inference_basis(offer, read, written),
            "serving_ends": "As announced." if offer.serving_ends else "No end was announced.",
            "sources": f"{offer.source} (compared on {offer.as_of})",
        },
    )


def _per_call(
    report: TokenReport,
    *,
    format: Format,  # noqa: A002  # as in Dataset
    usage: Usage,
) -> tuple[float, float | None]:
    """Return what a call reads and writes: as given, or what a row has on average.

    A row is taken for one call: what is not trained is read, what is trained is written. Of a preference
    row one output is, on average half of both. Rows without an answer do not tell what is written.
    """
    rows = max(len(report), 1)
    read, written = usage.input_tokens, usage.output_tokens
    if read is None:
        read = (report.total - report.trained) / rows
    if written is None and report.trained:
        written = report.trained / rows / (2 if format == "preference" else 1)
    return read, written


def _per_1000_calls(offer: Offer, read: float, written: float | None) -> float | None:
    if offer.input_usd is None or offer.output_usd is None or written is None:
        return None
    return (read * offer.input_usd + written * offer.output_usd) * 1000 / _PER


def _times(usd: float | None, count: float) -> float | None:
    return None if usd is None else usd * count


def _hosting_basis(offer: Offer, *, usage: Usage) -> str:
    if offer.hosting_usd_per_hour is None:
        return "No source gives a price."
    if not offer.hosting_usd_per_hour:
        return "The price list bills by tokens only."
    return (
        f"{money(offer.hosting_usd_per_hour)} per hour, {usage.hosting_hours:,.0f} hours a month."
    )


def _inference_basis(offer: Offer, read: float, written: float | None) -> str:
    if offer.input_usd is None or offer.output_usd is None:
        return "No source gives a price of the fine-tuned model."
    if written is None:
        return "These rows hold no answer; give output_tokens."
    return (
        f"{money(offer.input_usd)} per 1M tokens read and {money(offer.output_usd)} written; a call reads "
        f"{read:,.0f} and writes {written:,.0f}, nothing cached, no batches."
    )


def _rank(row: CostRow) -> tuple[object, ...]:
    """Order rows: those that take jobs, by provider; there the cheapest first and the unknown last."""
    total = row.at_least_usd
    return (not row.is_open, row.provider != "openai", row.provider, total is None, total or 0.0)
