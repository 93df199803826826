"""The driver: one coroutine, finished without an event loop."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune._drive import iterate, run, settle, takes_arguments_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def _count(limit: int, closed: list[int]) -> AsyncIterator[int]:
    try:
        for number in range(limit):
            yield await settle(number)
    finally:
        closed.append(limit)


def test_a_coroutine_that_never_suspends_is_finished_at_once() -> None:
    """`run` returns the value without an event loop."""

    async def add(left: int, right: int) -> int:
        return await settle(left) + await settle(right)

    assert run(add(2, 3)) == 5


def test_an_error_passes_through_with_its_type() -> None:
    """What the coroutine raises reaches the caller."""

    async def fail() -> None:
        await settle(None)
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        run(fail())


def test_a_suspending_coroutine_is_refused() -> None:
    """Core code that awaits anything but the gateway is found out, not run half."""

    async def suspends() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="gateway methods only"):
        run(suspends())


def test_it_works_inside_a_running_loop() -> None:
    """The blocking face works in a notebook, whose loop is already running."""

    async def notebook_cell() -> int:
        async def verb() -> int:
            return await settle(7)

        return run(verb())

    assert asyncio.run(notebook_cell()) == 7


def test_iteration_gives_every_value_and_closes() -> None:
    """An asynchronous generator is walked to its end, and its cleanup runs."""
    closed: list[int] = []

    assert list(iterate(_count(3, closed))) == [0, 1, 2]
    assert closed == [3]


def test_iteration_left_early_closes_the_source() -> None:
    """Leaving a stream in the middle closes the connection behind it."""
    closed: list[int] = []
    stream = iterate(_count(3, closed))

    assert next(stream) == 0
    stream.close()
    assert closed == [3]


def test_settle_awaits_what_is_awaitable() -> None:
    """The asynchronous client's coroutines are awaited, plain values passed on."""

    async def value() -> str:
        return "late"

    async def both() -> tuple[str, str]:
        return await settle(value()), await settle("now")

    assert asyncio.run(both()) == ("late", "now")


class Verb:
    """A class whose asynchronous face takes the arguments of its blocking one."""

    @classmethod
    def make(cls, size: int, *, name: str = "verb") -> str:
        return f"{name} of {size}"

    @classmethod
    @takes_arguments_of(make)
    async def make_async(cls, *arguments: object, **options: object) -> str:
        """As `make`, without blocking."""
        return cls.make(*arguments, **options)  # type: ignore[arg-type]  # the decorator's promise


def test_a_twin_takes_the_arguments_of_its_face() -> None:
    """`inspect`, and so editors and documentation, see one signature; calls go through."""
    blocking, suspending = inspect.signature(Verb.make), inspect.signature(Verb.make_async)

    assert blocking.parameters == suspending.parameters
    assert asyncio.run(Verb.make_async(3, name="test")) == Verb.make(3, name="test")
    assert Verb.make_async.__doc__ == "As `make`, without blocking."
