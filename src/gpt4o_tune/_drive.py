"""One coroutine core, two faces.

Every network verb is written once, as a coroutine that awaits gateway methods only. With a blocking
client those methods never suspend, so `run` finishes the coroutine with a single `send`: no event loop,
no thread, and it works inside a running loop such as a notebook's. The asynchronous face awaits the
same coroutine.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator

T = TypeVar("T")
C = TypeVar("C")
P = ParamSpec("P")

_SUSPENDED = "core code suspended under the blocking face: it may await gateway methods only"


def run(coroutine: Coroutine[object, None, T]) -> T:
    """Finish a coroutine that never suspends and return its value.

    Raises:
        RuntimeError: The coroutine awaited something that is not ready at once.
    """
    try:
        coroutine.send(None)
    except StopIteration as finished:
        return cast("T", finished.value)
    coroutine.close()
    raise RuntimeError(_SUSPENDED)


def iterate(source: AsyncIterator[T]) -> Iterator[T]:
    """Iterate an asynchronous generator that never suspends; closing the iterator closes it."""
    try:
        while True:
            try:
                yield run(_next(source))
            except StopAsyncIteration:
                return
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            run(close())


async def _next(source: AsyncIterator[T]) -> T:
    return await anext(source)


async def settle(value: T | Awaitable[T]) -> T:
    """Await what is awaitable and pass on what is already there."""
    if inspect.isawaitable(value):
        return await cast("Awaitable[T]", value)
    return cast("T", value)


def takes_arguments_of(
    blocking: Callable[Concatenate[C, P], object],
) -> Callable[[Callable[Concatenate[C, ...], T]], Callable[Concatenate[C, P], T]]:
    """Give an asynchronous face the arguments of its blocking twin, for editors and `inspect` alike.

    For a verb with so many arguments that a second list of them would only go stale.
    """
    # A class method is still wrapped while its class is being made.
    arguments = inspect.signature(getattr(blocking, "__wrapped__", blocking))

    def dress(face: Callable[Concatenate[C, ...], T]) -> Callable[Concatenate[C, P], T]:
        returns = inspect.signature(face).return_annotation
        vars(face)["__signature__"] = arguments.replace(return_annotation=returns)
        return cast("Callable[Concatenate[C, P], T]", face)

    return dress
