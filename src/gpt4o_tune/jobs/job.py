"""`FineTuneJob`: start a fine-tuning job, follow it, and get the model."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, Self

from gpt4o_tune._drive import run, takes_arguments_of
from gpt4o_tune._gateway import READ_PATIENCE
from gpt4o_tune.catalog import DEFAULT_MODEL
from gpt4o_tune.inference.readiness import READY_TIMEOUT, await_ready, not_ready
from gpt4o_tune.jobs import pausing
from gpt4o_tune.jobs.launch import launch
from gpt4o_tune.jobs.live_dates import planned
from gpt4o_tune.jobs.outcome import model_of
from gpt4o_tune.jobs.plan import IfExists, LaunchPlan, make_plan
from gpt4o_tune.jobs.recording import begin, completed
from gpt4o_tune.jobs.seen import SeenJob
from gpt4o_tune.jobs.stopping import Stopping
from gpt4o_tune.jobs.waiting import await_end, check_knobs
from gpt4o_tune.providers import Provider

if TYPE_CHECKING:
    import datetime as dt
    import os
    from collections.abc import Callable, Mapping, Sequence

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.catalog import Method
    from gpt4o_tune.data import Dataset
    from gpt4o_tune.inference import CustomModel
    from gpt4o_tune.jobs.events import Event
    from gpt4o_tune.jobs.hyperparameters import Hyperparameters
    from gpt4o_tune.jobs.integrations import WandbIntegration
    from gpt4o_tune.jobs.stopping import StopRule

__all__ = ["FineTuneJob"]

log = logging.getLogger("gpt4o_tune")


class FineTuneJob(SeenJob):
    """A fine-tuning job at a provider. Make one with `create`, or take hold of one with `get`.

    The server is the memory: a job is rebuilt from its id alone, in any process. Properties tell what
    was last seen; `refresh`, `wait` and `cancel` look again. Every network verb has an asynchronous
    face whose name ends in `_async`.

    Example:
        >>> job = FineTuneJob.create(train, validation=valid, suffix="tickets", budget_usd=50)
        >>> model = job.wait()
        >>> print(job.metrics())
    """

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
        grader: Mapping[str, object] | None = None,
        suffix: str | None = None,
        seed: int | None = None,
        integrations: Sequence[WandbIntegration] = (),
        metadata: Mapping[str, str] | None = None,
        file_expires_after: int | None = None,
        budget_usd: float | None = None,
        margin_days: int = 30,
        shutdown_date: dt.date | None = None,
    ) -> LaunchPlan:
        """Check and price a job without sending anything. Arguments and errors as for `create`.

        `shutdown_date` is the day on which the service itself says that it switches the model off,
        where you know it to differ from the catalog; `create` asks the service.
        """
        return make_plan(
            train,
            validation=validation,
            model=model,
            provider=provider or Provider.from_environment(),
            method=method,
            hyperparameters=hyperparameters,
            grader=grader,
            suffix=suffix,
            seed=seed,
            integrations=integrations,
            metadata=metadata,
            file_expires_after=file_expires_after,
            budget_usd=budget_usd,
            margin_days=margin_days,
            shutdown_date=shutdown_date,
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
        grader: Mapping[str, object] | None = None,
        suffix: str | None = None,
        seed: int | None = None,
        integrations: Sequence[WandbIntegration] = (),
        metadata: Mapping[str, str] | None = None,
        file_expires_after: int | None = None,
        budget_usd: float | None = None,
        margin_days: int = 30,
        if_exists: IfExists = "adopt",
        record: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> Self:
        """Check everything, upload what is missing, and start one job; never two.

        Args:
            train: The rows to learn from.
            validation: Rows that are only measured on.
            model: The base model, or a fine-tuned one to go on from.
            provider: Where to train; read from the environment where none is given.
            method: `supervised`, `dpo` or `reinforcement`.
            hyperparameters: What is not left to the service.
            grader: What rewards an answer, as the API takes it; `reinforcement` only.
            suffix: A word that becomes part of the model's name.
            seed: Makes the run repeatable as far as the service can.
            integrations: Where the service reports the run to.
            metadata: Pairs of your own that the job keeps, and that `list` can choose by.
            file_expires_after: Seconds after which the service deletes the files that are uploaded
                for this job; None keeps them.
            budget_usd: Ceiling in US dollars; a higher estimate stops the launch.
            margin_days: Refuse a model whose fine-tunes are switched off sooner than this.
            if_exists: What to do about a job with the same data and settings that runs or has
                succeeded: take it, start another, or raise.
            record: A `.json` file, or a folder for one, in which the run is written down before
                anything is sent, after the create, and after `wait`.
            progress: Of the upload. False is silent, True always writes, None writes only to a
                terminal or notebook.

        Raises:
            DatasetError: A row has an error, or the service rejected a file.
            BudgetError: The estimate exceeds the budget.
            ModelRetiredError: The model's end at this provider has come or is near.
            ProviderError: This provider cannot do it, or no provider is known.
            JobError: An equal job exists and `if_exists` is `"error"`.
            ValueError: A setting lies outside its range, or `record` holds another run.
            openai.APIError: The service refused, or stayed out of reach.
        """
        place = provider or Provider.from_environment()
        make = functools.partial(
            cls.plan,
            train,
            validation,
            model=model,
            provider=place,
            method=method,
            hyperparameters=hyperparameters,
            grader=grader,
            suffix=suffix,
            seed=seed,
            integrations=integrations,
            metadata=metadata,
            file_expires_after=file_expires_after,
            budget_usd=budget_usd,
            margin_days=margin_days,
        )
        plan = run(planned(make, model=model, gateway=place.blocking))
        return cls.launch(plan, if_exists=if_exists, record=record, progress=progress)

    @classmethod
    @takes_arguments_of(create)
    async def create_async(
        cls,
        *arguments: Any,
        if_exists: IfExists = "adopt",
        record: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
        **settings: Any,
    ) -> Self:
        """As `create`, with the same arguments and without blocking on the network."""
        place: Provider = settings.pop("provider", None) or Provider.from_environment()
        make = functools.partial(cls.plan, *arguments, provider=place, **settings)
        model = settings.get("model", DEFAULT_MODEL)
        plan = await planned(make, model=model, gateway=place.asynchronous)
        return await cls.launch_async(plan, if_exists=if_exists, record=record, progress=progress)

    @classmethod
    def launch(
        cls,
        plan: LaunchPlan,
        *,
        if_exists: IfExists = "adopt",
        record: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> Self:
        """Start the job of a plan, or adopt an equal one. Arguments and errors as for `create`."""
        return run(cls._launch(plan.provider.blocking(), plan, if_exists, record, progress))

    @classmethod
    async def launch_async(
        cls,
        plan: LaunchPlan,
        *,
        if_exists: IfExists = "adopt",
        record: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> Self:
        """As `launch`, without blocking."""
        return await cls._launch(plan.provider.asynchronous(), plan, if_exists, record, progress)

    @classmethod
    async def _launch(
        cls,
        gateway: Gateway,
        plan: LaunchPlan,
        if_exists: IfExists,
        target: str | os.PathLike[str] | None,
        progress: bool | None,
    ) -> Self:
        begun = begin(target, plan, if_exists=if_exists)
        launched = await launch(gateway, begun.plan, if_exists=begun.if_exists, progress=progress)
        job = cls(launched.job, provider=plan.provider, plan=plan)
        job.adopted = launched.adopted
        if begun.record is not None:
            job.record = begun.record.seen(launched.job, adopted=launched.adopted)
        return job

    def cancel(self) -> Self:
        """Stop the job and return it. What was trained until then may be billed."""
        fields = self.provider.profile.cancel_fields
        return self._seen(run(self.provider.blocking().cancel_job(self.id, fields=fields)))

    async def cancel_async(self) -> Self:
        """As `cancel`, without blocking."""
        fields = self.provider.profile.cancel_fields
        return self._seen(await self.provider.asynchronous().cancel_job(self.id, fields=fields))

    def pause(self) -> Self:
        """Halt the job, keep what it has learnt, and return it; `resume` goes on from there.

        Services pause at a point of their own choosing: the state may be `pausing` for a while.

        Raises:
            ProviderError: The provider cannot pause jobs.
            openai.BadRequestError: The job is not running.
        """
        profile = self.provider.profile
        return self._seen(run(pausing.pause(self.provider.blocking(), self.id, profile)))

    async def pause_async(self) -> Self:
        """As `pause`, without blocking."""
        profile = self.provider.profile
        return self._seen(await pausing.pause(self.provider.asynchronous(), self.id, profile))

    def resume(self) -> Self:
        """Let a paused job go on, and return it.

        Raises:
            ProviderError: The provider cannot pause jobs.
            openai.BadRequestError: The job is not paused.
        """
        profile = self.provider.profile
        return self._seen(run(pausing.resume(self.provider.blocking(), self.id, profile)))

    async def resume_async(self) -> Self:
        """As `resume`, without blocking."""
        profile = self.provider.profile
        return self._seen(await pausing.resume(self.provider.asynchronous(), self.id, profile))

    def wait(
        self,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        progress: bool | None = None,
        early_stop: StopRule | None = None,
        ready_timeout: float = READY_TIMEOUT,
    ) -> CustomModel:
        """Wait until the job has ended and return its model.

        Outages of up to an hour are waited out. Ctrl-C and the deadline stop the wait, never the job.

        Args:
            timeout: Seconds until the wait gives up; None waits as long as it takes.
            poll_interval: Seconds between two looks; None adapts, from half a second to twenty.
            on_event: Called with every event, once and oldest first.
            progress: False is silent, True always writes, None writes only to a terminal or notebook.
            early_stop: A rule, such as `EarlyStop()`, that cancels the job when its metrics say so.
            ready_timeout: Seconds for which a new model that its service does not find yet is asked
                again, one token a time; 0 asks for nothing. Only where `Profile.answers_late`.

        Raises:
            JobFailedError: The job failed; the error carries the service's reason.
            JobCancelledError: The job was cancelled, by `early_stop` or by somebody else.
            JobTimeoutError: The deadline passed; the job goes on.
            ProviderError: `early_stop` needs events, and the provider lists none.
            ValueError: A time makes no sense.
            openai.APIError: The service refused, or stayed out of reach for an hour.
        """
        gateway = self.provider.blocking()
        return run(
            self._wait(
                gateway, timeout, poll_interval, on_event, progress, early_stop, ready_timeout
            )
        )

    async def wait_async(
        self,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        progress: bool | None = None,
        early_stop: StopRule | None = None,
        ready_timeout: float = READY_TIMEOUT,
    ) -> CustomModel:
        """As `wait`, without blocking."""
        gateway = self.provider.asynchronous()
        return await self._wait(
            gateway, timeout, poll_interval, on_event, progress, early_stop, ready_timeout
        )

    async def _wait(
        self,
        gateway: Gateway,
        timeout: float | None,  # a deadline on the gateway's clock
        poll_interval: float | None,
        on_event: Callable[[Event], None] | None,
        progress: bool | None,
        early_stop: StopRule | None,
        ready_timeout: float,
    ) -> CustomModel:
        check_knobs(timeout, poll_interval, ready_timeout)
        profile = self.provider.profile
        stopping = None if early_stop is None else Stopping(early_stop, profile=profile)
        end = float("inf") if timeout is None else gateway.now() + timeout
        self.raw = await await_end(
            gateway,
            self.id,
            timeout=timeout,
            poll_interval=poll_interval,
            lists_events=profile.lists_events,
            on_event=on_event,
            progress=progress,
            stopping=stopping,
        )
        patience = max(0.0, min(READ_PATIENCE, end - gateway.now()))
        if self.record is not None:
            self.record = await completed(
                self.record, gateway, self.raw, provider=self.provider, patience=patience
            )
        if stopping is not None:
            await stopping.conclude(gateway, self.raw, patience=patience)
        model = model_of(
            self.raw, provider=self.provider, trained_on=self._training, form=self._form
        )
        patience = min(ready_timeout, end - gateway.now()) if profile.answers_late else 0.0
        if patience > 0 and not await await_ready(gateway, model.name, timeout=patience):
            # The job has succeeded, so its model is there all the same.
            log.warning("%s", not_ready(model.name, timeout=patience))
        return model
