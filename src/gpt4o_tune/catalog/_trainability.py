"""Can this model still be trained there, and is it worth it? The sentences that answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gpt4o_tune.errors import ModelRetiredError, ProviderError

if TYPE_CHECKING:
    from datetime import date

    from gpt4o_tune.catalog.catalog import Catalog
    from gpt4o_tune.catalog.models import Method, Model, Offer, ProviderKind

NOTICE_DAYS: Final = 90
"""An end date that is nearer than this many days is worth a warning."""


@dataclass(frozen=True, slots=True)
class Request:
    """The question: this model, there, by this method, on this day."""

    model_id: str
    provider: ProviderKind
    method: Method
    on: date
    margin_days: int
    shutdown_date: date | None
    """What the service itself says, where it was asked; it wins over the catalog."""

    def is_postponed(self, offer: Offer) -> bool:
        """Say whether the service has moved the end that the catalog knows to a later day."""
        return bool(
            self.shutdown_date and offer.serving_ends and self.shutdown_date > offer.serving_ends
        )


def check(catalog: Catalog, model: Model, request: Request) -> tuple[str, ...]:
    """Raise where training is refused; see `Catalog.check_trainable`."""
    offer = model.offer(request.provider)
    if offer is None or request.method not in offer.methods:
        raise _never_trainable(catalog, model, request)
    # Where the end was postponed, the catalog's last day for new jobs is out of date as well.
    if offer.training_ends and request.on > offer.training_ends and not request.is_postponed(offer):
        raise _training_ended(catalog, model, offer, request)
    end = request.shutdown_date or offer.serving_ends
    if end:
        days = (end - request.on).days
        if days <= 0 or days < request.margin_days:
            raise _serving_ends(catalog, model, end, request)
    return tuple(_warnings(catalog, model, offer, request))


def _never_trainable(
    catalog: Catalog, model: Model, request: Request
) -> ModelRetiredError | ProviderError:
    offer = model.offer(request.provider)
    title = catalog.service(request.provider).title
    related = [offer] if offer else model.offers.values()
    note = f" {model.note}" if model.note and not any(o.methods for o in related) else ""
    gone = model.switched_off(request.provider)
    if gone and gone <= request.on and not (offer and offer.methods):
        return ModelRetiredError(
            f"{request.model_id!r} cannot be fine-tuned on {title}, which switched it off on {gone}."
            f"{note}{_elsewhere(catalog, model, request)}",
            model=request.model_id,
            date=gone,
            replacement=model.replacement,
        )
    others = [
        m.name for m in catalog.trainable(request.provider, method=request.method, on=request.on)
    ]
    here = ", ".join(map(repr, others)) or "no model"
    return ProviderError(
        f"{request.model_id!r} cannot be fine-tuned on {title} by method {request.method!r}.{note}"
        f"{_elsewhere(catalog, model, request)} On {title} this method takes: {here}."
    )


def _training_ended(
    catalog: Catalog, model: Model, offer: Offer, request: Request
) -> ModelRetiredError:
    end = f"new jobs ended on {offer.training_ends}"
    if offer.serving_ends == offer.training_ends:
        end = f"new jobs and all fine-tunes ended on {offer.training_ends}"
    elif offer.serving_ends:
        tense = "were" if offer.serving_ends <= request.on else "are"
        end += f" and fine-tunes {tense} switched off on {offer.serving_ends}"
    return ModelRetiredError(
        f"{request.model_id!r} can no longer be fine-tuned on "
        f"{catalog.service(request.provider).title}: {end} (catalog as of {offer.as_of})."
        f"{_elsewhere(catalog, model, request)}{_replacement(catalog, model, request)}",
        model=request.model_id,
        date=offer.training_ends,
        replacement=model.replacement,
    )


def _serving_ends(catalog: Catalog, model: Model, day: date, request: Request) -> ModelRetiredError:
    title = catalog.service(request.provider).title
    days = (day - request.on).days
    if days <= 0:
        reason = f"fine-tunes were switched off on {day}"
        way_out = ""
    else:
        reason = (
            f"fine-tunes are switched off on {day}, {_count(days)} after {request.on}, and "
            f"margin_days is {request.margin_days}"
        )
        way_out = " To train it all the same, pass margin_days=0."
    return ModelRetiredError(
        f"{request.model_id!r} retires too soon to be fine-tuned on {title}: {reason}."
        f"{_elsewhere(catalog, model, request)}{_replacement(catalog, model, request)}{way_out}",
        model=request.model_id,
        date=day,
        replacement=model.replacement,
    )


def _warnings(catalog: Catalog, model: Model, offer: Offer, request: Request) -> list[str]:
    title = catalog.service(request.provider).title
    if request.is_postponed(offer):
        return [
            f"{title} itself says that {model.name!r} is shut down on {request.shutdown_date}, later "
            f"than the catalog's {offer.serving_ends}. Whether new jobs are taken, it decides."
        ]
    sentences: list[str] = []
    if offer.serving_ends and (offer.serving_ends - request.on).days < NOTICE_DAYS:
        sentences.append(
            f"Fine-tunes of {model.name!r} on {title} are switched off on {offer.serving_ends}, "
            f"{_count((offer.serving_ends - request.on).days)} after {request.on}."
            f"{_elsewhere(catalog, model, request)}"
        )
    if offer.training_ends and (offer.training_ends - request.on).days < NOTICE_DAYS:
        sentences.append(
            f"New jobs for {model.name!r} on {title} end on {offer.training_ends}, "
            f"{_count((offer.training_ends - request.on).days)} after {request.on}."
        )
    if request.method in offer.unconfirmed:
        sentences.append(
            f"Sources disagree on whether {title} trains {model.name!r} by method "
            f"{request.method!r}, so the job may be refused. {offer.note}".rstrip()
        )
    eligibility = offer.eligibility or catalog.service(request.provider).eligibility
    if eligibility:
        sentences.append(f"{eligibility}.")
    return sentences


def _elsewhere(catalog: Catalog, model: Model, request: Request) -> str:
    places: list[str] = []
    for kind, offer in model.offers.items():
        if kind == request.provider or not offer.trains(request.method, on=request.on):
            continue
        until = offer.serving_ends
        if until and (until - request.on).days < request.margin_days:
            continue
        end = f"fine-tunes run until {until}" if until else "no announced end"
        places.append(f"{catalog.service(kind).title} ({end})")
    return f" It can still be trained on {' and '.join(places)}." if places else ""


def _replacement(catalog: Catalog, model: Model, request: Request) -> str:
    if model.replacement is None:
        return ""
    other = catalog.find(model.replacement)
    offer = other.offer(request.provider) if other else None
    if offer and offer.trains(request.method, on=request.on):
        return f" Use {model.replacement!r} instead."
    return f" The named replacement {model.replacement!r} cannot be fine-tuned there."


def _count(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
