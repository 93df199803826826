"""Write a file so that it is either the old one or the whole new one, never half of it."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from gpt4o_tune.errors import DatasetNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BUFFER_BYTES = 1 << 20


def replace_file(path: Path, pieces: Iterable[bytes]) -> Path:
    """Write `pieces` beside `path` under a temporary name, then give them its name.

    Raises:
        DatasetNotFoundError: The folder does not exist, or `path` is one.
    """
    if path.is_dir():
        raise DatasetNotFoundError(f"{str(path)!r} is a folder. Name a file.", path=str(path))
    # A link stays a link: what it points to is replaced.
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        file = open(temporary, "xb", buffering=_BUFFER_BYTES)  # noqa: SIM115  # closed before the rename
    except FileNotFoundError:
        raise DatasetNotFoundError(
            f"The folder {str(target.parent)!r} does not exist. Create it first.", path=str(path)
        ) from None
    try:
        with file:
            file.writelines(pieces)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path
