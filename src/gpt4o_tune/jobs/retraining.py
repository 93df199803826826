"""`retrain`: the same training at another provider, with what means the same there."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Literal, TypeAlias

from gpt4o_tune import catalog
from gpt4o_tune._display import html_table, html_text, table
from gpt4o_tune._drive import run
from gpt4o_tune.errors import ProviderError
from gpt4o_tune.jobs.job import FineTuneJob
from gpt4o_tune.jobs.origin import Origin, Source, family_of, origin_of
from gpt4o_tune.jobs.plan import IfExists, LaunchPlan, make_plan
from gpt4o_tune.jobs.rules import check_suffix
from gpt4o_tune.providers import Provider

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from gpt4o_tune.data import Dataset
    from gpt4o_tune.jobs.hyperparameters import Hyperparameters

__all__ = [
    "CarriedSetting",
    "RetrainPlan",
    "plan_retrain",
    "plan_retrain_async",
    "retrain",
    "retrain_async",
]

log = logging.getLogger("gpt4o_tune")

Settings: TypeAlias = "Literal['same'] | Mapping[str, object] | Hyperparameters"

ANYWHERE = {
    "n_epochs": "passes over the same rows",
    "beta": "a term of the loss, the same in every implementation",
}
"""Settings that mean the same everywhere, and why."""
IN_FAMILY = {
    "batch_size": "each service pairs it with a learning rate of its own",
    "learning_rate_multiplier": "it multiplies a base rate that each service sets for itself",
    "compute_multiplier": "it multiplies an amount that each service sets for itself",
    "eval_interval": "steps depend on the service's batch size",
    "eval_samples": "each service evaluates in its own way",
    "reasoning_effort": "each family of models thinks in its own way",
}
"""Settings that mean the same only within one family of services, and why."""


@dataclasses.dataclass(frozen=True, slots=True)
class CarriedSetting:
    """One setting of the old run, and what becomes of it."""

    name: str
    value: object
    """In the old run."""
    is_carried: bool
    note: str
    """Why, or why not."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RetrainPlan:
    """A run as it would be repeated. Making one sends nothing to the new provider."""

    source: str
    """The old run, in words."""
    launch: LaunchPlan
    """What would be launched: `FineTuneJob.launch(plan.launch)` does it."""
    settings: tuple[CarriedSetting, ...]

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes."""
        return {
            "source": self.source,
            "provider": self.launch.provider.kind,
            "model": self.launch.model,
            "method": self.launch.method,
            "training": {"rows": len(self.launch.training)},
            "settings": [dataclasses.asdict(each) for each in self.settings],
            "estimate": self.launch.estimate.to_dict(),
            "warnings": list(self.launch.warnings),
        }

    def _rows(self) -> list[list[str]]:
        return [
            [each.name, str(each.value), "yes" if each.is_carried else "no", each.note]
            for each in self.settings
        ]

    def __str__(self) -> str:
        carried = table(["setting", "old run", "carried", "why"], self._rows())
        return f"Again: {self.source}\n{self.launch}\n\n{carried}"

    def _repr_html_(self) -> str:
        head = html_text(f"Again: {self.source}\n{self.launch}")
        return head + html_table(["setting", "old run", "carried", "why"], self._rows())


def plan_retrain(
    source: Source,
    *,
    provider: Provider | None = None,
    train: Dataset | None = None,
    validation: Dataset | None = None,
    model: str | None = None,
    hyperparameters: Settings = "same",
    suffix: str | None = None,
    seed: int | None = None,
    source_provider: Provider | None = None,
    budget_usd: float | None = None,
    margin_days: int = 30,
) -> RetrainPlan:
    """Check and price the same training elsewhere. Arguments and errors as for `retrain`."""
    gateway = None if source_provider is None else source_provider.blocking
    if isinstance(source, FineTuneJob):
        gateway = source.provider.blocking
    found = run(origin_of(source, train, validation, source_provider, gateway))
    return _plan(found, provider, model, hyperparameters, suffix, seed, budget_usd, margin_days)


async def plan_retrain_async(
    source: Source,
    *,
    provider: Provider | None = None,
    train: Dataset | None = None,
    validation: Dataset | None = None,
    model: str | None = None,
    hyperparameters: Settings = "same",
    suffix: str | None = None,
    seed: int | None = None,
    source_provider: Provider | None = None,
    budget_usd: float | None = None,
    margin_days: int = 30,
) -> RetrainPlan:
    """As `plan_retrain`, without blocking on the network."""
    gateway = None if source_provider is None else source_provider.asynchronous
    if isinstance(source, FineTuneJob):
        gateway = source.provider.asynchronous
    found = await origin_of(source, train, validation, source_provider, gateway)
    return _plan(found, provider, model, hyperparameters, suffix, seed, budget_usd, margin_days)


def retrain(
    source: Source,
    *,
    provider: Provider | None = None,
    train: Dataset | None = None,
    validation: Dataset | None = None,
    model: str | None = None,
    hyperparameters: Settings = "same",
    suffix: str | None = None,
    seed: int | None = None,
    source_provider: Provider | None = None,
    budget_usd: float | None = None,
    margin_days: int = 30,
    if_exists: IfExists = "adopt",
    record: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> FineTuneJob:
    """Train the same rows with the same settings at another provider, as far as they mean the same there.

    `plan_retrain` takes the same arguments, sends nothing to the new provider, and shows what is carried over,
    what is not and why, and the price. The job is then launched as `FineTuneJob.launch` does it: never twice.

    Args:
        source: The old run: its `RunRecord` or the path of one (`.json`), its job or the id of one; or a
            `Recording` or the path of one (`.jsonl`), whose recorded answers are then the training rows.
        provider: Where to train; read from the environment where none is given.
        train: The rows of the old run. Not needed where its file is still there and whole, or where the
            old provider still has it; other rows are refused.
        validation: Its validation rows, likewise.
        model: The base model to train; needed where the old one is unknown at the new provider, as at most
            compatible services.
        hyperparameters: `"same"`, or your own in place of all of the old run's.
        suffix: In place of the old run's.
        seed: In place of the old run's.
        source_provider: Where the old run was, to read a job given by its id, or to fetch its rows.
        budget_usd: Ceiling in US dollars; a higher estimate stops the launch.
        margin_days: Refuse a model whose fine-tunes are switched off sooner than this.
        if_exists: What to do about an equal job, as for `FineTuneJob.create`.
        record: Where the new run is written down, as for `FineTuneJob.create`.
        progress: Of the upload. False is silent, True always writes, None writes only to a terminal or
            notebook.

    Example:
        >>> print(plan_retrain("runs/tickets.json", provider=azure, train=train))
        >>> job = retrain("runs/tickets.json", provider=azure, train=train, record="runs/azure.json")

    Raises:
        DatasetError: The rows are not those of the old run, or cannot be found.
        ProviderError: The new provider does not train the model, or `source_provider` is missing.
        ModelRetiredError: The model's end at the new provider has come or is near.
        BudgetError: The estimate exceeds the budget.
        ValueError: A setting lies outside the new provider's range.
        openai.APIError: A service refused, or stayed out of reach.
    """
    plan = plan_retrain(
        source,
        provider=provider,
        train=train,
        validation=validation,
        model=model,
        hyperparameters=hyperparameters,
        suffix=suffix,
        seed=seed,
        source_provider=source_provider,
        budget_usd=budget_usd,
        margin_days=margin_days,
    )
    return FineTuneJob.launch(plan.launch, if_exists=if_exists, record=record, progress=progress)


async def retrain_async(
    source: Source,
    *,
    provider: Provider | None = None,
    train: Dataset | None = None,
    validation: Dataset | None = None,
    model: str | None = None,
    hyperparameters: Settings = "same",
    suffix: str | None = None,
    seed: int | None = None,
    source_provider: Provider | None = None,
    budget_usd: float | None = None,
    margin_days: int = 30,
    if_exists: IfExists = "adopt",
    record: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> FineTuneJob:
    """As `retrain`, without blocking on the network."""
    plan = await plan_retrain_async(
        source,
        provider=provider,
        train=train,
        validation=validation,
        model=model,
        hyperparameters=hyperparameters,
        suffix=suffix,
        seed=seed,
        source_provider=source_provider,
        budget_usd=budget_usd,
        margin_days=margin_days,
    )
    return await FineTuneJob.launch_async(
        plan.launch, if_exists=if_exists, record=record, progress=progress
    )


def _plan(
    origin: Origin,
    provider: Provider | None,
    model: str | None,
    hyperparameters: Settings,
    suffix: str | None,
    seed: int | None,
    budget_usd: float | None,
    margin_days: int,
) -> RetrainPlan:
    place = provider or Provider.from_environment()
    if hyperparameters == "same":
        settings = list(_settings(origin, place))
        chosen: Mapping[str, object] | Hyperparameters = {
            each.name: each.value for each in settings if each.is_carried
        }
    else:
        settings, chosen = [], hyperparameters
    named = _suffix(origin, place, suffix)
    settings += named
    drawn = origin.seed if seed is None else seed
    if origin.seed is not None:
        same = drawn == origin.seed
        note = "passed on; two services need not train alike from it" if same else "replaced"
        settings.append(CarriedSetting("seed", origin.seed, same, note))
    launch = make_plan(
        origin.training,
        validation=origin.validation,
        model=_model(origin, place, model),
        provider=place,
        method=origin.method,
        hyperparameters=chosen,
        suffix=suffix or next((str(each.value) for each in named if each.is_carried), None),
        seed=drawn,
        budget_usd=budget_usd,
        margin_days=margin_days,
        grader=origin.grader,
    )
    for each in settings:
        if not each.is_carried:
            log.info("%s %r of the old run is not carried: %s", each.name, each.value, each.note)
    return RetrainPlan(source=origin.title, launch=launch, settings=tuple(settings))


def _settings(origin: Origin, place: Provider) -> Iterator[CarriedSetting]:
    """Say of each hyperparameter whether it means the same at the new provider."""
    same_family = origin.family == family_of(place.kind, place.address)
    for name, value in origin.hyperparameters.items():
        if value in ("auto", "default"):
            note = f"left to the old service, and now to the new one{origin.unsettled}"
            yield CarriedSetting(name, value, False, note)
        elif name in ANYWHERE:
            yield CarriedSetting(name, value, True, ANYWHERE[name])
        elif same_family:
            yield CarriedSetting(name, value, True, "the same family of services")
        else:
            note = IN_FAMILY.get(name, "only the old service knows it")
            yield CarriedSetting(name, value, False, f"auto: {note}")


def _suffix(origin: Origin, place: Provider, given: str | None) -> list[CarriedSetting]:
    if origin.suffix is None:
        return []
    if given is not None:
        return [CarriedSetting("suffix", origin.suffix, given == origin.suffix, "replaced")]
    try:
        check_suffix(origin.suffix, place)
    except ValueError as fault:
        return [CarriedSetting("suffix", origin.suffix, False, str(fault))]
    return [CarriedSetting("suffix", origin.suffix, True, "a name")]


def _model(origin: Origin, place: Provider, given: str | None) -> str:
    """Choose the base model, which the new provider must know by that name."""
    if given is not None:
        return given
    known = catalog.load().find(origin.model)
    is_base = known is not None and origin.model.casefold() in {known.name, *known.aliases}
    if place.address == origin.address or (is_base and place.kind != "compatible"):
        return origin.model
    what = "names models in its own way" if is_base else f"does not know {origin.model!r}"
    raise ProviderError(
        f"{place.profile.name} at {place.address} {what}: pass model=, the base model to train there"
    )
