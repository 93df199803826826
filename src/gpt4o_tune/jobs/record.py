"""`RunRecord`: one run as a JSON file, written ahead of its launch and kept up to date.

`docs/design/run-record.md` says what it holds, and what it is good for after a crash.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gpt4o_tune import catalog
from gpt4o_tune._drive import run
from gpt4o_tune.catalog import Method, ProviderKind  # noqa: TC001  # pydantic reads it
from gpt4o_tune.errors import DatasetError, JobError, ProviderError
from gpt4o_tune.inference import CustomModel
from gpt4o_tune.jobs.bill import Expected
from gpt4o_tune.jobs.outcome import failure_of
from gpt4o_tune.jobs.plan import FINGERPRINT_KEY, LaunchPlan, make_plan
from gpt4o_tune.jobs.states import state_of
from gpt4o_tune.providers import Provider

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.data import Dataset
    from gpt4o_tune.jobs.bill import Bill
    from gpt4o_tune.jobs.checkpoints import Checkpoint
    from gpt4o_tune.jobs.job import FineTuneJob

__all__ = ["Place", "Rows", "RunRecord", "require_same"]

VERSION = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Rows(_Part):
    """One side of the data."""

    fingerprint: str
    """SHA-256, in hex, of the bytes of the rows."""
    rows: int
    source: str
    """The file that the rows come from, or `records`."""

    @classmethod
    def of(cls, rows: Dataset) -> Self:
        """Describe rows."""
        return cls(fingerprint=rows.fingerprint, rows=len(rows), source=rows.source)


class Place(_Part):
    """Where the run is; the key is no part of it."""

    kind: ProviderKind
    base_url: str

    @classmethod
    def of(cls, provider: Provider) -> Self:
        """Describe a provider."""
        return cls(kind=provider.kind, base_url=provider.address)


class RunRecord(_Part):
    """What was run, where, on which data, and what came of it. Holds no key.

    `FineTuneJob.create(..., record=...)` writes one before it sends anything, and completes it after
    the create and after `wait`. Unknown fields of the file are skipped.

    Example:
        >>> record = RunRecord.load("runs/tickets.json")
        >>> model = record.job().wait()
    """

    version: int = VERSION
    library: str
    """The release of this library that wrote the file."""
    written_at: dt.datetime
    updated_at: dt.datetime
    provider: Place
    model: str
    method: Method
    hyperparameters: dict[str, object]
    suffix: str | None
    seed: int | None
    grader: dict[str, object] | None
    training: Rows
    validation: Rows | None
    catalog_as_of: dt.date
    estimate: dict[str, object]
    """As `CostEstimate.to_dict` gives it."""
    plan_fingerprint: str
    """SHA-256, in hex, over the data and every setting."""
    fingerprint: str
    """What the job's metadata carries; differs from `plan_fingerprint` where a job of its own was asked."""
    job_id: str | None = None
    """None until the create was answered."""
    adopted: bool = False
    status: str | None = None
    fine_tuned_model: str | None = None
    trained_tokens: int | None = None
    result_files: tuple[str, ...] = ()
    error: str | None = None
    """Why the job failed, in the service's words."""
    bill: dict[str, object] | None = None
    """As `Bill.to_dict` gives it."""
    best_checkpoint: str | None = None
    system: str | None = None
    """The system prompt that every training row begins with, or None where they have none in common."""
    tools: tuple[str, ...] = ()
    """Names of the tools that every training row offers."""
    path: Path | None = Field(default=None, exclude=True)
    """Where the file lies."""

    @classmethod
    def of(cls, plan: LaunchPlan, *, plan_fingerprint: str, path: Path) -> Self:
        """Describe a launch that has not been sent."""
        from gpt4o_tune import __version__

        now = dt.datetime.now(dt.UTC)
        return cls(
            library=__version__,
            written_at=now,
            updated_at=now,
            provider=Place.of(plan.provider),
            model=plan.model,
            method=plan.method,
            hyperparameters=dict(
                plan.hyperparameters.request(plan.method, profile=plan.provider.profile)
            ),
            suffix=plan.suffix,
            seed=plan.seed,
            grader=None if plan.grader is None else dict(plan.grader),
            training=Rows.of(plan.training),
            validation=None if plan.validation is None else Rows.of(plan.validation),
            catalog_as_of=catalog.load().as_of,
            estimate=plan.estimate.to_dict(),
            plan_fingerprint=plan_fingerprint,
            fingerprint=plan.fingerprint,
            system=plan.system,
            tools=plan.tools,
            path=path,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a record.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is no run record, or a later release wrote it.
        """
        place = Path(path)
        try:
            record = cls.model_validate_json(place.read_bytes())
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(map(str, fault["loc"]))
            raise ValueError(
                f"{str(place)!r} is no run record: {where + ': ' if where else ''}{fault['msg']}"
            ) from error
        if record.version > VERSION:
            raise ValueError(
                f"{str(place)!r} has version {record.version}; this release reads up to {VERSION}. "
                "Upgrade gpt4o-tune to read it"
            )
        return record.model_copy(update={"path": place})

    def save(self) -> None:
        """Write the file anew, whole or not at all.

        Raises:
            OSError: It cannot be written.
        """
        if self.path is None:
            raise ValueError("this record has no path")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=self.path.parent, prefix=".", suffix=".part", encoding="utf-8", delete=False
        ) as file:
            try:
                file.write(self.model_dump_json(indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(self.path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def seen(
        self,
        job: FineTuningJob,
        *,
        adopted: bool | None = None,
        bill: Bill | None = None,
        best: Checkpoint | None = None,
    ) -> Self:
        """Take in a job as last seen, write the file, and return the new record."""
        news: dict[str, object] = {
            "updated_at": dt.datetime.now(dt.UTC),
            "job_id": job.id,
            "status": state_of(job),
            "fine_tuned_model": job.fine_tuned_model or None,
            "trained_tokens": job.trained_tokens,
            "result_files": tuple(job.result_files or ()),
            "error": failure_of(job),
        }
        if adopted is not None:
            news["adopted"] = adopted
        if bill is not None:
            news["bill"] = bill.to_dict()
        if best is not None:
            news["best_checkpoint"] = best.name
        record = self.model_copy(update=news)
        record.save()
        return record

    @property
    def expected(self) -> Expected:
        """What the estimate said."""
        tokens, usd = self.estimate.get("tokens"), self.estimate.get("usd")
        return Expected(
            tokens=tokens if isinstance(tokens, int) else 0,
            usd=float(usd) if isinstance(usd, int | float) else None,
        )

    def custom_model(self, *, provider: Provider | None = None) -> CustomModel:
        """Return the run's model, with the system prompt that it was trained with; nothing is sent.

        Args:
            provider: The place of the run, with a key; read from the environment where none is given.

        Raises:
            ProviderError: The provider is not the run's place.
            JobError: The record names no model: the run has not ended, or gave none.
        """
        place = self._same_place(provider)
        if self.fine_tuned_model is None:
            raise JobError(
                f"this record names no model (its job is {self.status or 'not known yet'!r}); follow "
                "the job with record.job().wait(), which completes the record",
                job_id=self.job_id or "",
            )
        return CustomModel(
            self.fine_tuned_model,
            provider=place,
            system=self.system,
            trained_tools=self.tools,
        )

    def job(self, *, provider: Provider | None = None) -> FineTuneJob:
        """Take hold of the run's job again, also where the process died before it learnt the id.

        The job keeps this record up to date from then on.

        Args:
            provider: The place of the run, with a key; read from the environment where none is given.

        Raises:
            ProviderError: The provider is not the run's place, or holds no job of this run.
            openai.NotFoundError: The provider (with this key) has no such job.
        """
        place = self._same_place(provider)
        return self._attached(run(self._find(place.blocking())), place)

    async def job_async(self, *, provider: Provider | None = None) -> FineTuneJob:
        """As `job`, without blocking."""
        place = self._same_place(provider)
        return self._attached(await self._find(place.asynchronous()), place)

    async def _find(self, gateway: Gateway) -> FineTuningJob:
        if self.job_id is not None:
            return await gateway.retrieve_job(self.job_id)
        wanted = {FINGERPRINT_KEY: self.fingerprint}
        for job in await gateway.find_jobs(wanted, most=100):
            if wanted.items() <= (job.metadata or {}).items():
                return job
        raise ProviderError(
            "no job of this record was created: the launch was cut off before. Launch it with "
            "FineTuneJob.create and the same rows, settings and record"
        )

    def _attached(self, job: FineTuningJob, provider: Provider) -> FineTuneJob:
        from gpt4o_tune.jobs.job import FineTuneJob

        return FineTuneJob(job, provider=provider, record=self)

    def _same_place(self, provider: Provider | None) -> Provider:
        place = provider or Provider.from_environment()
        if Place.of(place) != self.provider:
            raise ProviderError(
                f"this run is at {self.provider.base_url} ({self.provider.kind}), not at "
                f"{place.base_url} ({place.kind}); pass that provider, or launch the run here anew "
                "with FineTuneJob.launch(record.plan(...))"
            )
        return place

    def plan(
        self,
        train: Dataset,
        validation: Dataset | None = None,
        *,
        provider: Provider | None = None,
        model: str | None = None,
        budget_usd: float | None = None,
        margin_days: int = 30,
    ) -> LaunchPlan:
        """Plan the same run again, at any provider; launch it with `FineTuneJob.launch`.

        Args:
            train: The rows of the run; another set is refused.
            validation: Its validation rows, where it had any.
            provider: Where to train; read from the environment where none is given.
            model: Another base model, where this one is not on offer there.
            budget_usd: Ceiling in US dollars.
            margin_days: Refuse a model whose fine-tunes are switched off sooner than this.

        Raises:
            DatasetError: These are not the rows of the run.
        """
        require_same("training", self.training, train)
        require_same("validation", self.validation, validation)
        return make_plan(
            train,
            validation=validation,
            model=model or self.model,
            provider=provider or Provider.from_environment(),
            method=self.method,
            hyperparameters=self.hyperparameters,
            suffix=self.suffix,
            seed=self.seed,
            budget_usd=budget_usd,
            margin_days=margin_days,
            grader=self.grader,
        )


def require_same(side: str, recorded: Rows | None, given: Dataset | None) -> None:
    """Refuse rows that are not those of the run, told by their fingerprint.

    Raises:
        DatasetError: They are others, or missing.
    """
    if recorded is None and given is None:
        return
    if recorded is None:
        raise DatasetError(f"the run had no {side} rows; leave them out to run the same again")
    if given is None or given.fingerprint != recorded.fingerprint:
        shown = "none" if given is None else f"{len(given)} with fingerprint {given.fingerprint}"
        raise DatasetError(
            f"these are not the {side} rows of the run: it had {recorded.rows} from "
            f"{recorded.source!r} with fingerprint {recorded.fingerprint}, and these are {shown}"
        )
