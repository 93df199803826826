"""`FineTuneJob`: start a fine-tuning job, follow it, and get the model."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Self

from gpt4o_tune._display import html_text
from gpt4o_tune._drive import run
from gpt4o_tune.catalog import DEFAULT_MODEL
from gpt4o_tune.errors import JobCancelledError, JobFailedError
from gpt4o_tune.inference import CustomModel
from gpt4o_tune.jobs.checkpoints import Checkpoint, rank, read_checkpoint
from gpt4o_tune.jobs.events import Event, in_order
from gpt4o_tune.jobs.metrics import Metrics, combine, from_events, from_result_file
from gpt4o_tune.jobs.plan import SYSTEM_KEY, IfExists, LaunchPlan, make_plan
from gpt4o_tune.jobs.states import is_final, state_of, succeeded
from gpt4o_tune.providers import Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openai.types.fine_tuning import FineTuningJob as RawJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.catalog import Method
    from gpt4o_tune.data import Dataset
    from gpt4o_tune.jobs.hyperparameters import Hyperparameters

__all__ = ["FineTuneJob"]


class FineTuneJob:
    """A fine-tuning job at a provider. Make one with `create`, or take hold of one with `get`.

    The server is the memory: a job is rebuilt from its id alone, in any process. Properties tell what
    was last seen; `refresh`, `wait` and `cancel` look again. Every network verb has an asynchronous
    face whose name ends in `_async`.

    Example:
        >>> job = FineTuneJob.create(train, validation=valid, suffix="tickets", budget_usd=50)
        >>> model = job.wait()
        >>> print(job.metrics())
    """

    def __init__(self, raw: RawJob, *, provider: Provider) -> None:
        """Wrap a job as the client gave it; `create` and `get` do this for you."""
        self.provider = provider
        """Where the job runs."""
        self.raw = raw
        """The job as last seen, with every field that the service sent."""
        self.adopted = False
        """Whether `create` found this job already there instead of starting it."""
        self._training: Dataset | None = None

    @classmethod
    def plan(
        cls,
        train: Dataset,
        validation: Dataset | None = None,
        *,
        model: str = DEFAULT_MODEL,
        provider: Provider | None = None,
        method: Method = "supervised",
        hyperparameters: Mapping[str, object] | Hyperparameters | None = None,
        suffix: str | None = None,
        seed: int | None = None,
        budget_usd: float | None = None,
        margin_days: int = 30,
    ) -> LaunchPlan:
        """Check and price a job without sending anything. Arguments and errors as for `create`."""
        return make_plan(
            train,
            validation=validation,
            model=model,
            provider=provider or Provider.from_environment(),
            method=method,
            hyperparameters=hyperparameters,
            suffix=suffix,
            seed=seed,
            budget_usd=budget_usd,
            margin_days=margin_days,
        )

    @classmethod
    def create(
        cls,
        train: Dataset,
        validation: Dataset | None = None,
        *,
        model: str = DEFAULT_MODEL,
        provider: Provider | None = None,
        method: Method = "supervised",
        hyperparameters: Mapping[str, object] | Hyperparameters | None = None,
        suffix: str | None = None,
        seed: int | None = None,
        budget_usd: float | None = None,
        margin_days: int = 30,
        if_exists: IfExists = "adopt",
    ) -> Self:
        """Check everything, upload what is missing, and start one job; never two.

        Args:
            train: The rows to learn from.
            validation: Rows that are only measured on.
            model: The base model, or a fine-tuned one to go on from.
            provider: Where to train; read from the environment where none is given.
            method: `supervised`, `dpo` or `reinforcement`.
            hyperparameters: What is not left to the service.
            suffix: A word that becomes part of the model's name.
            seed: Makes the run repeatable as far as the service can.
            budget_usd: Ceiling in US dollars; a higher estimate stops the launch.
            margin_days: Refuse a model whose fine-tunes are switched off sooner than this.
            if_exists: What to do about a job with the same data and settings that runs or has
                succeeded: take it, start another, or raise.

        Raises:
            DatasetError: A row has an error, or the service rejected a file.
            BudgetError: The estimate exceeds the budget.
            ModelRetiredError: The model's end at this provider has come or is near.
            ProviderError: This provider cannot do it, or no provider is known.
            JobError: An equal job exists and `if_exists` is `"error"`.
            ValueError: A setting lies outside its range.
            openai.APIError: The service refused, or stayed out of reach.
        """
        plan = cls.plan(
            train,
            validation,
            model=model,
            provider=provider,
            method=method,
            hyperparameters=hyperparameters,
            suffix=suffix,
            seed=seed,
            budget_usd=budget_usd,
            margin_days=margin_days,
        )
        return cls.launch(plan, if_exists=if_exists)

    @classmethod
    async def create_async(
        cls,
        train: Dataset,
        validation: Dataset | None = None,
        *,
        model: str = DEFAULT_MODEL,
        provider: Provider | None = None,
        method: Method = "supervised",
        hyperparameters: Mapping[str, object] | Hyperparameters | None = None,
        suffix: str | None = None,
        seed: int | None = None,
        budget_usd: float | None = None,
        margin_days: int = 30,
        if_exists: IfExists = "adopt",
    ) -> Self:
        """As `create`, without blocking on the network."""
        plan = cls.plan(
            train,
            validation,
            model=model,
            provider=provider,
            method=method,
            hyperparameters=hyperparameters,
            suffix=suffix,
            seed=seed,
            budget_usd=budget_usd,
            margin_days=margin_days,
        )
        return await cls.launch_async(plan, if_exists=if_exists)

    @classmethod
    def launch(cls, plan: LaunchPlan, *, if_exists: IfExists = "adopt") -> Self:
        """Start the job of a plan, or adopt an equal one. Errors as for `create`."""
        return run(cls._launch(plan.provider.blocking(), plan, if_exists))

    @classmethod
    async def launch_async(cls, plan: LaunchPlan, *, if_exists: IfExists = "adopt") -> Self:
        """As `launch`, without blocking."""
        return await cls._launch(plan.provider.asynchronous(), plan, if_exists)

    @classmethod
    async def _launch(cls, gateway: Gateway, plan: LaunchPlan, if_exists: IfExists) -> Self:
        from gpt4o_tune.jobs.launch import launch

        launched = await launch(gateway, plan, if_exists=if_exists)
        job = cls(launched.job, provider=plan.provider)
        job.adopted = launched.adopted
        job._training = plan.training
        return job

    @classmethod
    def get(cls, job_id: str, *, provider: Provider | None = None) -> Self:
        """Take hold of a job by its id, in any process.

        Raises:
            openai.NotFoundError: This provider (with this key) has no such job.
        """
        place = provider or Provider.from_environment()
        return run(cls._get(place.blocking(), job_id, place))

    @classmethod
    async def get_async(cls, job_id: str, *, provider: Provider | None = None) -> Self:
        """As `get`, without blocking."""
        place = provider or Provider.from_environment()
        return await cls._get(place.asynchronous(), job_id, place)

    @classmethod
    async def _get(cls, gateway: Gateway, job_id: str, provider: Provider) -> Self:
        return cls(await gateway.retrieve_job(job_id), provider=provider)

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
    def trained_tokens(self) -> int | None:
        """The tokens that the service bills, once the job has ended."""
        return self.raw.trained_tokens

    @property
    def created_at(self) -> dt.datetime:
        """When the job was created, by the server's clock, in UTC."""
        return dt.datetime.fromtimestamp(float(self.raw.created_at or 0), dt.UTC)

    def refresh(self) -> Self:
        """Look at the job again and return it."""
        return run(self._refresh(self.provider.blocking()))

    async def refresh_async(self) -> Self:
        """As `refresh`, without blocking."""
        return await self._refresh(self.provider.asynchronous())

    async def _refresh(self, gateway: Gateway) -> Self:
        self.raw = await gateway.retrieve_job(self.id)
        return self

    def wait(
        self,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        progress: bool | None = None,
    ) -> CustomModel:
        """Wait until the job has ended and return its model.

        Outages of up to an hour are waited out. Ctrl-C and the deadline stop the wait, never the job.

        Args:
            timeout: Seconds until the wait gives up; None waits as long as it takes.
            poll_interval: Seconds between two looks; None adapts, from half a second to twenty.
            on_event: Called with every event, once and oldest first.
            progress: False is silent, True always writes, None writes only to a terminal or notebook.

        Raises:
            JobFailedError: The job failed; the error carries the service's reason.
            JobCancelledError: The job was cancelled.
            JobTimeoutError: The deadline passed; the job goes on.
            ValueError: A time makes no sense.
            openai.APIError: The service refused, or stayed out of reach for an hour.
        """
        return run(self._wait(self.provider.blocking(), timeout, poll_interval, on_event, progress))

    async def wait_async(
        self,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        progress: bool | None = None,
    ) -> CustomModel:
        """As `wait`, without blocking."""
        return await self._wait(
            self.provider.asynchronous(), timeout, poll_interval, on_event, progress
        )

    async def _wait(
        self,
        gateway: Gateway,
        timeout: float | None,  # a deadline on the gateway's clock
        poll_interval: float | None,
        on_event: Callable[[Event], None] | None,
        progress: bool | None,
    ) -> CustomModel:
        from gpt4o_tune.jobs.waiting import await_end, check_knobs

        check_knobs(timeout, poll_interval)
        self.raw = await await_end(
            gateway,
            self.id,
            timeout=timeout,
            poll_interval=poll_interval,
            lists_events=self.provider.profile.lists_events,
            on_event=on_event,
            progress=progress,
        )
        return self._result()

    def _result(self) -> CustomModel:
        if succeeded(self.raw) and self.fine_tuned_model:
            return CustomModel(
                self.fine_tuned_model,
                provider=self.provider,
                system=(self.raw.metadata or {}).get(SYSTEM_KEY),
                trained_on=self._training,
            )
        if self.status == "cancelled":
            raise JobCancelledError(
                f"job {self.id!r} was cancelled. Launch it again with FineTuneJob.create: a cancelled "
                "job is not adopted",
                job_id=self.id,
            )
        # Some services send `error: {}` with every job, so only a filled one says anything.
        error = self.raw.error
        reason = (error.message if error else None) or "the service gave no reason"
        raise JobFailedError(
            f"job {self.id!r} failed: {reason}",
            job_id=self.id,
            code=error.code if error else None,
            param=error.param if error else None,
            job=self.raw,
        )

    def events(self) -> list[Event]:
        """Return everything that happened so far, oldest first, each event once."""
        return run(self._events(self.provider.blocking()))

    async def events_async(self) -> list[Event]:
        """As `events`, without blocking."""
        return await self._events(self.provider.asynchronous())

    async def _events(self, gateway: Gateway) -> list[Event]:
        if not self.provider.profile.lists_events:
            return []
        return in_order(await gateway.list_events(self.id))

    def metrics(self) -> Metrics:
        """Return losses and accuracies per step: live from events, at the end from the result file."""
        return run(self._metrics(self.provider.blocking()))

    async def metrics_async(self) -> Metrics:
        """As `metrics`, without blocking."""
        return await self._metrics(self.provider.asynchronous())

    async def _metrics(self, gateway: Gateway) -> Metrics:
        measured = from_events(await self._events(gateway))
        for file_id in self.raw.result_files or []:
            measured = combine(measured, from_result_file(await gateway.download(file_id)))
        return measured

    def checkpoints(self) -> list[Checkpoint]:
        """Return the models saved on the way, best first by validation loss."""
        return run(self._checkpoints(self.provider.blocking()))

    async def checkpoints_async(self) -> list[Checkpoint]:
        """As `checkpoints`, without blocking."""
        return await self._checkpoints(self.provider.asynchronous())

    async def _checkpoints(self, gateway: Gateway) -> list[Checkpoint]:
        if not self.provider.profile.lists_checkpoints:
            return []
        return rank([read_checkpoint(raw) for raw in await gateway.list_checkpoints(self.id)])

    def cancel(self) -> Self:
        """Stop the job and return it. What was trained until then may be billed."""
        return run(self._cancel(self.provider.blocking()))

    async def cancel_async(self) -> Self:
        """As `cancel`, without blocking."""
        return await self._cancel(self.provider.asynchronous())

    async def _cancel(self, gateway: Gateway) -> Self:
        self.raw = await gateway.cancel_job(self.id)
        return self

    def __repr__(self) -> str:
        model = f", fine_tuned_model={self.fine_tuned_model!r}" if self.fine_tuned_model else ""
        return f"FineTuneJob({self.id!r}, status={self.status!r}, model={self.model!r}{model})"

    def _repr_html_(self) -> str:
        return html_text(repr(self))
