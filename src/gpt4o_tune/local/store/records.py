"""What the store keeps, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from gpt4o_tune.catalog import Method  # noqa: TC001 - pydantic reads it

T = TypeVar("T")

JobStatus = Literal[
    "validating_files",
    "queued",
    "running",
    "pausing",
    "paused",
    "succeeded",
    "failed",
    "cancelled",
]
UploadStatus = Literal["pending", "completed", "cancelled", "expired"]
Level = Literal["info", "warn", "error"]
EventType = Literal["message", "metrics"]
FilePurpose = Literal[
    "assistants",
    "batch",
    "batch_output",
    "evals",
    "fine-tune",
    "fine-tune-results",
    "user_data",
    "vision",
]
BatchStatus = Literal[
    "validating",
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
]

OPEN_STATUSES: frozenset[JobStatus] = frozenset(
    {"validating_files", "queued", "running", "pausing", "paused"}
)
"""A job in one of these still has work before it."""
TRAINING_STATUSES: frozenset[JobStatus] = frozenset({"running", "pausing"})
"""A job in one of these has a worker, or waits for one to continue it."""
OPEN_BATCHES: frozenset[BatchStatus] = frozenset(
    {"validating", "in_progress", "finalizing", "cancelling"}
)
"""A batch in one of these still has work before it."""


class Record(BaseModel):
    """Base of the stored values."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FileRecord(Record):
    """An uploaded file, or a result that the server wrote."""

    id: str
    bytes: int
    created_at: int
    filename: str
    purpose: FilePurpose
    expires_at: int | None = None


class UploadRecord(Record):
    """A large file that arrives in parts."""

    id: str
    bytes: int
    """The size that was declared, and that the parts must add up to."""
    created_at: int
    expires_at: int
    filename: str
    purpose: FilePurpose
    status: UploadStatus = "pending"
    file_expires_after: int | None = None
    """Seconds that the file lives once it is complete."""
    file_id: str | None = None
    """The file that a completed upload became."""


class UploadPartRecord(Record):
    """A stretch of bytes of an upload; its place follows from the order at completion."""

    id: str
    upload_id: str
    bytes: int
    created_at: int


class HyperparameterSet(Record):
    """Hyperparameters as asked for, and as resolved once training begins; None where there is no such."""

    n_epochs: Literal["auto"] | int = "auto"
    batch_size: Literal["auto"] | int = "auto"
    learning_rate_multiplier: Literal["auto"] | float = "auto"
    beta: Literal["auto"] | float | None = None
    compute_multiplier: Literal["auto"] | float | None = None
    eval_interval: Literal["auto"] | int | None = None
    eval_samples: Literal["auto"] | int | None = None


class JobFault(Record):
    """Why a job failed."""

    code: str
    message: str
    param: str | None = None


class JobRecord(Record):
    """A fine-tuning job."""

    id: str
    created_at: int
    status: JobStatus = "validating_files"
    model: str
    """The model as resolved: a snapshot, or the `ft:` id of an earlier model of this server."""
    base_model: str
    """The snapshot at the root of `model`."""
    engine: str
    training_file: str
    validation_file: str | None = None
    requested: HyperparameterSet
    """Hyperparameters as the caller gave them."""
    hyperparameters: HyperparameterSet
    """Hyperparameters in force; equal to `requested` until training resolves them."""
    seed: int
    method: Method = "supervised"
    grader: dict[str, object] | None = None
    """What rewards answers; method `reinforcement` only, like the next."""
    response_format: dict[str, object] | None = None
    suffix: str | None = None
    metadata: dict[str, str] | None = None
    integrations: list[dict[str, object]] | None = None
    fault: JobFault | None = None
    fine_tuned_model: str | None = None
    finished_at: int | None = None
    pauses: int = 0
    """How often the job was asked to pause."""
    estimated_finish: int | None = None
    trained_tokens: int | None = None
    result_files: tuple[str, ...] = ()


class EventRecord(Record):
    """One line of a job's history."""

    id: str
    job_id: str
    created_at: int
    level: Level
    type: EventType
    message: str
    data: dict[str, object] | None = None


class CheckpointRecord(Record):
    """A complete model that a running or finished job wrote."""

    id: str
    job_id: str
    created_at: int
    step: int
    directory: str
    """Relative to the data folder."""
    metrics: dict[str, float | int | None]


class ModelRecord(Record):
    """A fine-tuned model, or a checkpoint that answers under its own id."""

    id: str
    created: int
    base_model: str
    engine: str
    job_id: str
    directory: str
    """Relative to the data folder."""


class CompletionRecord(Record):
    """A stored answer."""

    id: str
    model: str
    content: dict[str, object]
    """The completion as it was answered, and the settings that it was asked with."""
    messages: tuple[dict[str, object], ...]
    """The conversation that was answered."""
    metadata: dict[str, str] | None = None


class BatchFault(Record):
    """Why a batch was refused as a whole."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None
    """Counted from 1; None where the fault is in no one line."""


class BatchRecord(Record):
    """Many requests that are answered in the background."""

    id: str
    created_at: int
    expires_at: int
    endpoint: str
    input_file_id: str
    completion_window: str = "24h"
    metadata: dict[str, str] | None = None
    output_expires_after: int | None = None
    """Seconds that the files of results live once they are written."""
    status: BatchStatus = "validating"
    model: str | None = None
    """The model that the requests name."""
    faults: tuple[BatchFault, ...] = ()
    total: int = 0
    completed: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    in_progress_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None


class PermissionRecord(Record):
    """Another project's permission to use a checkpoint."""

    id: str
    model_id: str
    project_id: str
    created_at: int


class DeliveryRecord(Record):
    """A webhook that one address has not yet accepted."""

    id: str
    """The same for every attempt and every address."""
    url: str
    kind: str
    """Such as `fine_tuning.job.succeeded`."""
    object_id: str
    created_at: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing."""

    items: tuple[T, ...]
    has_more: bool
