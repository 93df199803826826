"""The results file of a job: one CSV row a step, base64-encoded as the real service serves it."""

from __future__ import annotations

import base64
import csv
import io
from typing import TYPE_CHECKING

from gpt4o_tune.local.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.catalog import Method
    from gpt4o_tune.local.store import Store
    from gpt4o_tune.local.store.records import EventRecord, FileRecord, JobRecord


def _same(*names: str) -> dict[str, str]:
    return dict(zip(names, names, strict=True))


COLUMNS: Mapping[Method, Mapping[str, str]] = {
    "supervised": {
        **_same("step", "train_loss"),
        "train_accuracy": "train_mean_token_accuracy",
        **_same("valid_loss", "valid_mean_token_accuracy"),
    },
    "dpo": _same(
        "step",
        *("train_loss", "train_reward_margin", "train_reward_accuracy"),
        *("valid_loss", "valid_reward_margin", "valid_reward_accuracy"),
        *("full_valid_loss", "full_valid_reward_margin", "full_valid_reward_accuracy"),
    ),
    "reinforcement": _same(
        *("step", "train_mean_reward", "full_valid_mean_reward"),
        *("completion_tokens_mean", "reasoning_tokens_mean"),
    ),
}
"""For each method the columns, and which measurement stands in each."""


def results_file(store: Store, job: JobRecord) -> FileRecord:
    """Write a job's measurements as a file; writing again replaces it."""
    text = results_csv(store.events.metrics(job.id), method=job.method)
    return store.files.add_text(
        base64.b64encode(text.encode()).decode(),
        filename="step_metrics.csv",
        purpose="fine-tune-results",
        file_id=derived_id("file-", job.id, "results", length=22),
    )


def results_csv(events: Sequence[EventRecord], *, method: Method) -> str:
    """Lay measurements out as CSV; what was not measured stays blank."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = COLUMNS[method]
    writer.writerow(columns)
    for event in events:
        data = event.data or {}
        writer.writerow([data.get(source, "") for source in columns.values()])
    return text.getvalue()
