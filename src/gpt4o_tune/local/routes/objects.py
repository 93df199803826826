"""The stored values as the JSON objects of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.local.ids import checkpoint_model_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.catalog import Model
    from gpt4o_tune.local.store.records import (
        BatchRecord,
        CheckpointRecord,
        CompletionRecord,
        EventRecord,
        FileRecord,
        JobRecord,
        ModelRecord,
        PermissionRecord,
        UploadPartRecord,
        UploadRecord,
    )

OWNER = "gpt4o-tune-local"
_ORGANIZATION = "org-local"
_CATALOG_MODELS_CREATED = 0
"""No source gives the creation time of a base model, and the API wants a number."""


def file_object(file: FileRecord) -> dict[str, object]:
    """Render a file."""
    return {
        "object": "file",
        **file.model_dump(exclude_none=True),
        "status": "processed",
    }


def upload_object(upload: UploadRecord, file: FileRecord | None = None) -> dict[str, object]:
    """Render an upload, with the file that it became where it is complete."""
    return {
        "object": "upload",
        **upload.model_dump(exclude={"file_expires_after", "file_id"}),
        **({} if file is None else {"file": file_object(file)}),
    }


def upload_part_object(part: UploadPartRecord) -> dict[str, object]:
    """Render a part."""
    return {"object": "upload.part", **part.model_dump(exclude={"bytes"})}


def job_object(job: JobRecord) -> dict[str, object]:
    """Render a job."""
    hyperparameters = job.hyperparameters.model_dump(exclude_none=True)
    settings = {
        "grader": job.grader,
        "hyperparameters": hyperparameters,
        "response_format": job.response_format,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    return {
        "object": "fine_tuning.job",
        "id": job.id,
        "created_at": job.created_at,
        "status": job.status,
        "model": job.model,
        "fine_tuned_model": job.fine_tuned_model,
        "organization_id": _ORGANIZATION,
        "training_file": job.training_file,
        "validation_file": job.validation_file,
        "result_files": [*job.result_files],
        "hyperparameters": hyperparameters,
        "method": {"type": job.method, job.method: given},
        "seed": job.seed,
        "user_provided_suffix": job.suffix,
        "metadata": job.metadata,
        "integrations": job.integrations,
        "error": None if job.fault is None else job.fault.model_dump(),
        "trained_tokens": job.trained_tokens,
        "estimated_finish": job.estimated_finish,
        "finished_at": job.finished_at,
        **_stand_in(job.engine),
    }


def event_object(event: EventRecord) -> dict[str, object]:
    """Render an event."""
    data = event.data or {}
    return {"object": "fine_tuning.job.event", **event.model_dump(exclude={"job_id"}), "data": data}


def checkpoint_object(checkpoint: CheckpointRecord, job: JobRecord) -> dict[str, object]:
    """Render a checkpoint of a succeeded job."""
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": checkpoint.id,
        "created_at": checkpoint.created_at,
        "fine_tuned_model_checkpoint": checkpoint_model_id(
            job.fine_tuned_model or "", step=checkpoint.step
        ),
        "fine_tuning_job_id": job.id,
        "step_number": checkpoint.step,
        "metrics": checkpoint.metrics,
    }


def model_object(model: ModelRecord) -> dict[str, object]:
    """Render a fine-tuned model."""
    return {
        "object": "model",
        "id": model.id,
        "created": model.created,
        "owned_by": OWNER,
        "shutdown_date": None,
        **_stand_in(model.engine),
    }


def base_model_object(model: Model, *, engine: str) -> dict[str, object]:
    """Render the stand-in of a base model."""
    return {
        "object": "model",
        "id": model.name,
        "created": _CATALOG_MODELS_CREATED,
        "owned_by": OWNER,
        "shutdown_date": None,
        **_stand_in(engine),
    }


def completion_object(completion: CompletionRecord) -> dict[str, object]:
    """Render a stored answer."""
    return {**completion.content, "metadata": completion.metadata or {}}


def stored_message_object(message: Mapping[str, object], message_id: str) -> dict[str, object]:
    """Render a message of a stored conversation."""
    content = message.get("content")
    has_parts = isinstance(content, list)
    return {
        **message,
        "id": message_id,
        "content": None if has_parts else content,
        "content_parts": content if has_parts else None,
    }


def batch_object(batch: BatchRecord) -> dict[str, object]:
    """Render a batch."""
    faults = [fault.model_dump() for fault in batch.faults]
    hidden = {"faults", "total", "completed", "failed", "input_tokens", "output_tokens"}
    return {
        "object": "batch",
        **batch.model_dump(exclude={*hidden, "output_expires_after"}, exclude_none=True),
        **({"errors": {"object": "list", "data": faults}} if faults else {}),
        "request_counts": {
            "total": batch.total,
            "completed": batch.completed,
            "failed": batch.failed,
        },
        "usage": {
            "input_tokens": batch.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": batch.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": batch.input_tokens + batch.output_tokens,
        },
    }


def permission_object(permission: PermissionRecord) -> dict[str, object]:
    """Render a permission."""
    return {"object": "checkpoint.permission", **permission.model_dump(exclude={"model_id"})}


def listing(objects: Sequence[dict[str, object]], *, has_more: bool = False) -> dict[str, object]:
    """Render a page."""
    return {
        "object": "list",
        "data": [*objects],
        "has_more": has_more,
        "first_id": objects[0]["id"] if objects else None,
        "last_id": objects[-1]["id"] if objects else None,
    }


def _stand_in(engine: str) -> dict[str, object]:
    return {"stand_in": True, "engine": engine}
