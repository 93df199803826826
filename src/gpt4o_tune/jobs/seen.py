"""A job as last seen, and everything that can be read of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Self

from gpt4o_tune._display import html_text
from gpt4o_tune._drive import run
from gpt4o_tune.inference.trained_form import TrainedForm
from gpt4o_tune.jobs import listing, reading
from gpt4o_tune.jobs.bill import Bill, Expected
from gpt4o_tune.jobs.hyperparameters import settings_of
from gpt4o_tune.jobs.states import is_final, state_of
from gpt4o_tune.providers import Provider

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping

    from openai.types.fine_tuning import FineTuningJob as RawJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.data import Dataset
    from gpt4o_tune.jobs.checkpoints import Checkpoint, Checkpoints
    from gpt4o_tune.jobs.events import Event
    from gpt4o_tune.jobs.metrics import Metrics
    from gpt4o_tune.jobs.plan import LaunchPlan
    from gpt4o_tune.jobs.record import RunRecord

__all__ = ["SeenJob"]


class SeenJob:
    """The reading half of `FineTuneJob`: finding jobs, and what is known of one.

    Launching, steering and waiting are added there.
    """

    def __init__(
        self,
        raw: RawJob,
        *,
        provider: Provider,
        plan: LaunchPlan | None = None,
        record: RunRecord | None = None,
    ) -> None:
        """Wrap a job as the client gave it; `FineTuneJob` has verbs that do this for you."""
        self.provider = provider
        """Where the job runs."""
        self.raw = raw
        """The job as last seen, with every field that the service sent."""
        self.adopted = False
        """Whether `create` found this job already there instead of starting it."""
        self.record: RunRecord | None = record
        """The run record that is kept up to date, where one was asked for."""
        self._plan = plan

    @classmethod
    def get(cls, job_id: str, *, provider: Provider | None = None) -> Self:
        """Take hold of a job by its id, in any process.

        Raises:
            openai.NotFoundError: This provider (with this key) has no such job.
        """
        place = provider or Provider.from_environment()
        return cls(run(place.blocking().retrieve_job(job_id)), provider=place)

    @classmethod
    async def get_async(cls, job_id: str, *, provider: Provider | None = None) -> Self:
        """As `get`, without blocking."""
        place = provider or Provider.from_environment()
        return cls(await place.asynchronous().retrieve_job(job_id), provider=place)

    @classmethod
    def list(
        cls,
        *,
        provider: Provider | None = None,
        limit: int = 20,
        metadata: Mapping[str, str] | None = None,
    ) -> builtins.list[Self]:
        """List jobs, newest first.

        Args:
            provider: Where; read from the environment where none is given.
            limit: Most jobs to return.
            metadata: Pairs that a job must carry.

        Raises:
            ValueError: `limit` is below 1.
            ProviderError: Jobs of this provider carry no metadata, or no provider is known.
        """
        place = provider or Provider.from_environment()
        return run(cls._list(place.blocking(), place, limit, metadata))

    @classmethod
    async def list_async(
        cls,
        *,
        provider: Provider | None = None,
        limit: int = 20,
        metadata: Mapping[str, str] | None = None,
    ) -> builtins.list[Self]:
        """As `list`, without blocking."""
        place = provider or Provider.from_environment()
        return await cls._list(place.asynchronous(), place, limit, metadata)

    @classmethod
    async def _list(
        cls, gateway: Gateway, place: Provider, limit: int, metadata: Mapping[str, str] | None
    ) -> builtins.list[Self]:
        found = await listing.newest(gateway, limit=limit, metadata=metadata, profile=place.profile)
        return [cls(raw, provider=place) for raw in found]

    @property
    def id(self) -> str:
        """The provider's id of the job."""
        return self.raw.id

    @property
    def status(self) -> str:
        """The state as last seen; an open set, of which succeeded, failed and cancelled are final."""
        return state_of(self.raw)

    @property
    def is_final(self) -> bool:
        """Whether the job will not change any more."""
        return is_final(self.raw)

    @property
    def model(self) -> str:
        """The base model."""
        return self.raw.model

    @property
    def fine_tuned_model(self) -> str | None:
        """The name of the model that came out, once the job has succeeded."""
        return self.raw.fine_tuned_model or None

    @property
    def hyperparameters(self) -> dict[str, object]:
        """The settings as the service reports them; `"auto"` where it has not chosen yet."""
        return settings_of(self.raw)

    @property
    def trained_tokens(self) -> int | None:
        """The tokens that the service bills, once the job has ended."""
        return self.raw.trained_tokens

    @property
    def created_at(self) -> dt.datetime:
        """When the job was created, by the server's clock, in UTC."""
        return dt.datetime.fromtimestamp(float(self.raw.created_at or 0), dt.UTC)

    def refresh(self) -> Self:
        """Look at the job again and return it."""
        return self._seen(run(self.provider.blocking().retrieve_job(self.id)))

    async def refresh_async(self) -> Self:
        """As `refresh`, without blocking."""
        return self._seen(await self.provider.asynchronous().retrieve_job(self.id))

    def events(self) -> builtins.list[Event]:
        """Return everything that happened so far, oldest first, each event once."""
        gateway, profile = self.provider.blocking(), self.provider.profile
        return run(reading.events_of(gateway, self.raw, profile))

    async def events_async(self) -> builtins.list[Event]:
        """As `events`, without blocking."""
        gateway, profile = self.provider.asynchronous(), self.provider.profile
        return await reading.events_of(gateway, self.raw, profile)

    def metrics(self) -> Metrics:
        """Return losses and accuracies per step: live from events, at the end from the result file."""
        gateway, profile = self.provider.blocking(), self.provider.profile
        return run(reading.metrics_of(gateway, self.raw, profile))

    async def metrics_async(self) -> Metrics:
        """As `metrics`, without blocking."""
        gateway, profile = self.provider.asynchronous(), self.provider.profile
        return await reading.metrics_of(gateway, self.raw, profile)

    def checkpoints(self) -> Checkpoints:
        """Return the models saved on the way, best first by validation loss."""
        gateway, profile = self.provider.blocking(), self.provider.profile
        return run(reading.checkpoints_of(gateway, self.raw, profile))

    async def checkpoints_async(self) -> Checkpoints:
        """As `checkpoints`, without blocking."""
        gateway, profile = self.provider.asynchronous(), self.provider.profile
        return await reading.checkpoints_of(gateway, self.raw, profile)

    def best_checkpoint(self) -> Checkpoint | None:
        """Return the first of `checkpoints`, or None where the service lists none."""
        return self.checkpoints().best

    async def best_checkpoint_async(self) -> Checkpoint | None:
        """As `best_checkpoint`, without blocking."""
        return (await self.checkpoints_async()).best

    def bill(self) -> Bill:
        """Return what the service bills at the list price, beside what was estimated.

        The estimate is known to a job that was launched in this process or has a run record.
        """
        return run(self._bill(self.provider.blocking()))

    async def bill_async(self) -> Bill:
        """As `bill`, without blocking."""
        return await self._bill(self.provider.asynchronous())

    async def _bill(self, gateway: Gateway) -> Bill:
        if self.trained_tokens is None:
            self.raw = await gateway.retrieve_job(self.id)
        return Bill.of(self.raw, kind=self.provider.kind, expected=self._expected)

    @property
    def _training(self) -> Dataset | None:
        return None if self._plan is None else self._plan.training

    @property
    def _form(self) -> TrainedForm:
        known = self._plan or self.record
        return (
            TrainedForm() if known is None else TrainedForm(system=known.system, tools=known.tools)
        )

    @property
    def _expected(self) -> Expected | None:
        if self._plan is not None:
            return Expected(tokens=self._plan.estimate.tokens, usd=self._plan.estimate.usd)
        return None if self.record is None else self.record.expected

    def _seen(self, raw: RawJob) -> Self:
        self.raw = raw
        return self

    def __repr__(self) -> str:
        model = f", fine_tuned_model={self.fine_tuned_model!r}" if self.fine_tuned_model else ""
        return f"FineTuneJob({self.id!r}, status={self.status!r}, model={self.model!r}{model})"

    def _repr_html_(self) -> str:
        return html_text(repr(self))
