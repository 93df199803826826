"""How a model was trained: the system prompt and tools of its rows, and calls that depart from them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FormWatch", "TrainedForm", "system_of"]

log = logging.getLogger("gpt4o_tune")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedForm:
    """What every training row had in common."""

    system: str | None = None
    """The system prompt that each began with, or None where they share none."""
    tools: tuple[str, ...] = ()
    """Names of the tools that each of them offered, in alphabetical order."""


class FormWatch:
    """Warns once for each way in which calls depart from the training."""

    def __init__(self, name: str, form: TrainedForm) -> None:
        self._name = name
        self._form = form
        self._said: set[str] = set()

    def look(
        self, messages: Sequence[Mapping[str, object]], parameters: Mapping[str, object]
    ) -> None:
        """Compare one call with the training; the log hears of a departure the first time."""
        if self._form.system is not None and system_of(messages) != self._form.system:
            self._say(
                "another system prompt than its own, with which it was trained; use ask(), or begin the "
                "conversation with {'role': 'system', 'content': model.system}"
            )
        if self._form.tools and not (parameters.get("tools") or parameters.get("functions")):
            self._say(
                f"no tools, and every row it was trained on offered {', '.join(self._form.tools)}; pass "
                "the same tools="
            )

    def _say(self, departure: str) -> None:
        if departure not in self._said:
            self._said.add(departure)
            log.warning("%r is asked with %s", self._name, departure)


def system_of(messages: Sequence[Mapping[str, object]]) -> str | None:
    """Return the system prompt that a conversation begins with, or None where it begins otherwise."""
    for message in messages[:1]:
        prompt = message.get("content")
        if message.get("role") in ("system", "developer") and isinstance(prompt, str):
            return prompt
    return None
