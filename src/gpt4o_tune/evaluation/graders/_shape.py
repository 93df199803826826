"""Reading the published shape of a grader: which fields there are, and what a wrong one should be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeGuard, cast

__all__ = ["Shape", "is_mapping", "is_sequence", "one_of"]


class Shape:
    """One grader as a mapping, its fields checked as they are read.

    Raises:
        ValueError: It is of another type, or has fields that do not exist.
    """

    def __init__(
        self,
        given: Mapping[str, object],
        kind: str,
        *,
        fields: Sequence[str],
    ) -> None:
        self._given, self._kind = given, kind
        if given.get("type") != kind:
            raise ValueError(f"expected a grader of type {kind!r}, got type {given.get('type')!r}")
        known = ("type", *fields)
        for key in given:
            if key not in known:
                raise ValueError(f"a {kind} grader has no field {key!r}; {_hint(key, known)}")

    def text(self, key: str) -> str:
        """Read a field that must hold text."""
        value = self.value(key)
        if not isinstance(value, str):
            raise ValueError(f"{self._at(key)} must be text, got {value!r}")
        return value

    def maybe_text(self, key: str) -> str | None:
        """Read a field that may be left out."""
        return None if self._given.get(key) is None else self.text(key)

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts."""
        values = self.value(key)
        if is_sequence(values) and all(isinstance(value, str) for value in values):
            return tuple(cast("Sequence[str]", values))
        raise ValueError(f"{self._at(key)} must be a list of texts, got {values!r}")

    def mappings(self, key: str) -> tuple[Mapping[str, object], ...]:
        """Read a list of objects."""
        values = self.value(key)
        if is_sequence(values) and all(is_mapping(value) for value in values):
            return tuple(cast("Sequence[Mapping[str, object]]", values))
        raise ValueError(f"{self._at(key)} must be a list of objects, got {values!r}")

    def maybe_mapping(self, key: str) -> Mapping[str, object] | None:
        """Read an object that may be left out."""
        value = self._given.get(key)
        if value is None or is_mapping(value):
            return value
        raise ValueError(f"{self._at(key)} must be an object, got {value!r}")

    def value(self, key: str) -> object:
        """Read a field that must be there."""
        if key not in self._given:
            raise ValueError(f"a {self._kind} grader needs the field {key!r}")
        return self._given[key]

    def maybe_value(self, key: str) -> object:
        """Read a field that may be left out."""
        return self._given.get(key)

    def _at(self, key: str) -> str:
        name = self._given.get("name")
        return f"{key!r} of the {self._kind} grader {name!r}"


def one_of(value: str, choices: Iterable[str], what: str) -> None:
    """Require one of a closed set.

    Raises:
        ValueError: It is none of them; the message names the nearest.
    """
    known = list(choices)
    if value not in known:
        raise ValueError(f"there is no {what} {value!r}; {_hint(value, known)}")


def is_mapping(value: object) -> TypeGuard[Mapping[str, object]]:
    """Tell whether a value is a JSON object."""
    return isinstance(value, Mapping)


def is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    """Tell whether a value is a JSON list."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _hint(word: str, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(word.lower(), choices, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(choices)}"
