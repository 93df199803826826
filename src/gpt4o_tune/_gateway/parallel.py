"""Many calls at the same time: in threads over a blocking client, in tasks over an asynchronous one.

Where threads are too dear, in tasks on an event loop in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

__all__ = ["in_private_loop", "in_running_loop", "in_tasks", "in_threads"]

WATCH_EVERY = 0.2
"""Seconds between two looks at the progress."""

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


def in_private_loop(
    work: Callable[[], Coroutine[object, None, Out]], look: Callable[[], None]
) -> Out:
    """Finish asynchronous work on an event loop in a thread of its own; `look` runs in this one.

    An interrupt of this thread cancels the work and waits for that end, which is near.
    """
    started: Future[Callable[[], object]] = Future()

    async def placed() -> Out:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work())
        started.set_result(lambda: loop.call_soon_threadsafe(task.cancel))
        return await task

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="gpt4o-tune") as pool:
        running = pool.submit(asyncio.run, placed())
        try:
            while not wait([running], timeout=WATCH_EVERY).done:
                look()
        except BaseException:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                started.result()()
            raise
        return running.result()


async def in_running_loop(
    work: Callable[[], Coroutine[object, None, Out]], look: Callable[[], None]
) -> Out:
    """Finish asynchronous work on the running loop, with a `look` at it now and then."""
    task = asyncio.ensure_future(work())
    try:
        while not task.done():
            await asyncio.wait([task], timeout=WATCH_EVERY)
            look()
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])
