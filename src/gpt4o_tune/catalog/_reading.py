"""Strict reading of TOML tables: each key is asked for by name and type, and none may be left over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import TypeVar, cast, overload

from gpt4o_tune.errors import CatalogError

T = TypeVar("T")

_TYPE_NAMES: Mapping[type, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    date: "a date such as 2027-01-14",
    list: "a list",
    dict: "a table",
}


class Table:
    """One TOML table, read key by key; `finish` refuses what was not asked for."""

    def __init__(self, content: object, name: str) -> None:
        if not isinstance(content, Mapping):
            raise CatalogError(f"must be a table, found {content!r}", table=name)
        self._content = cast("Mapping[str, object]", content)
        self._asked: set[str] = set()
        self.name = name

    def error(self, message: str) -> CatalogError:
        """Build the error for a fault in this table."""
        return CatalogError(message, table=self.name)

    def require(self, key: str, kind: type[T]) -> T:
        """Return the value of a key that must be there."""
        value = self.get(key, kind)
        if value is None:
            raise self.error(f"{key!r} is missing; it takes {_TYPE_NAMES[kind]}")
        return value

    @overload
    def get(self, key: str, kind: type[T]) -> T | None: ...
    @overload
    def get(self, key: str, kind: type[T], default: T) -> T: ...
    def get(self, key: str, kind: type[T], default: T | None = None) -> T | None:
        """Return the value of a key that may be left out; a whole number passes for a float."""
        self._asked.add(key)
        value = self._content.get(key)
        if value is None:
            return default
        if kind is float and type(value) is int:
            value = float(value)
        # Exact types: to isinstance, true is a whole number and a time stamp is a date.
        if type(value) is not kind:
            raise self.error(f"{key!r} takes {_TYPE_NAMES[kind]}, found {value!r}")
        return cast("T", value)

    def price(self, key: str) -> float | None:
        """Return an amount of US dollars, or None where it is left out."""
        amount = self.get(key, float)
        if amount is not None and not 0 <= amount < float("inf"):
            raise self.error(f"{key!r} takes a price of 0 or more, found {amount!r}")
        return amount

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings, empty where it is left out."""
        values = cast("list[object]", self.get(key, list, []))
        if not all(type(value) is str for value in values):
            raise self.error(f"{key!r} takes a list of strings, found {values!r}")
        return cast("tuple[str, ...]", tuple(values))

    def subset(self, key: str, allowed: Iterable[str]) -> frozenset[str]:
        """Return a list of known words as a set, empty where it is left out."""
        words, known = self.texts(key), tuple(allowed)
        for word in words:
            if word not in known:
                raise self.error(f"{key!r} takes some of {known}, found {word!r}")
        return frozenset(words)

    def table(self, key: str) -> Table:
        """Return a sub-table, empty where it is left out."""
        self._asked.add(key)
        name = key if key.isidentifier() else f'"{key}"'
        return Table(self._content.get(key, {}), f"{self.name}.{name}" if self.name else name)

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Iterate over all keys, each of which must hold a sub-table."""
        for key in self._content:
            yield key, self.table(key)

    def strings(self) -> dict[str, str]:
        """Return the whole table, each value of which must be a string."""
        return {key: self.require(key, str) for key in self._content}

    def finish(self) -> None:
        """Refuse keys that nobody asked for.

        Raises:
            CatalogError: There are such keys; the message names the table and those that exist.
        """
        unknown = [key for key in self._content if key not in self._asked]
        if unknown:
            known = ", ".join(sorted(self._asked))
            raise self.error(f"unknown key {unknown[0]!r}; this table takes: {known}")
