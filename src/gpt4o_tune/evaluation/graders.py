"""Graders: from an answer and what was wanted to a score.

A grader is any object with a `name` and a `grade(sample, item)`, the shape and the words of the
provider's published graders: the sample is what the model wrote, the item is the row it was asked about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeGuard, cast, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ExactMatch", "Grade", "Grader", "Item", "JsonMatch", "Sample", "ValidJson"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a model wrote."""

    output_text: str


@dataclass(frozen=True, slots=True)
class Item:
    """The row that a model was asked about."""

    reference: str
    """The reference answer: the text of the row's last assistant message."""

    row: Mapping[str, object]
    """The whole row, further fields included."""


@dataclass(frozen=True, slots=True)
class Grade:
    """The judgement of one answer.

    Raises:
        ValueError: The score lies outside 0 to 1.
    """

    score: float
    """From 0, worthless, to 1, perfect."""

    passed: bool | None
    """Whether the answer is right; None from a grader that knows only degrees."""

    reason: str = ""
    """Short text for people, empty where there is nothing to say."""

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"a score lies between 0 and 1, got {self.score!r}")


@runtime_checkable
class Grader(Protocol):
    """Judges one answer at a time; the same answer always gets the same grade."""

    @property
    def name(self) -> str:
        """Short name for tables."""
        ...

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Judge what the model wrote about a row."""
        ...


@dataclass(frozen=True, kw_only=True)
class ExactMatch:
    """Right where the answer is the reference answer, letter for letter."""

    strip: bool = True
    """Ignore white space at both ends."""

    casefold: bool = False
    """Ignore the difference between capitals and small letters."""

    @property
    def name(self) -> str:
        """Short name for tables."""
        return "exact match"

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Compare the answer with the reference answer."""
        if self._normal(sample.output_text) == self._normal(item.reference):
            return Grade(1.0, passed=True)
        return Grade(0.0, passed=False, reason="differs from the reference answer")

    def _normal(self, text: str) -> str:
        text = text.strip() if self.strip else text
        return text.casefold() if self.casefold else text


@dataclass(frozen=True)
class ValidJson:
    """Right where the answer is JSON and nothing else, fences of Markdown not accepted."""

    @property
    def name(self) -> str:
        """Short name for tables."""
        return "valid JSON"

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Parse the answer; the row plays no part."""
        try:
            _parse(sample.output_text)
        except ValueError as fault:
            return Grade(0.0, passed=False, reason=f"not JSON: {fault}")
        return Grade(1.0, passed=True)


@dataclass(frozen=True)
class JsonMatch:
    """Right where the answer is a JSON object whose fields equal those of the reference answer.

    The score is the share of equal fields. Numbers are compared by value, `1` equals `1.0`; `true` is
    no number.
    """

    fields: Sequence[str] | None = None
    """Top-level fields to compare, at least one; None takes all of both objects, extra ones included."""

    def __post_init__(self) -> None:
        if isinstance(self.fields, str) or (self.fields is not None and not self.fields):
            raise ValueError(f"fields must be None or a list of names, got {self.fields!r}")

    @property
    def name(self) -> str:
        """Short name for tables."""
        return "JSON match"

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Compare the answer's fields with those of the reference answer.

        Raises:
            ValueError: The reference answer itself is not a JSON object.
        """
        try:
            wanted = _parse(item.reference)
        except ValueError as fault:
            raise ValueError(_no_object(item.reference)) from fault
        if not _is_object(wanted):
            raise ValueError(_no_object(item.reference))
        try:
            given = _parse(sample.output_text)
        except ValueError as fault:
            return Grade(0.0, passed=False, reason=f"not JSON: {fault}")
        if not _is_object(given):
            return Grade(0.0, passed=False, reason="JSON, but not an object")
        names = list(dict.fromkeys(self.fields or [*wanted, *given]))
        differing = [name for name in names if not _same_field(name, wanted, given)]
        if not differing:
            return Grade(1.0, passed=True)
        reason = "differs in " + ", ".join(repr(name) for name in differing)
        return Grade(1 - len(differing) / len(names), passed=False, reason=reason)


def _no_object(reference: str) -> str:
    return (
        f"the reference answer {reference[:60]!r} is not a JSON object; JsonMatch compares objects,"
        " ExactMatch compares any text"
    )


def _same_field(name: str, wanted: Mapping[str, object], given: Mapping[str, object]) -> bool:
    if name in wanted and name in given:
        return _same(wanted[name], given[name])
    return name not in wanted and name not in given


def _same(wanted: object, given: object) -> bool:
    """Compare parsed JSON, where Python alone would take True for 1."""
    if isinstance(wanted, bool) or isinstance(given, bool):
        return wanted is given
    if _is_object(wanted) and _is_object(given):
        return wanted.keys() == given.keys() and all(_same(wanted[k], given[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(given, list):
        pairs = cast("list[object]", wanted), cast("list[object]", given)
        return len(pairs[0]) == len(pairs[1]) and all(map(_same, *pairs))
    return wanted == given


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)


def _parse(text: str) -> object:
    def refuse(constant: str) -> object:
        raise ValueError(f"{constant} is not a JSON value")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
