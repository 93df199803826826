"""Uploading rows: the same content once, under a name that carries its hash and size.

`docs/design/uploading.md` states what happens when a request fails.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING

from gpt4o_tune import catalog
from gpt4o_tune._gateway import CALL_ERRORS, send_once
from gpt4o_tune.errors import DatasetError, ProviderError
from gpt4o_tune.jobs.content import open_content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openai.types import FileObject

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.data import Dataset
    from gpt4o_tune.jobs.content import Content, OnProgress
    from gpt4o_tune.providers import Provider

__all__ = ["Chunking", "check_expiry", "ensure_file"]

log = logging.getLogger("gpt4o_tune")

PART_BYTES = 64 * 1024 * 1024
"""The largest part that the Uploads API takes."""
PARTS_AT_ONCE = 4
"""Parts in flight at the same time."""
SPARE_LIFE = 1800.0
"""Seconds; a file that expires sooner is not taken again, as a job may wait that long to read it."""
FILE_PATIENCE = 1800.0
"""Seconds to wait until an uploaded file is processed; the client's own default."""


@dataclasses.dataclass(frozen=True, slots=True)
class Chunking:
    """When and how a file is sent in parts; sizes in bytes."""

    above: int
    """Larger files are sent in parts."""
    part: int = PART_BYTES


def check_expiry(seconds: int | None, *, provider: Provider) -> None:
    """Refuse a life of files that the provider would refuse; None keeps them.

    Raises:
        ValueError: It is too short or too long.
    """
    shortest, longest = catalog.load().limits(provider.kind).file_expiry_seconds
    if seconds is not None and not shortest <= seconds <= longest:
        raise ValueError(
            f"files can expire after {shortest} to {longest} seconds ({shortest / 86400:g} to "
            f"{longest / 86400:g} days) at {provider.kind}, not {seconds!r}; None keeps them"
        )


async def ensure_file(
    gateway: Gateway,
    rows: Dataset,
    *,
    provider: Provider,
    expires_after: int | None = None,
    on_progress: OnProgress | None = None,
    chunking: Chunking | None = None,
) -> FileObject:
    """Return the uploaded file with exactly these rows, uploading it only where it is missing.

    Args:
        gateway: Where to send it.
        rows: What the file holds.
        provider: Its limits and quirks apply.
        expires_after: Seconds after which the service deletes a file that is uploaded now; None keeps
            it. A file that is there already stays as it is.
        on_progress: Called as bytes are sent; never where the file is there already.
        chunking: Sizes of parts; by default those of the provider.

    Raises:
        ValueError: The provider takes no such expiry.
        DatasetError: The service rejected the file, or the rows changed while they were sent.
        ProviderError: The service did not process the file in time, or cannot take one of this size.
        openai.APIError: The service refused, or stayed out of reach.
    """
    check_expiry(expires_after, provider=provider)
    sizes = chunking or Chunking(catalog.load().limits(provider.kind).chunk_above_bytes)
    with open_content(rows, on_progress=on_progress) as content:
        file = await _find_file(gateway, content)
        if file is None and content.size <= sizes.above:
            file = await _send_whole(gateway, content, expires_after)
        elif file is None:
            file = await _send_in_parts(gateway, content, expires_after, sizes)
    if provider.profile.needs_processed_file:
        file = await _processed(gateway, file)
    if file.status == "error":
        raise DatasetError(
            f"the service rejected file {file.id!r}: {file.status_details or 'no reason given'}. "
            "Correct the rows and launch again"
        )
    return file


async def _send_whole(gateway: Gateway, content: Content, expires_after: int | None) -> FileObject:
    async def send() -> FileObject:
        return await gateway.upload_file(
            content.stream(), filename=content.name, expires_after=expires_after
        )

    return await send_once(gateway, send, lambda: _find_file(gateway, content))


async def _send_in_parts(
    gateway: Gateway, content: Content, expires_after: int | None, sizes: Chunking
) -> FileObject:
    upload = await gateway.create_upload(
        size=content.size, filename=content.name, expires_after=expires_after
    )
    if upload is None:
        raise ProviderError(
            f"the rows take {content.size:,} bytes. Above {sizes.above:,} they must be sent in parts, "
            "and this service has no Uploads API. Train on fewer rows, or with another provider"
        )

    async def add(span: range) -> str:
        return await gateway.add_part(upload.id, lambda: content.stream(span))

    try:
        part_ids = await gateway.each(add, content.spans(sizes.part), at_once=PARTS_AT_ONCE)
        return await _complete(gateway, content, upload.id, part_ids)
    except Exception:
        await _abandon(gateway, upload.id)
        raise


async def _complete(
    gateway: Gateway, content: Content, upload_id: str, part_ids: Sequence[str]
) -> FileObject:
    md5 = content.digest("md5")

    async def complete() -> FileObject:
        try:
            file = await gateway.complete_upload(upload_id, part_ids=part_ids, md5=md5)
        except CALL_ERRORS:
            # A second completion is refused where the first one took effect after all.
            file = await _find_file(gateway, content)
            if file is None:
                raise
        if file is None:
            raise ProviderError(
                f"the service completed upload {upload_id!r} but names no file; launch again"
            )
        return file

    return await send_once(gateway, complete, lambda: _find_file(gateway, content))


async def _abandon(gateway: Gateway, upload_id: str) -> None:
    try:
        await gateway.cancel_upload(upload_id)
    except CALL_ERRORS as error:
        log.info("upload %s was not cancelled (%s); it expires by itself", upload_id, error)


async def _find_file(gateway: Gateway, content: Content) -> FileObject | None:
    """Return the newest usable file of that name: the name carries hash and size of the content."""
    needed_until = time.time() + SPARE_LIFE
    for file in await gateway.find_files(content.name):
        is_usable = file.status not in ("error", "deleted", "deleting")
        lives_on = file.expires_at is None or file.expires_at > needed_until
        if is_usable and lives_on and file.bytes == content.size:
            return file
    return None


async def _processed(gateway: Gateway, file: FileObject) -> FileObject:
    end = gateway.now() + FILE_PATIENCE
    pause = 1.0
    while file.status not in ("processed", "error", "deleting", "deleted"):
        if gateway.now() >= end:
            raise ProviderError(
                f"file {file.id!r} is still {file.status!r} after {FILE_PATIENCE:.0f} s; launch again "
                "later: the upload will be found and not repeated"
            )
        await gateway.sleep(pause)
        pause = min(pause * 1.5, 15.0)
        file = await gateway.retrieve_file(file.id)
    return file
