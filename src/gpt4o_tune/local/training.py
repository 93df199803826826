"""One training run: an engine's updates become the events, checkpoints and models of a job."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING

from gpt4o_tune.data import Dataset
from gpt4o_tune.local.engines import (
    Checkpoint,
    Hyperparameters,
    Note,
    Resolved,
    Saved,
    Step,
    TrainingSpec,
)
from gpt4o_tune.local.ids import checkpoint_model_id, derived_id, tuned_model_id
from gpt4o_tune.local.results import results_file
from gpt4o_tune.local.rewards import make_grading
from gpt4o_tune.local.stand_in import load_engine
from gpt4o_tune.local.store.records import (
    TRAINING_STATUSES,
    CheckpointRecord,
    HyperparameterSet,
    ModelRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpt4o_tune.local.engines import TrainingEngine, Update
    from gpt4o_tune.local.store import JobEdit, Store
    from gpt4o_tune.local.store.records import JobRecord, JobStatus

KEPT_CHECKPOINTS = 3
"""As on the real service, the models of the last epochs stay usable, or those with the best rewards."""
_REWARD = "full_valid_mean_reward"


class TrainingRun:
    """Runs a job that is queued, or continues one that is running.

    Every update is written in one transaction, which also sees whether the job was cancelled.

    Args:
        store: Where the job is kept.
        job_id: The job.
        engine: What trains it; None for the engine that the job names.
    """

    def __init__(self, store: Store, job_id: str, *, engine: TrainingEngine | None = None) -> None:
        self._store = store
        self._job_id = job_id
        self._folder = store.job_dir(job_id)
        self._output_dir = self._folder / "output"
        self._engine = engine
        self._pace = _Pace()
        self._total_steps = 0

    def updates(self) -> Iterator[Update]:
        """Train to the end, and yield after each update; the caller may stop in between."""
        if not self._begin():
            return
        engine = self._engine or load_engine(self._store.jobs.get(self._job_id).engine)
        for update in engine.train(self._spec()):
            status = self._record(update)
            if status not in TRAINING_STATUSES:
                if status != "paused":
                    self._tidy([])
                return
            yield update
        self._succeed()

    def _begin(self) -> bool:
        with self._store.jobs.editing(self._job_id) as edit:
            if edit.job.status == "queued":
                edit.change(status="running")
                edit.event("started", "Fine-tuning job started")
            return edit.job.status in TRAINING_STATUSES

    def _spec(self) -> TrainingSpec:
        job = self._store.jobs.get(self._job_id)
        base_dir = None
        if job.model != job.base_model:
            base = self._store.models.find(job.model)
            if base is None:
                raise LookupError(f"the model {job.model!r} to continue from was deleted")
            base_dir = self._store.models.directory(base)
        grading = None
        if job.grader is not None:
            grading = make_grading(job.grader, has_json=job.response_format is not None)
        self._output_dir.mkdir(exist_ok=True)
        return TrainingSpec(
            training_file=self._folder / "training.jsonl",
            validation_file=self._folder / "validation.jsonl" if job.validation_file else None,
            output_dir=self._output_dir,
            hyperparameters=Hyperparameters(**job.requested.model_dump(exclude_none=True)),
            seed=job.seed,
            base_dir=base_dir,
            method=job.method,
            grading=grading,
        )

    def _record(self, update: Update) -> JobStatus:
        """Write an update down and return the job's status: it may have been cancelled or paused."""
        with self._store.jobs.editing(self._job_id) as edit:
            if edit.job.status not in TRAINING_STATUSES:
                return edit.job.status
            match update:
                case Resolved():
                    self._note_plan(edit, update)
                case Note():
                    edit.event(f"note-{update.key}", update.text)
                case Step():
                    self._note_step(edit, update)
                case Checkpoint():
                    self._note_checkpoint(edit, update)
                case Saved():
                    self._pause_if_asked(edit, update)
        return edit.job.status

    def _note_plan(self, edit: JobEdit, plan: Resolved) -> None:
        self._total_steps = plan.total_steps
        edit.change(hyperparameters=HyperparameterSet(**asdict(plan.hyperparameters)))

    def _note_step(self, edit: JobEdit, step: Step) -> None:
        edit.event(
            f"step-{step.step}",
            f"Step {step.step}/{self._total_steps}: {_in_words(step)}",
            kind="metrics",
            data={**_metrics(step), "total_steps": self._total_steps, **_scores(step, edit.job)},
        )
        now = self._store.now()
        left = self._pace.seconds_per_step(step.step, now) * (self._total_steps - step.step)
        edit.change(estimated_finish=int(now + left))

    def _pause_if_asked(self, edit: JobEdit, saved: Saved) -> None:
        """Pause only where the saved state covers every step, so that none is measured again."""
        if edit.job.status == "pausing":
            edit.change(status="paused", estimated_finish=None)
            message = f"Fine-tuning job paused at step {saved.step}/{self._total_steps}"
            edit.event(f"paused-{edit.job.pauses}", message)

    def _note_checkpoint(self, edit: JobEdit, checkpoint: Checkpoint) -> None:
        record = CheckpointRecord(
            id=derived_id("ftckpt_", self._job_id, str(checkpoint.step)),
            job_id=self._job_id,
            created_at=int(self._store.now()),
            step=checkpoint.step,
            directory=str(checkpoint.directory.relative_to(self._store.data_dir)),
            metrics=_metrics(checkpoint.metrics),
        )
        edit.checkpoint(record)
        for stale in _best_first(edit.checkpoints())[KEPT_CHECKPOINTS:]:
            edit.forget_checkpoint(stale.id)
            shutil.rmtree(self._store.data_dir / stale.directory, ignore_errors=True)

    def _succeed(self) -> None:
        job = self._store.jobs.get(self._job_id)
        results = results_file(self._store, job)
        cost = Dataset.from_jsonl(self._folder / "training.jsonl").cost(
            model=job.base_model, epochs=int(job.hyperparameters.n_epochs), provider="local"
        )
        name = tuned_model_id(job.base_model, suffix=job.suffix, job_id=job.id)
        with self._store.jobs.editing(self._job_id) as edit:
            if edit.job.status not in TRAINING_STATUSES:
                return
            checkpoints = _best_first(edit.checkpoints())
            self._publish(edit, name, checkpoints[0])
            for checkpoint in checkpoints:
                model_id = checkpoint_model_id(name, step=checkpoint.step)
                self._publish(edit, model_id, checkpoint)
            edit.finish("succeeded")
            edit.change(
                fine_tuned_model=name, result_files=(results.id,), trained_tokens=cost.tokens
            )
            edit.event("model", f"New fine-tuned model created: {name}")
            edit.event("succeeded", "The job has successfully completed")
        self._tidy([self._store.data_dir / each.directory for each in checkpoints])

    def _tidy(self, kept: list[Path]) -> None:
        """Remove what only an interrupted run would need."""
        for entry in self._output_dir.iterdir():
            if not any(folder.is_relative_to(entry) for folder in kept):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _publish(self, edit: JobEdit, model_id: str, checkpoint: CheckpointRecord) -> None:
        edit.model(
            ModelRecord(
                id=model_id,
                created=int(self._store.now()),
                base_model=edit.job.base_model,
                engine=edit.job.engine,
                job_id=edit.job.id,
                directory=checkpoint.directory,
            )
        )


