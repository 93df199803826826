"""The input files of a batch: requests as lines, split where a service's limits demand it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.inference.inputs import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from gpt4o_tune.inference.inputs import Request

__all__ = ["MOST_BYTES", "MOST_REQUESTS", "BatchFile", "row_of", "write_files"]

MOST_REQUESTS = 50_000
"""Requests of one batch; docstring of `batches.create` in openai 3.54."""
MOST_BYTES = 200_000_000
"""Bytes of one input file: 200 MB by the same docstring, read as the smaller of its two meanings."""

_CUSTOM_ID = re.compile(r"(\d+)-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFile:
    """One input file on disk."""

    path: Path
    fingerprint: str
    """SHA-256 of the content, in hex; it covers the number and content of each row."""
    size: int
    """In bytes."""
    first: int
    """Number of its first row among all inputs, from 0."""
    rows: int

    @property
    def name(self) -> str:
        """What the service calls the file."""
        return f"gpt4o-tune-batch-{self.fingerprint[:24]}-{self.size}.jsonl"


def write_files(
    requests: Iterable[Request],
    folder: Path,
    *,
    model: str,
    endpoint: str,
    most_bytes: int = MOST_BYTES,
    most_requests: int = MOST_REQUESTS,
) -> list[BatchFile]:
    """Write requests to as few files as the limits allow, in order.

    Raises:
        ValueError: One request alone is larger than a file may be.
        TypeError: A value of a request is no JSON.
    """
    files: list[BatchFile] = []
    lines: list[bytes] = []
    first = size = 0
    for row, line in enumerate(_lines(requests, model=model, endpoint=endpoint)):
        if len(line) > most_bytes:
            raise ValueError(
                f"the request of input {row} takes {len(line):,} bytes, and a whole batch may take "
                f"{most_bytes:,}; make it smaller, such as with images behind addresses"
            )
        if lines and (len(lines) == most_requests or size + len(line) > most_bytes):
            files.append(_written(lines, folder, first=first))
            lines, first, size = [], row, 0
        lines.append(line)
        size += len(line)
    if lines:
        files.append(_written(lines, folder, first=first))
    return files


def row_of(custom_id: object) -> int | None:
    """Return the number of the input that an id stands for, or None where it is no id of ours."""
    found = _CUSTOM_ID.fullmatch(custom_id) if isinstance(custom_id, str) else None
    return None if found is None else int(found[1])


def _lines(requests: Iterable[Request], *, model: str, endpoint: str) -> Iterator[bytes]:
    for row, request in enumerate(requests):
        body = encode(request, model=model)
        head = {
            "custom_id": f"{row}-{hashlib.sha256(body).hexdigest()[:16]}",
            "method": "POST",
            "url": endpoint,
        }
        yield json.dumps(head)[:-1].encode() + b', "body": ' + body + b"}\n"


def _written(lines: Sequence[bytes], folder: Path, *, first: int) -> BatchFile:
    digest = hashlib.sha256()
    path = folder / f"{first}.jsonl"
    with path.open("wb") as file:
        for line in lines:
            digest.update(line)
            file.write(line)
    return BatchFile(
        path=path,
        fingerprint=digest.hexdigest(),
        size=sum(map(len, lines)),
        first=first,
        rows=len(lines),
    )
