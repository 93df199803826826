"""The service's own word on when a model ends; it wins over the catalog's table."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gpt4o_tune import catalog
from gpt4o_tune._display import plural
from gpt4o_tune.errors import ModelRetiredError
from gpt4o_tune.inference.end_dates import told_end

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.jobs.plan import LaunchPlan

__all__ = ["planned", "require_not_ending"]

log = logging.getLogger("gpt4o_tune")


async def planned(
    make: Callable[..., LaunchPlan], *, model: str, gateway: Callable[[], Gateway]
) -> LaunchPlan:
    """Make a plan; where the catalog refuses for a date, ask the service whether it has moved it.

    Args:
        make: Makes the plan; takes the service's own `shutdown_date`.
        model: The model to ask about.
        gateway: Opens the way to the service, only where it is asked.

    Raises:
        ModelRetiredError: The date stands, or the service tells none.
    """
    try:
        return make()
    except ModelRetiredError as refusal:
        end = await _told(gateway(), model)
        if end is None or refusal.date is None or end <= refusal.date:
            raise
        return make(shutdown_date=end)


async def require_not_ending(gateway: Gateway, plan: LaunchPlan) -> None:
    """Ask the service for the model's `shutdown_date`; one that tells none stops nothing.

    Raises:
        ModelRetiredError: The date is past, or nearer than the plan's margin.
    """
    end = await _told(gateway, plan.model)
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


async def _told(gateway: Gateway, name: str) -> dt.date | None:
    end = told_end(await gateway.find_model(name))
    return None if end is None else end.date


def _distance(days: int) -> str:
    return f", in {plural(days, 'day')}" if days > 0 else ", which has come"
