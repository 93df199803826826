"""Running a grader: the protocol that a runner follows, and a runner for `string_check` alone."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gpt4o_tune.data.grader import value_at

__all__ = ["Grade", "GradeRequest", "GraderRunner", "UnofferedGraderError", "run_string_check"]

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_STEP = re.compile(r"[\w-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class GradeRequest:
    """What to grade, and by what."""

    grader: Mapping[str, object]
    """A grader that `validate_grader` found sound."""
    sample: str
    """What the model wrote."""
    item: Mapping[str, object]
    """The row that it was asked about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grade:
    """What a grader said."""

    reward: float
    sub_rewards: Mapping[str, float] = field(default_factory=dict[str, float])
    """The scores of the graders inside a `multi`, by name."""
    errors: frozenset[str] = frozenset()
    """Names of the API's error flags that are set, such as `invalid_variable_error`."""


GraderRunner: TypeAlias = Callable[[GradeRequest], Grade]
"""Grades one sample; raises `UnofferedGraderError` for a grader that it cannot run."""


class UnofferedGraderError(Exception):
    """The runner has no such grader; the text says what it has."""


class _UnknownVariableError(LookupError):
    """A template names what the row or the sample does not have."""


def run_string_check(request: GradeRequest) -> Grade:
    """Run a `string_check`.

    Raises:
        UnofferedGraderError: It is a grader of another type.
    """
    grader = request.grader
    if grader.get("type") != "string_check":
        raise UnofferedGraderError(
            f"This server runs graders of the type 'string_check' only, not {grader.get('type')!r}."
        )
    try:
        given = _fill(str(grader["input"]), request)
        wanted = _fill(str(grader["reference"]), request)
    except _UnknownVariableError:
        return Grade(reward=0.0, errors=frozenset({"invalid_variable_error"}))
    return Grade(reward=float(_OPERATIONS[str(grader["operation"])](given, wanted)))


_OPERATIONS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": lambda given, wanted: given == wanted,
    "ne": lambda given, wanted: given != wanted,
    "like": lambda given, wanted: wanted in given,
    "ilike": lambda given, wanted: wanted.casefold() in given.casefold(),
}


def _fill(text: str, request: GradeRequest) -> str:
    sample: dict[str, object] = {"output_text": request.sample}
    with contextlib.suppress(ValueError, RecursionError):
        sample["output_json"] = json.loads(request.sample)
    namespace: dict[str, object] = {"item": request.item, "sample": sample}

    def replace(template: re.Match[str]) -> str:
        is_there, value = value_at(namespace, _STEP.findall(template.group(1)))
        if not is_there:
            raise _UnknownVariableError(template.group(1).strip())
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return _TEMPLATE.sub(replace, text)
