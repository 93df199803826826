"""The service's own word on when a model ends; it wins over the catalog's table."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING

from gpt4o_tune import catalog
from gpt4o_tune._display import plural
from gpt4o_tune.errors import ModelRetiredError

if TYPE_CHECKING:
    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.jobs.plan import LaunchPlan

__all__ = ["require_not_ending"]

log = logging.getLogger("gpt4o_tune")


async def require_not_ending(gateway: Gateway, plan: LaunchPlan) -> None:
    """Ask the service for the model's `shutdown_date`; one that tells none stops nothing.

    Raises:
        ModelRetiredError: The date is past, or nearer than the plan's margin.
    """
    model = await gateway.find_model(plan.model)
    end = _date(model.shutdown_date if model is not None else None)
    if end is None:
        return
    days = (end - plan.provider.clock.today()).days
    known = catalog.load().find(plan.model)
    if days <= 0 or days < plan.margin_days:
        way_out = "" if days <= 0 else " To train it all the same, pass margin_days=0."
        raise ModelRetiredError(
            f"{plan.provider.base_url} itself says that {plan.model!r} is shut down on {end}"
            f"{_distance(days)}, and margin_days is {plan.margin_days}. Choose another model or provider."
            f"{way_out}",
            model=plan.model,
            date=end,
            replacement=known.replacement if known else None,
        )
    offer = known.offer(plan.provider.kind) if known else None
    if offer is not None and offer.serving_ends is not None and end < offer.serving_ends:
        log.warning(
            "%s itself says that %r is shut down on %s, earlier than the catalog's %s",
            plan.provider.base_url,
            plan.model,
            end,
            offer.serving_ends,
        )


def _date(text: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text[:10]) if isinstance(text, str) else None
    except ValueError:
        return None


def _distance(days: int) -> str:
    return f", in {plural(days, 'day')}" if days > 0 else ", which has come"
