"""Uploading rows: the same content once, under a name that carries its hash and size."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gpt4o_tune._gateway import UnconfirmedError
from gpt4o_tune.errors import DatasetError, ProviderError

if TYPE_CHECKING:
    from openai.types import FileObject

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.data import Dataset
    from gpt4o_tune.providers import Profile

__all__ = ["ensure_file"]

PAUSES = (0.5, 1.5, 4.0)
"""Seconds before each look-up after a doubtful failure; an upload is sent as often at most."""
FILE_PATIENCE = 1800.0
"""Seconds to wait until an uploaded file is processed; the client's own default."""


async def ensure_file(gateway: Gateway, rows: Dataset, *, profile: Profile) -> FileObject:
    """Return the uploaded file with exactly these rows, uploading it only where it is missing.

    Raises:
        DatasetError: The service rejected the file.
        ProviderError: The service did not process the file in time.
        openai.APIError: The service refused, or stayed out of reach.
    """
    with tempfile.TemporaryDirectory(prefix="gpt4o-tune-") as folder:
        path = rows.to_jsonl(Path(folder) / "rows.jsonl")
        size = path.stat().st_size
        name = f"gpt4o-tune-{rows.fingerprint[:24]}-{size}.jsonl"
        file = await _find_file(gateway, name, size) or await _upload(gateway, path, name, size)
    if profile.needs_processed_file:
        file = await _processed(gateway, file)
    if file.status == "error":
        raise DatasetError(
            f"the service rejected file {file.id!r}: {file.status_details or 'no reason given'}. "
            "Correct the rows and launch again"
        )
    return file


async def _upload(gateway: Gateway, path: Path, name: str, size: int) -> FileObject:
    doubts: list[UnconfirmedError] = []
    while len(doubts) < len(PAUSES):
        try:
            return await gateway.upload_file(path, filename=name)
        except UnconfirmedError as unconfirmed:
            doubts.append(unconfirmed)
            await gateway.sleep(unconfirmed.server_hint or PAUSES[len(doubts) - 1])
            found = await _find_file(gateway, name, size)
            if found is not None:
                return found
    raise doubts[-1].error


async def _find_file(gateway: Gateway, name: str, size: int) -> FileObject | None:
    """Return the newest usable file of that name: the name carries hash and size of the content."""
    for file in await gateway.find_files(name):
        if file.bytes == size and file.status not in ("error", "deleted", "deleting"):
            return file
    return None


async def _processed(gateway: Gateway, file: FileObject) -> FileObject:
    end = gateway.now() + FILE_PATIENCE
    pause = 1.0
    while file.status not in ("processed", "error"):
        if gateway.now() >= end:
            raise ProviderError(
                f"file {file.id!r} is still {file.status!r} after {FILE_PATIENCE:.0f} s; launch again "
                "later: the upload will be found and not repeated"
            )
        await gateway.sleep(pause)
        pause = min(pause * 1.5, 15.0)
        file = await gateway.retrieve_file(file.id)
    return file
