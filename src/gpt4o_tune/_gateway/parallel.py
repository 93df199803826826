"""Many calls at the same time: in threads over a blocking client, in tasks over an asynchronous one."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

__all__ = ["in_tasks", "in_threads"]

In = TypeVar("In")
Out = TypeVar("Out")


def in_threads(call: Callable[[In], Out], inputs: Sequence[In], *, at_once: int) -> list[Out]:
    """Apply a blocking call to every input; the first failure ends the rest and is raised."""
    pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="gpt4o-tune")
    waits = True
    try:
        return list(pool.map(call, inputs))
    except KeyboardInterrupt:
        # Calls in flight may last for minutes, and whoever interrupts has stopped waiting.
        waits = False
        raise
    finally:
        pool.shutdown(wait=waits, cancel_futures=True)


async def in_tasks(
    verb: Callable[[In], Coroutine[object, None, Out]], inputs: Sequence[In], *, at_once: int
) -> list[Out]:
    """Await a coroutine for every input; the first failure cancels the rest and is raised as it is."""
    gate = asyncio.Semaphore(at_once)

    async def guarded(item: In) -> Out:
        async with gate:
            return await verb(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(guarded(item)) for item in inputs]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
