"""What rewards the answers of a reinforcement job: the grader of the create request, made to run."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from gpt4o_tune.data.grader import value_at
from gpt4o_tune.local.engines import UngradableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gpt4o_tune.local.engines import Grading

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_STEP = re.compile(r"[\w-]+")
Operation = Literal["eq", "ne", "like", "ilike"]
_OPERATIONS: Mapping[Operation, Callable[[str, str], bool]] = {
    "eq": lambda given, wanted: given == wanted,
    "ne": lambda given, wanted: given != wanted,
    "like": lambda given, wanted: wanted in given,
    "ilike": lambda given, wanted: wanted.casefold() in given.casefold(),
}


class UnsupportedGraderError(ValueError):
    """The grader cannot run here, or is not sound."""


def make_grading(grader: Mapping[str, object], *, has_json: bool) -> Grading:
    """Make a grader run.

    Args:
        grader: As the API takes it.
        has_json: Answers are to be JSON, which `{{sample.output_json}}` then reads.

    Raises:
        UnsupportedGraderError: It has a type that does not run here, or lacks a part.
    """
    kind = grader.get("type")
    if kind != "string_check":
        raise UnsupportedGraderError(
            f"The local server rewards by graders of type 'string_check', not {kind!r}."
        )
    parts = {name: grader.get(name) for name in ("name", "input", "reference", "operation")}
    for name, part in parts.items():
        if not isinstance(part, str) or not part:
            raise UnsupportedGraderError(f"A 'string_check' grader needs {name!r} as text.")
    if parts["operation"] not in _OPERATIONS:
        known = ", ".join(_OPERATIONS)
        raise UnsupportedGraderError(f"'operation' is {parts['operation']!r}; use one of {known}.")
    return StringCheck(**cast("dict[str, str]", parts), has_json=has_json)  # pyright: ignore[reportArgumentType]  # just checked


@dataclass(frozen=True, slots=True, kw_only=True)
class StringCheck:
    """Rewards with 1 an answer that compares as asked, any other with 0."""

    name: str
    input: str
    reference: str
    operation: Operation
    has_json: bool = False

    def reward(self, answer: str, row: Mapping[str, object]) -> float:
        """Fill both templates in and compare them.

        Raises:
            UngradableError: The answer is not the JSON that a template reads, or the row lacks a field.
        """
        sample: dict[str, object] = {"output_text": answer}
        if self.has_json:
            try:
                sample["output_json"] = json.loads(answer)
            except (ValueError, RecursionError) as error:
                raise UngradableError(f"the answer is not JSON: {error}") from error
        values = {"sample": sample, "item": row}
        given, wanted = _filled(self.input, values), _filled(self.reference, values)
        return float(_OPERATIONS[self.operation](given, wanted))


def _filled(template: str, values: Mapping[str, object]) -> str:
    def value_of(match: re.Match[str]) -> str:
        is_there, value = value_at(values, _STEP.findall(match[1]))
        if not is_there:
            raise UngradableError(f"there is no {match[1].strip()!r}")
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return _TEMPLATE.sub(value_of, template)
