"""The results file of a job: one CSV row a step, base64-encoded as the real service serves it."""

from __future__ import annotations

import base64
import csv
import io
from typing import TYPE_CHECKING

from gpt4o_tune.local.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpt4o_tune.local.store import Store
    from gpt4o_tune.local.store.records import EventRecord, FileRecord, JobRecord

COLUMNS = ("step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy")
_SOURCES = (
    "step",
    "train_loss",
    "train_mean_token_accuracy",
    "valid_loss",
    "valid_mean_token_accuracy",
)


def results_file(store: Store, job: JobRecord) -> FileRecord:
    """Write a job's measurements as a file; writing again replaces it."""
    text = results_csv(store.events.metrics(job.id))
    return store.files.add_text(
        base64.b64encode(text.encode()).decode(),
        filename="step_metrics.csv",
        purpose="fine-tune-results",
        file_id=derived_id("file-", job.id, "results", length=22),
    )


def results_csv(events: Sequence[EventRecord]) -> str:
    """Lay measurements out as CSV; what was not measured stays blank."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for event in events:
        data = event.data or {}
        writer.writerow([data.get(source, "") for source in _SOURCES])
    return text.getvalue()
