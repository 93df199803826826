"""Answers that are to be JSON: is it JSON, and does it say what the reference says?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from gpt4o_tune.evaluation.graders._shape import is_mapping
from gpt4o_tune.evaluation.graders.grader import Grade, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.evaluation.graders.grader import Item, Sample

__all__ = ["JsonMatch", "ValidJson"]


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
            parse_json(sample.output_text)
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
            wanted = parse_json(item.reference)
        except ValueError as fault:
            raise ValueError(_no_object(item.reference)) from fault
        if not is_mapping(wanted):
            raise ValueError(_no_object(item.reference))
        try:
            given = parse_json(sample.output_text)
        except ValueError as fault:
            return Grade(0.0, passed=False, reason=f"not JSON: {fault}")
        if not is_mapping(given):
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
        return same_json(wanted[name], given[name])
    return name not in wanted and name not in given


def same_json(wanted: object, given: object) -> bool:
    """Compare parsed JSON, where Python alone would take True for 1."""
    if isinstance(wanted, bool) or isinstance(given, bool):
        return wanted is given
    if is_mapping(wanted) and is_mapping(given):
        return wanted.keys() == given.keys() and all(same_json(wanted[k], given[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(given, list):
        pairs = cast("list[object]", wanted), cast("list[object]", given)
        return len(pairs[0]) == len(pairs[1]) and all(map(same_json, *pairs))
    return wanted == given