class _Pace:
    """Measures how long a step takes in this process."""

    def __init__(self) -> None:
        self._first_step: int | None = None
        self._since = 0.0

    def seconds_per_step(self, step: int, now: float) -> float:
        """Mean time of the steps since the first one seen; 0 until there is a second."""
        if self._first_step is None:
            self._first_step, self._since = step, now
            return 0.0
        return (now - self._since) / (step - self._first_step)


def _best_first(checkpoints: list[CheckpointRecord]) -> list[CheckpointRecord]:
    """Order by validation reward where there is one; the latest comes first otherwise, and among equals."""
    return sorted(checkpoints, key=lambda each: -float(each.metrics.get(_REWARD) or 0))


def _metrics(step: Step) -> dict[str, float | int | None]:
    """The measurements of a step under the names of the API, without those not made."""
    measured: dict[str, float | int | None] = {
        "step": step.step,
        "train_loss": step.train_loss,
        "train_mean_token_accuracy": step.train_mean_token_accuracy,
        "valid_loss": step.valid_loss,
        "valid_mean_token_accuracy": step.valid_mean_token_accuracy,
        "full_valid_loss": step.full_valid_loss,
        "full_valid_mean_token_accuracy": step.full_valid_mean_token_accuracy,
        **step.rewards,
    }
    return {name: value for name, value in measured.items() if value is not None}


def _in_words(step: Step) -> str:
    figures = {
        "training loss": step.train_loss,
        "validation loss": step.valid_loss,
        "full validation loss": step.full_valid_loss,
        "train mean reward": step.rewards.get("train_mean_reward"),
        "full validation mean reward": step.rewards.get(_REWARD),
    }
    return ", ".join(f"{name}={value:.4f}" for name, value in figures.items() if value is not None)


def _scores(step: Step, job: JobRecord) -> dict[str, object]:
    """Repeat the rewards where reinforcement's events nest them: in all, and for the grader."""
    means = {name: mean for name, mean in step.rewards.items() if name.endswith("_reward_mean")}
    if job.grader is None:
        return {}
    grader = {"name": job.grader.get("name"), "type": job.grader["type"], **means}
    return {"scores": {"graders": [grader], **means}}
