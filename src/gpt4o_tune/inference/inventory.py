"""Every fine-tuned model at a provider, with what is known of each, the one that ends first first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, overload

from gpt4o_tune import catalog
from gpt4o_tune._display import html_table, html_text, paragraph, plural, table
from gpt4o_tune._gateway import CALL_ERRORS
from gpt4o_tune.errors import ProviderError
from gpt4o_tune.inference.end_dates import NEAR_DAYS, EndDate, catalog_end, is_tuned, told_end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping

    from openai.types import Model
    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.catalog import ProviderKind
    from gpt4o_tune.providers import Deployment, Provider

__all__ = ["FineTunedModel", "Inventory", "jobs_by_model", "take_inventory"]

JOBS_SEARCHED = 10_000
"""The newest jobs that are looked through for where a model came from."""
PROBE_PATIENCE = 20.0
"""Seconds for which one model is asked whether it answers."""
PROBES_AT_ONCE = 8

UNKNOWN = "-"

Listed = TypeVar("Listed")


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTunedModel:
    """One fine-tuned model. What no one tells is None."""

    name: str
    """Its id; at Azure requests name a deployment of it instead."""
    base: str | None
    """What it was tuned from: a base model, or another fine-tuned one."""
    created: dt.datetime | None
    """By the server's clock, in UTC."""
    job_id: str | None
    """The job that trained it; None where the service no longer lists it."""
    owner: str | None
    """The organisation, in the service's words."""
    end: EndDate | None
    """When it is switched off; None where nobody has announced a day."""
    days_left: int | None
    """From the day of the inventory to the end; below 0 where it is past."""
    last_used: dt.datetime | None = None
    """When it last answered, where the service tells (`last_used_at`); OpenAI and Azure do not."""
    answers: bool | None = None
    """Whether it answered a probe; None where it was not asked."""
    deployments: tuple[Deployment, ...] = ()
    """Its deployments at Azure, where they were asked for."""

    @property
    def is_near_end(self) -> bool:
        """Whether at most `NEAR_DAYS` (60) days are left."""
        return self.days_left is not None and self.days_left <= NEAR_DAYS

    def to_dict(self) -> dict[str, object]:
        """Return the model as plain values, ready for `json.dumps`."""
        return {
            "name": self.name,
            "base": self.base,
            "created": _iso(self.created),
            "job_id": self.job_id,
            "owner": self.owner,
            "end": None if self.end is None else self.end.to_dict(),
            "days_left": self.days_left,
            "last_used": _iso(self.last_used),
            "answers": self.answers,
            "deployments": [
                {"name": each.name, "sku": each.sku, "state": each.state}
                for each in self.deployments
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory(Sequence[FineTunedModel]):
    """The fine-tuned models of one provider; the one that ends first is first."""

    models: tuple[FineTunedModel, ...]
    provider: ProviderKind
    base_url: str
    on: dt.date
    """The day from which days are counted."""
    jobs_known: bool = True
    """Whether the service lists jobs; where it does not, job ids and some bases are missing."""

    @overload
    def __getitem__(self, index: int) -> FineTunedModel: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[FineTunedModel]: ...
    def __getitem__(self, index: int | slice) -> FineTunedModel | Sequence[FineTunedModel]:
        return self.models[index]

    def __len__(self) -> int:
        return len(self.models)

    @property
    def near_end(self) -> tuple[FineTunedModel, ...]:
        """The models that have at most `NEAR_DAYS` (60) days left."""
        return tuple(model for model in self.models if model.is_near_end)

    def to_dict(self) -> dict[str, object]:
        """Return the inventory as plain values, ready for `json.dumps`."""
        return {
            "provider": self.provider,
            "base_url": self.base_url,
            "on": self.on.isoformat(),
            "jobs_known": self.jobs_known,
            "models": [model.to_dict() for model in self.models],
        }

    def __str__(self) -> str:
        if not self.models:
            return self._title
        headers, rows = self._table()
        align = "".join(">" if header == "days left" else "<" for header in headers)
        notes = [paragraph(note) for note in self._notes()]
        return "\n".join([self._title, table(headers, rows, align=align), *notes])

    def _repr_html_(self) -> str:
        title = html_text("\n".join([self._title, *self._notes()]))
        return title + html_table(*self._table()) if self.models else title

    @property
    def _title(self) -> str:
        return f"{plural(len(self.models), 'fine-tuned model')} at {self.base_url} on {self.on}"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        """Return the headers and cells; columns that hold nothing are left out."""
        columns: dict[str, list[str]] = {
            "model": [model.name for model in self.models],
            "base": [model.base or UNKNOWN for model in self.models],
            "created": [_day(model.created) for model in self.models],
            "ends": [UNKNOWN if m.end is None else f"{m.end.date}" for m in self.models],
            "days left": [_number(model.days_left) for model in self.models],
            "source": [UNKNOWN if m.end is None else m.end.source for m in self.models],
            "last used": [_day(model.last_used) for model in self.models],
            "answers": [_yes(model.answers) for model in self.models],
            "deployments": [_names(model.deployments) for model in self.models],
            "job": [model.job_id or UNKNOWN for model in self.models],
        }
        kept = {
            header: cells
            for header, cells in columns.items()
            if header in ("model", "ends", "days left") or set(cells) != {UNKNOWN}
        }
        return list(kept), [list(row) for row in zip(*kept.values(), strict=True)]

    def _notes(self) -> list[str]:
        notes: list[str] = []
        if self.near_end:
            notes.append(
                f"{plural(len(self.near_end), 'model')} with {NEAR_DAYS} days left or fewer: train "
                "again elsewhere, and compare while both answer."
            )
        if not self.jobs_known:
            notes.append("The service lists no jobs, so where a model came from is known by name.")
        return notes


async def take_inventory(
    gateway: Gateway,
    *,
    provider: Provider,
    deployments: Sequence[Deployment] | None = None,
    on: dt.date | None = None,
    probe: bool = False,
) -> Inventory:
    """List the models and jobs of a provider and put together what they say.

    The list of models is the truth on what is there. A compatible service may serve a model without
    listing it, so there the models of succeeded jobs count as well.

    Raises:
        ProviderError: The service lists neither models nor jobs.
        openai.APIError: The service refused to list, or stayed out of reach.
    """
    today = on or provider.clock.today()
    listed = await _unless_absent(gateway.list_models())
    jobs = await _unless_absent(gateway.find_jobs(None, most=JOBS_SEARCHED))
    if listed is None and jobs is None:
        raise ProviderError(
            f"{provider.base_url} lists neither models nor jobs, so it cannot be asked what is there"
        )
    origins = jobs_by_model(jobs or ())
    served = _served(deployments or ())
    there = {model.id: model for model in listed or ()}
    names = dict.fromkeys(
        name for name, model in there.items() if _base_of(name, model, origins) is not None
    )
    if provider.kind == "compatible" or listed is None:
        names |= dict.fromkeys(origins)
    names |= dict.fromkeys(name for name in served if is_tuned(name))
    found = [
        _described(name, there.get(name), origins, served=served, kind=provider.kind, on=today)
        for name in names
    ]
    if probe:
        found = await _probed(gateway, found, is_azure=provider.kind == "azure")
    return Inventory(
        models=tuple(sorted(found, key=_soonest)),
        provider=provider.kind,
        base_url=provider.base_url,
        on=today,
        jobs_known=jobs is not None,
    )


def jobs_by_model(jobs: Iterable[FineTuningJob]) -> dict[str, FineTuningJob]:
    """Return the jobs that gave a model, by its name; the newest counts."""
    newest_first = [(job.fine_tuned_model, job) for job in jobs]
    return {name: job for name, job in reversed(newest_first) if name}


async def _unless_absent(call: Awaitable[Listed]) -> Listed | None:
    """Await a list; None where the service has no such list."""
    try:
        return await call
    except CALL_ERRORS as error:
        if getattr(error, "status_code", None) in (404, 405):
            return None
        raise


def _base_of(name: str, model: Model | None, origins: Mapping[str, FineTuningJob]) -> str | None:
    """Return what a model was tuned from, or None where nothing shows that it was tuned.

    Services for adapters name it as the model's `parent`.
    """
    job = origins.get(_whole(name))
    if job is not None and job.model:
        return job.model
    parent: object = getattr(model, "parent", None)
    if isinstance(parent, str) and parent and parent != name:
        return parent
    return catalog.base_id(name) if is_tuned(name) else None


def _whole(name: str) -> str:
    """Return the name of the model that a checkpoint belongs to."""
    return name.partition(":ckpt-step-")[0]


def _described(
    name: str,
    model: Model | None,
    origins: Mapping[str, FineTuningJob],
    *,
    served: Mapping[str, tuple[Deployment, ...]],
    kind: ProviderKind,
    on: dt.date,
) -> FineTunedModel:
    job = origins.get(_whole(name))
    base = _base_of(name, model, origins)
    end = told_end(model) or catalog_end(name, kind, base=base)
    seconds = (model.created if model else None) or (
        (job.finished_at or job.created_at) if job else None
    )
    return FineTunedModel(
        name=name,
        base=base,
        created=_moment(seconds),
        job_id=job.id if job else None,
        owner=(model.owned_by if model else None) or (job.organization_id if job else None) or None,
        end=end,
        days_left=None if end is None else end.days_left(on),
        last_used=_moment(getattr(model, "last_used_at", None)),
        deployments=served.get(name, ()),
    )


def _served(deployments: Sequence[Deployment]) -> dict[str, tuple[Deployment, ...]]:
    by_model: dict[str, tuple[Deployment, ...]] = {}
    for each in deployments:
        by_model[each.model] = (*by_model.get(each.model, ()), each)
    return by_model


async def _probed(
    gateway: Gateway, models: Sequence[FineTunedModel], *, is_azure: bool
) -> list[FineTunedModel]:
    async def asked(model: FineTunedModel) -> FineTunedModel:
        name = model.name
        if is_azure:
            if not model.deployments:
                return replace(model, answers=False)
            name = model.deployments[0].name
        answers = await gateway.answers(name, patience=PROBE_PATIENCE)
        return replace(model, answers=answers)

    return await gateway.each(asked, models, at_once=PROBES_AT_ONCE)


def _soonest(model: FineTunedModel) -> tuple[dt.date, str]:
    return (model.end.date if model.end else dt.date.max, model.name)


def _moment(seconds: object) -> dt.datetime | None:
    if not isinstance(seconds, int | float) or seconds <= 0:
        return None
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _iso(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _day(moment: dt.datetime | None) -> str:
    return UNKNOWN if moment is None else f"{moment:%Y-%m-%d}"


def _number(days: int | None) -> str:
    return UNKNOWN if days is None else f"{days:,}"


def _yes(answers: bool | None) -> str:
    return UNKNOWN if answers is None else "yes" if answers else "no"


def _names(deployments: Sequence[Deployment]) -> str:
    return ", ".join(f"{each.name} ({each.state})" for each in deployments) or UNKNOWN
