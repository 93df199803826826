"""What a launch would send and what it would cost, checked completely before anything is sent."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from typing import TYPE_CHECKING, Literal, TypedDict, cast

from gpt4o_tune import catalog
from gpt4o_tune._display import html_text, money, plural
from gpt4o_tune.data.checks.tools import declared_tools
from gpt4o_tune.errors import BudgetError, DatasetError, ProviderError
from gpt4o_tune.inference.trained_form import TrainedForm, system_of
from gpt4o_tune.jobs.hyperparameters import Hyperparameters
from gpt4o_tune.jobs.rules import (
    OWN_KEYS,
    check_grader,
    check_integrations,
    check_metadata,
    check_method,
    check_seed,
    check_suffix,
)
from gpt4o_tune.jobs.uploading import check_expiry

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.catalog import Method, ProviderKind
    from gpt4o_tune.data import CostEstimate, Dataset
    from gpt4o_tune.jobs.integrations import WandbIntegration
    from gpt4o_tune.providers import Provider

__all__ = ["FINGERPRINT_KEY", "SYSTEM_KEY", "IfExists", "LaunchPlan", "make_plan"]

log = logging.getLogger("gpt4o_tune")

IfExists = Literal["adopt", "new", "error"]

FINGERPRINT_KEY = f"{OWN_KEYS}fingerprint"
"""Key of the job metadata by which an equal job is found again."""
SYSTEM_KEY = f"{OWN_KEYS}system"
"""Key of the job metadata that holds the system prompt of every training row, where they share one."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LaunchPlan:
    """A job as it would be launched. Making one sends nothing."""

    provider: Provider
    model: str
    method: Method
    training: Dataset
    validation: Dataset | None
    hyperparameters: Hyperparameters
    suffix: str | None
    seed: int | None
    estimate: CostEstimate
    """What the training is estimated to cost."""
    warnings: tuple[str, ...]
    """What does not stop the launch but should be known, such as a near end date."""
    system: str | None
    """The system prompt that every training row begins with, or None where they have none in common."""
    fingerprint: str
    """SHA-256, in hex, over the data and every setting: equal plans have equal fingerprints."""
    tools: tuple[str, ...] = ()
    """Names of the tools that every training row offers."""
    grader: Mapping[str, object] | None = None
    """What rewards an answer, as the API takes it; reinforcement only."""
    integrations: tuple[WandbIntegration, ...] = ()
    """Where the service reports the run to; not part of the fingerprint."""
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str], hash=False)
    """Pairs of the user's own that the job keeps; not part of the fingerprint."""
    margin_days: int = 30
    """Days for which fine-tunes of the model must still be served."""
    file_expires_after: int | None = None
    """Seconds after which the service deletes the files that are uploaded for this job; None keeps them."""

    def request(self, training_file: str, validation_file: str | None) -> dict[str, object]:
        """Return the body of the create request for files that are already uploaded."""
        profile = self.provider.profile
        settings = self.hyperparameters.request(self.method, profile=profile)
        body: dict[str, object] = {"model": self.model, "training_file": training_file}
        if validation_file is not None:
            body["validation_file"] = validation_file
        if profile.hyperparameters_in == "request":
            body["hyperparameters"] = settings
        else:
            parts = {"grader": self.grader, "hyperparameters": settings}
            inner = {name: part for name, part in parts.items() if part}
            body["method"] = {"type": self.method, self.method: inner}
        if self.suffix is not None:
            body["suffix"] = self.suffix
        if self.seed is not None:
            body["seed"] = self.seed
        if self.integrations:
            body["integrations"] = [integration.request() for integration in self.integrations]
        if profile.keeps_metadata:
            body["metadata"] = self._metadata()
        if profile.create_fields:
            body["extra_body"] = dict(profile.create_fields)
        return body

    def _metadata(self) -> dict[str, str]:
        longest = catalog.load().limits(self.provider.kind).metadata_value_max_chars
        metadata = {**self.metadata, FINGERPRINT_KEY: self.fingerprint}
        if self.system and len(self.system) <= longest:
            metadata[SYSTEM_KEY] = self.system
        return metadata

    def __str__(self) -> str:
        validation = "none" if self.validation is None else plural(len(self.validation), "row")
        settings = self.hyperparameters.request(self.method, profile=self.provider.profile)
        lines = [
            f"Plan: {self.method} fine-tuning of {self.model} at {self.provider.kind}",
            f"  training    {plural(len(self.training), 'row')}",
            f"  validation  {validation}",
            "  settings    "
            + (", ".join(f"{name} {value}" for name, value in settings.items()) or "all automatic"),
            f"  estimate    {self.estimate.summary}",
            *(f"  warning     {warning}" for warning in self.warnings),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_text(str(self))


def make_plan(
    training: Dataset,
    *,
    validation: Dataset | None,
    model: str,
    provider: Provider,
    method: Method,
    hyperparameters: Mapping[str, object] | Hyperparameters | None,
    suffix: str | None,
    seed: int | None,
    budget_usd: float | None,
    margin_days: int,
    shutdown_date: dt.date | None = None,
    grader: Mapping[str, object] | None = None,
    integrations: Sequence[WandbIntegration] = (),
    metadata: Mapping[str, str] | None = None,
    file_expires_after: int | None = None,
) -> LaunchPlan:
    """Check everything that can be checked here and estimate the cost.

    Raises:
        ProviderError: The model is unknown, this provider does not train it by this method, or the job
            has more tokens than it takes.
        ModelRetiredError: The provider has ended its training or soon switches its fine-tunes off.
        DatasetError: A row has an error.
        BudgetError: The estimate exceeds the budget.
        ValueError: A setting lies outside its range.
    """
    settings = Hyperparameters.of(hyperparameters, profile=provider.profile)
    chosen = settings.request(method, profile=provider.profile)
    check_method(method, provider, validated=validation is not None)
    check_grader(grader, method)
    check_suffix(suffix, provider)
    check_seed(seed)
    check_integrations(integrations)
    check_metadata(metadata or {}, provider)
    check_expiry(file_expires_after, provider=provider)
    warnings = list(
        catalog.load().check_trainable(
            model,
            provider=provider.kind,
            method=method,
            on=provider.clock.today(),
            margin_days=margin_days,
            shutdown_date=shutdown_date,
        )
    )
    target: _Target = {
        "model": model,
        "provider": provider.kind,
        "method": method,
        "grader": grader,
    }
    training.check(**target).raise_for_errors()
    if validation is not None:
        _check_validation(training, validation, target)
        warnings += _contamination(training, validation)
    estimate = _estimate(training, model, settings, provider)
    _check_tokens(estimate, provider)
    _check_budget(estimate, budget_usd, provider)
    for warning in warnings:
        log.warning("%s", warning)
    form = _trained_form(training)
    return LaunchPlan(
        provider=provider,
        model=model,
        method=method,
        training=training,
        validation=validation,
        hyperparameters=settings,
        suffix=suffix,
        seed=seed,
        estimate=estimate,
        warnings=tuple(warnings),
        system=form.system,
        tools=form.tools,
        fingerprint=_fingerprint(
            training=training.fingerprint,
            validation=None if validation is None else validation.fingerprint,
            model=model,
            method=method,
            hyperparameters=chosen,
            suffix=suffix,
            seed=seed,
            create_fields=provider.profile.create_fields,
            grader=grader,
        ),
        grader=grader,
        integrations=tuple(integrations),
        metadata=dict(metadata or {}),
        margin_days=margin_days,
        file_expires_after=file_expires_after,
    )


def _estimate(
    training: Dataset, model: str, settings: Hyperparameters, provider: Provider
) -> CostEstimate:
    """Estimate the cost; a model that only a compatible service knows is counted like GPT-4o."""
    known = catalog.load().find(model)
    estimate = training.cost(
        model=model if known else catalog.DEFAULT_MODEL,
        epochs=settings.n_epochs,
        provider=provider.kind,
    )
    if known:
        return estimate
    basis = f"{model!r} is not in the catalog: no price, and its own tokens may differ. {estimate.basis}"
    return dataclasses.replace(estimate, model=model, basis=basis)


class _Target(TypedDict):
    """What rows are checked for."""

    model: str
    provider: ProviderKind
    method: Method
    grader: Mapping[str, object] | None


def _check_validation(training: Dataset, validation: Dataset, target: _Target) -> None:
    if validation.format != training.format:
        raise DatasetError(
            f"training rows are in {training.format!r} format but validation rows in "
            f"{validation.format!r}; both must be in one"
        )
    report = validation.check(**target)
    # The least number of examples is a rule for training rows alone.
    report.without("too-few-examples").raise_for_errors()


def _contamination(training: Dataset, validation: Dataset) -> list[str]:
    seen = validation.overlap(training)
    if not seen.rows:
        return []
    return [
        f"{plural(len(seen.rows), 'validation row')} of {len(validation)} also stand in the training "
        "rows, exactly or nearly, so validation loss will look better than it is; split with "
        "Dataset.split, or drop them with validation.drop(validation.overlap(training).rows)"
    ]


def _trained_form(rows: Dataset) -> TrainedForm:
    """Return the system prompt and the tools that all rows have in common."""
    prompts: set[str | None] = set()
    offered: set[str] | None = None
    for row in rows.records():
        prompts.add(system_of(cast("Sequence[Mapping[str, object]]", row.get("messages") or ())))
        names = set(declared_tools(row) or ())
        offered = names if offered is None else offered & names
    return TrainedForm(
        system=prompts.pop() if len(prompts) == 1 else None, tools=tuple(sorted(offered or ()))
    )


def _check_tokens(estimate: CostEstimate, provider: Provider) -> None:
    limit = catalog.load().limits(provider.kind).max_job_tokens
    if limit is not None and estimate.tokens > limit:
        raise ProviderError(
            f"{estimate.tokens:,} tokens (rows times {plural(estimate.epochs, 'epoch')}) are more than the "
            f"{limit:,} that {provider.kind} trains in one job; take fewer rows or epochs"
        )


def _check_budget(estimate: CostEstimate, budget_usd: float | None, provider: Provider) -> None:
    if budget_usd is None:
        return
    if estimate.usd is None:
        raise ProviderError(
            f"a budget of {money(budget_usd)} cannot be held: no training price is known for "
            f"{provider.kind}; leave budget_usd out, or add the price to the catalog"
        )
    if estimate.usd > budget_usd:
        raise BudgetError(
            f"the job is estimated at {money(estimate.usd)}, above the budget of "
            f"{money(budget_usd)}; nothing was uploaded or started. Train on fewer rows or epochs, "
            "take a cheaper model, or raise budget_usd",
            estimate_usd=estimate.usd,
            budget_usd=budget_usd,
        )


def _fingerprint(**parts: object) -> str:
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
