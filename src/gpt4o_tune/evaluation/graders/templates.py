"""Templates of the published graders: text with `{{item.field}}` and `{{sample.output_text}}` in it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.errors import GraderError
from gpt4o_tune.evaluation.graders._shape import is_mapping, is_sequence
from gpt4o_tune.evaluation.graders.grader import Grade

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gpt4o_tune.evaluation.graders.grader import Case

__all__ = [
    "ABSENT",
    "NAMESPACES",
    "SAMPLE_NAMES",
    "Variable",
    "failing",
    "render",
    "render_all",
    "variables",
]

NAMESPACES = ("item", "sample")
SAMPLE_NAMES = ("output_text", "output_json", "output_tools", "choices")
ABSENT = "absent_from_sample"
"""Code of the error where an answer lacks what a template names: no JSON, no such field, no tool call."""

_PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PATH = re.compile(r"\s*([^\s.\[\]{}]+)((?:\.[^\s.\[\]{}]+|\[\d+\])*)\s*")
_STEP = re.compile(r"\.([^\s.\[\]{}]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Variable:
    """A name in a template: its namespace and the steps from there."""

    text: str
    """As written between the braces."""

    namespace: str
    steps: tuple[str | int, ...]

    @classmethod
    def parse(cls, text: str) -> Variable:
        """Read what stands between two pairs of braces.

        Raises:
            ValueError: It is no path of names and numbers.
        """
        found = _PATH.fullmatch(text)
        if found is None:
            raise ValueError(
                f"{{{{{text}}}}} is no path; write one such as {{{{item.answer.lines[0]}}}}"
            )
        steps = tuple(
            step[1] if step[1] is not None else int(step[2]) for step in _STEP.finditer(found[2])
        )
        return cls(text.strip(), found[1], steps)

    def find(self, seen: Mapping[str, object]) -> object:
        """Follow the path through the values of its namespace.

        Raises:
            KeyError: There is nothing at the path.
        """
        value: object = seen
        for step in self.steps:
            value = _step(value, step)
        return value

    def __str__(self) -> str:
        return f"{{{{{self.text}}}}}"


def _step(value: object, step: str | int) -> object:
    if isinstance(step, str):
        if is_mapping(value) and step in value:
            return value[step]
    elif is_sequence(value) and step < len(value):
        return value[step]
    raise KeyError(step)


def variables(value: object) -> Iterator[Variable]:
    """Yield every variable in a text, or in the texts of nested mappings and lists.

    Raises:
        ValueError: Braces are not closed, or what stands between them is no path.
    """
    if isinstance(value, str):
        rest = _PLACE.sub("", value)
        if "{{" in rest:
            raise ValueError(f"the template {value[:60]!r} opens '{{{{' and does not close it")
        yield from (Variable.parse(found[1]) for found in _PLACE.finditer(value))
    elif is_mapping(value):
        for inner in value.values():
            yield from variables(inner)
    elif is_sequence(value):
        for inner in value:
            yield from variables(inner)


def render(template: str, case: Case) -> str:
    """Put the values of one case into a template; what is no text is written as JSON.

    Raises:
        GraderError: A variable has no value.
    """

    def value(found: re.Match[str]) -> str:
        variable = Variable.parse(found[1])
        try:
            inside = variable.find(_seen(variable, case))
        except KeyError:
            raise _absent(variable) from None
        return inside if isinstance(inside, str) else json.dumps(inside, ensure_ascii=False)

    return _PLACE.sub(value, template)


def render_all(value: object, case: Case) -> object:
    """Render every text in nested mappings and lists."""
    if isinstance(value, str):
        return render(value, case)
    if is_mapping(value):
        return {key: render_all(each, case) for key, each in value.items()}
    if is_sequence(value):
        return [render_all(each, case) for each in value]
    return value


def failing(error: GraderError) -> Grade:
    """Give the lowest grade where the answer itself lacks what is to be judged; raise any other error."""
    if error.code != ABSENT:
        raise error
    return Grade(0.0, passed=False, reason=str(error))


def _seen(variable: Variable, case: Case) -> Mapping[str, object]:
    match variable.namespace:
        case "item":
            return case.item.to_dict()
        case "sample":
            return case.sample.to_dict()
        case _:
            raise KeyError(variable.namespace)


def _absent(variable: Variable) -> GraderError:
    known = variable.steps[:1] in [(name,) for name in SAMPLE_NAMES]
    if variable.namespace == "sample" and known:
        return GraderError(f"the answer has no {variable}", code=ABSENT)
    return GraderError(
        f"{variable} has no value in this row; check_templates says which rows lack it",
        code="invalid_variable",
    )
