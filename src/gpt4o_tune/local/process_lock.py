"""Locks between processes; the system frees them when their holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def locked(path: Path, *, is_waiting: bool = True) -> Generator[None]:
    """Hold the lock that the file stands for; the holder's process id stands in the file.

    Args:
        path: The file, made where it is missing.
        is_waiting: Wait for another holder instead of raising.

    Raises:
        BlockingIOError: Another process holds the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if is_waiting else fcntl.LOCK_NB))
        os.truncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)
