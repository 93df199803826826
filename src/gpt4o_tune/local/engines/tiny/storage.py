"""Arrays and JSON on disk, written so that a crash leaves the old file or the new one, never half.

Nothing is pickled: arrays are `.npz` files, everything else is JSON.
"""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file atomically and wait until it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write a JSON object atomically."""
    write_bytes(path, json.dumps(value).encode("ascii"))


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object."""
    return json.loads(path.read_bytes())


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write named arrays atomically."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Read named arrays."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
