"""The files of a batch: what its requests were answered, and why some were not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gpt4o_tune.local.ids import derived_id

if TYPE_CHECKING:
    from gpt4o_tune.local.store import Store
    from gpt4o_tune.local.store.records import BatchRecord


def write_results(store: Store, batch: BatchRecord) -> dict[str, str | None]:
    """Write the results so far as files, and return the fields of the batch that name them.

    A file without a line is not written. Writing again replaces the files.
    """
    return {
        "output_file_id": _write(store, batch, "output", is_error=False),
        "error_file_id": _write(store, batch, "error", is_error=True),
    }


def _write(store: Store, batch: BatchRecord, kind: str, *, is_error: bool) -> str | None:
    part = store.files.part_path()
    try:
        with part.open("w", encoding="utf-8") as file:
            for text in store.batches.results(batch.id, is_error=is_error):
                file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        if part.stat().st_size == 0:
            return None
        record = store.files.add(
            part,
            filename=f"{batch.id}_{kind}.jsonl",
            purpose="batch_output",
            file_id=derived_id("file-", batch.id, kind, length=22),
            expires_after_s=batch.output_expires_after,
        )
    finally:
        part.unlink(missing_ok=True)
    return record.id
