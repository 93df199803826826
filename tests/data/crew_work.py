"""Work for processes of a crew, in a module that they can import."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def squares() -> Callable[[int], int]:
    """Work that anyone can do."""
    return lambda task: task**2


def dying_elsewhere() -> Callable[[tuple[int, int]], int]:
    """Work that only one process survives."""

    def work(task: tuple[int, int]) -> int:
        survivor, number = task
        if os.getpid() != survivor:
            os._exit(3)
        return number

    return work


def failing_at_seven() -> Callable[[int], int]:
    """Work that goes wrong once."""

    def work(task: int) -> int:
        if task == 7:
            raise ValueError(f"task {task}")
        return task

    return work


def printing() -> Callable[[int], int]:
    """Work that talks."""

    def work(task: int) -> int:
        print("working on", task)  # noqa: T201  # the point
        return task

    return work
