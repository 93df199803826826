"""What `RowSurvey.combine` returns: the report, the sums and the price of rows that were read elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gpt4o_tune._display import html_text, plural
from gpt4o_tune.catalog import load
from gpt4o_tune.data.cost import price
from gpt4o_tune.errors import DatasetError, ProviderError

if TYPE_CHECKING:
    from gpt4o_tune.data.cost import Billed, CostEstimate
    from gpt4o_tune.data.report import CheckReport

__all__ = ["Overview"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What is known of all rows together."""

    check: CheckReport
    tokens: int | None
    """Of all rows that can be read, once through; None where the catalog does not know the model."""
    trained_tokens: int | None
    """Of these, tokens that the model learns to write."""
    unreadable: int
    """Rows that do not have the shape of their format, and so were not counted."""
    billed: Billed | None
    """What a cost is computed from."""

    @property
    def rows(self) -> int:
        """How many rows there are; blank lines are none."""
        return self.check.rows

    def cost(self, *, epochs: int | Literal["auto"] = "auto") -> CostEstimate:
        """Estimate the price of training on the rows, as `Dataset.cost` does.

        Raises:
            DatasetError: There are no rows, or some cannot be read.
            ProviderError: The catalog does not know the model.
            ValueError: `epochs` is out of range.
        """
        if self.billed is None or self.check.model is None:
            raise ProviderError(
                "Costs need a model that the catalog knows; survey the rows for one of its models."
            )
        if self.unreadable or not self.rows:
            what = f"{plural(self.unreadable, 'row')} cannot be read" if self.rows else "no rows"
            raise DatasetError(
                f"Cannot estimate costs: {self.check.source} has {what}. "
                "Leave out records whose `key` is empty, and combine the others.",
                problems=self.check.errors,
            )
        model = load().get(self.check.model)
        return price(self.billed, model=model, provider=self.check.provider, epochs=epochs)

    def to_dict(self) -> dict[str, object]:
        """Return the overview as plain values, ready for `json.dumps`."""
        return {
            "rows": self.rows,
            "tokens": self.tokens,
            "trained_tokens": self.trained_tokens,
            "unreadable": self.unreadable,
            "check": self.check.to_dict(),
        }

    def __str__(self) -> str:
        counted = ""
        if self.tokens is not None and self.trained_tokens is not None:
            counted = f", {plural(self.tokens, 'token')}, of these {self.trained_tokens:,} trained"
        unread = f", {self.unreadable:,} unreadable" if self.unreadable else ""
        return f"{plural(self.rows, 'row')}{unread}{counted}\n\n{self.check}"

    def _repr_html_(self) -> str:
        return html_text(str(self))
