"""Which model answers: the one asked for, or another one while that does not answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gpt4o_tune._gateway import is_absent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from gpt4o_tune._gateway import Gateway

    T = TypeVar("T")

__all__ = ["Route"]

log = logging.getLogger("gpt4o_tune")

REST = 60.0
"""Seconds for which a model that did not answer is left alone once its fallback has taken over."""


class Route:
    """The model asked for and its fallback, and which of them is due."""

    def __init__(self, name: str, fallback: str | None) -> None:
        self.name, self.fallback = name, fallback
        self.fell_back = False
        """Whether the fallback was ever used."""
        self._rests_until = 0.0

    def due(self, now: float) -> str:
        """Return the model to ask now."""
        if self.fallback is not None and now < self._rests_until:
            return self.fallback
        return self.name

    def other(self, asked: str, error: Exception, now: float) -> str | None:
        """Return the model to ask in place of the one that failed, or None; say so the first time."""
        if self.fallback is None or asked == self.fallback or not is_absent(error):
            return None
        if not self.fell_back:
            log.warning(
                "model %r does not answer (%s: %s); %r answers in its place, and %r is tried again every "
                "%.0f s",
                self.name,
                type(error).__name__,
                error,
                self.fallback,
                self.name,
                REST,
            )
        self.fell_back = True
        self._rests_until = now + REST
        return self.fallback

    async def ask(self, gateway: Gateway, call: Callable[[str], Awaitable[T]]) -> T:
        """Make a call with the model that is due, and with the fallback where that one is absent."""
        asked = self.due(gateway.now())
        try:
            return await call(asked)
        except Exception as error:
            other = self.other(asked, error, gateway.now())
            if other is None:
                raise
        return await call(other)
