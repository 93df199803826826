"""Submitting batches: the same requests once, whatever fails on the way.

`docs/design/batch.md` states what is guaranteed.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from gpt4o_tune import catalog
from gpt4o_tune._gateway import CALL_ERRORS, LOOK_UP_PATIENCE, READ_PATIENCE, send_once
from gpt4o_tune.errors import ProviderError
from gpt4o_tune.inference.batch_files import MOST_BYTES, MOST_REQUESTS, BatchFile, write_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openai.types import Batch, FileObject

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.inference.inputs import Request
    from gpt4o_tune.providers import Provider

__all__ = ["ENDED", "FIRST_KEY", "MODEL_KEY", "ROWS_KEY", "IfBatchExists", "submit"]

log = logging.getLogger("gpt4o_tune")

IfBatchExists: TypeAlias = Literal["adopt", "new"]
"""What to do about a batch of the same requests."""

FINGERPRINT_KEY = "gpt4o_tune_batch"
"""Key of the batch's metadata by which an equal batch is found again."""
FIRST_KEY, ROWS_KEY = "gpt4o_tune_first", "gpt4o_tune_rows"
"""Keys that hold the number of the batch's first input, and how many it has."""
MODEL_KEY = "gpt4o_tune_model"

ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
"""The states that do not change any more."""
BATCHES_SEARCHED = 1000
"""How many of the newest batches are searched for an equal one; no service filters them."""
FILE_PATIENCE = 1800.0
"""Seconds to wait until an uploaded file is processed, where the service wants that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """One batch as it is to be."""

    file: BatchFile
    fingerprint: str
    model: str
    endpoint: str
    file_ids: frozenset[str]
    """Uploaded files with this very content."""
    others: frozenset[str] = frozenset()
    """Batches that are not to be taken, although they may ask the same."""

    def is_met_by(self, batch: Batch) -> bool:
        """Say whether a batch asks the same and has cost, or will cost, something."""
        # A service that keeps no metadata still names the file.
        told = self.told_by(batch)
        same = told == self.fingerprint if told else batch.input_file_id in self.file_ids
        is_for_nothing = batch.status in ENDED and not batch.output_file_id
        return same and not is_for_nothing and batch.id not in self.others

    def told_by(self, batch: Batch) -> str | None:
        """Return the fingerprint that a batch carries."""
        return (batch.metadata or {}).get(FINGERPRINT_KEY)

    def metadata(self) -> dict[str, str]:
        """Return what the batch is to carry."""
        return {
            FINGERPRINT_KEY: self.fingerprint,
            FIRST_KEY: str(self.file.first),
            ROWS_KEY: str(self.file.rows),
            MODEL_KEY: self.model,
        }


async def submit(
    gateway: Gateway,
    requests: Sequence[Request],
    *,
    model: str,
    provider: Provider,
    if_exists: IfBatchExists,
) -> list[Batch]:
    """Create the batches of these requests, or take those that are there; in the order of the inputs.

    Raises:
        ValueError: There is nothing to ask, or one request is too large.
        ProviderError: The service has no Batch API, or did not process a file in time.
        openai.APIError: The service refused, or stayed out of reach.
    """
    if not requests:
        raise ValueError("there are no inputs, so there is no batch to make")
    # As Microsoft's guide on batches has it; the others name the whole path.
    endpoint = "/chat/completions" if provider.kind == "azure" else "/v1/chat/completions"
    plain_upload = catalog.load().limits(provider.kind).chunk_above_bytes
    with tempfile.TemporaryDirectory(prefix="gpt4o-tune-") as folder:
        files = write_files(
            requests,
            Path(folder),
            model=model,
            endpoint=endpoint,
            most_bytes=min(MOST_BYTES, plain_upload),
            most_requests=MOST_REQUESTS,
        )
        batches: list[Batch] = []
        for file in files:
            try:
                batches.append(await _ensure(gateway, file, model, endpoint, provider, if_exists))
            except CALL_ERRORS as error:
                if batches:
                    ids = ", ".join(batch.id for batch in batches)
                    error.add_note(
                        f"Of {len(files)} batches {len(batches)} are there ({ids}). The same call made "
                        "again with if_exists='adopt' takes them and makes the rest."
                    )
                raise
    return batches


async def _ensure(
    gateway: Gateway,
    file: BatchFile,
    model: str,
    endpoint: str,
    provider: Provider,
    if_exists: IfBatchExists,
) -> Batch:
    uploads = await _uploads(gateway, file)
    wanted = _Wanted(
        file=file,
        fingerprint=file.fingerprint,
        model=model,
        endpoint=endpoint,
        file_ids=frozenset(upload.id for upload in uploads),
    )
    equals = await _equals(gateway, wanted)
    if equals and if_exists == "adopt":
        batch = await _keep_first(gateway, wanted, equals)
        log.info("adopted batch %s (%s): the same requests", batch.id, batch.status)
        return batch
    if if_exists == "new":
        wanted = dataclasses.replace(
            wanted,
            fingerprint=f"{file.fingerprint[:32]}-{secrets.token_hex(8)}",
            others=frozenset(equal.id for equal in equals),
        )
    upload = await _uploaded(gateway, file, uploads)
    if provider.profile.needs_processed_file:
        upload = await _processed(gateway, upload)
    wanted = dataclasses.replace(wanted, file_ids=wanted.file_ids | {upload.id})
    return await _created(gateway, wanted, upload.id)


async def _created(gateway: Gateway, wanted: _Wanted, file_id: str) -> Batch:
    async def send() -> Batch:
        return await gateway.create_batch(
            file_id, endpoint=wanted.endpoint, metadata=wanted.metadata()
        )

    async def look_up() -> Batch | None:
        equals = await _equals(gateway, wanted, patience=LOOK_UP_PATIENCE)
        return equals[0] if equals else None

    batch = await send_once(gateway, send, look_up)
    # A first request that was acted upon late, or another process at the same moment.
    equals = await _equals(gateway, wanted, patience=LOOK_UP_PATIENCE)
    if all(equal.id != batch.id for equal in equals):
        equals.append(batch)
    return await _keep_first(gateway, wanted, equals)


async def _equals(
    gateway: Gateway, wanted: _Wanted, *, patience: float = READ_PATIENCE
) -> list[Batch]:
    """Return the batches that ask the same, the one to keep first: with answers, else the oldest."""
    try:
        newest_first = await gateway.list_batches(most=BATCHES_SEARCHED, patience=patience)
    except CALL_ERRORS as error:
        if getattr(error, "status_code", None) in (404, 405):
            raise ProviderError(
                "this service has no Batch API, so nothing was created; ask the inputs with map()"
            ) from error
        raise
    equals = [batch for batch in reversed(newest_first) if wanted.is_met_by(batch)]
    return sorted(equals, key=lambda batch: (not batch.output_file_id, batch.created_at or 0))


async def _keep_first(gateway: Gateway, wanted: _Wanted, batches: Sequence[Batch]) -> Batch:
    first, *twins = batches
    for twin in twins:
        # Without metadata, one that was asked for with `new` cannot be told from a twin.
        if twin.status not in ENDED and wanted.told_by(twin):
            log.warning("batch %s is a second copy of %s: cancelled", twin.id, first.id)
            await gateway.cancel_batch(twin.id)
    return first


async def _uploads(gateway: Gateway, file: BatchFile) -> list[FileObject]:
    """Return the usable files of that name: the name carries hash and size of the content."""
    found = await gateway.find_files(file.name, purpose="batch")
    return [f for f in found if f.bytes == file.size and f.status not in ("error", "deleted")]


async def _uploaded(gateway: Gateway, file: BatchFile, there: Sequence[FileObject]) -> FileObject:
    if there:
        return there[0]

    async def send() -> FileObject:
        with file.path.open("rb") as stream:
            return await gateway.upload_file(
                stream, filename=file.name, expires_after=None, purpose="batch"
            )

    async def look_up() -> FileObject | None:
        found = await _uploads(gateway, file)
        return found[0] if found else None

    return await send_once(gateway, send, look_up)


async def _processed(gateway: Gateway, file: FileObject) -> FileObject:
    end, pause = gateway.now() + FILE_PATIENCE, 1.0
    while file.status not in ("processed", "error"):
        if gateway.now() >= end:
            raise ProviderError(
                f"file {file.id!r} is still {file.status!r} after {FILE_PATIENCE:.0f} s; call batch() "
                "again later: the upload will be found and not repeated"
            )
        await gateway.sleep(pause)
        pause = min(pause * 1.5, 15.0)
        file = await gateway.retrieve_file(file.id)
    return file
