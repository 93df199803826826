"""Published grader `multi`: several graders, joined by a formula over their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from gpt4o_tune.data.formula import FUNCTIONS, Formula
from gpt4o_tune.errors import GraderError
from gpt4o_tune.evaluation.graders._running import Assisted, judge_each
from gpt4o_tune.evaluation.graders._shape import Shape, is_mapping, is_sequence, one_of
from gpt4o_tune.evaluation.graders.grader import AssistedGrader, Grade
from gpt4o_tune.evaluation.graders.model_graders import LabelModel, ScoreModel
from gpt4o_tune.evaluation.graders.python_grader import PythonGrader
from gpt4o_tune.evaluation.graders.text_graders import StringCheck, TextSimilarity

if TYPE_CHECKING:
    from gpt4o_tune.evaluation.graders.grader import Case
    from gpt4o_tune.evaluation.graders.means import Means, Need

__all__ = ["MultiGrader", "PublishedGrader", "parse_grader"]

SingleGrader: TypeAlias = StringCheck | TextSimilarity | ScoreModel | LabelModel | PythonGrader

_SINGLE: Mapping[str, type[SingleGrader]] = {
    kind.type: kind for kind in (StringCheck, TextSimilarity, ScoreModel, LabelModel, PythonGrader)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiGrader(Assisted):
    """Published grader `multi`: works a formula out over the scores of other graders.

    Example:
        >>> grader = MultiGrader(
        ...     name="both",
        ...     graders={
        ...         "label": StringCheck(
        ...             name="label",
        ...             input="{{sample.output_text}}",
        ...             reference="{{item.label}}",
        ...             operation="ilike",
        ...         ),
        ...     },
        ...     calculate_output="0.5 + label / 2",
        ... )
        >>> grader.formula.names
        ('label',)

    Raises:
        ValueError: The formula cannot be read or names a grader that is not there.
    """

    type: ClassVar[str] = "multi"

    name: str
    graders: Mapping[str, SingleGrader] | Sequence[SingleGrader] | SingleGrader
    """By the names that the formula uses; or a list, or one alone, each under its own name."""

    calculate_output: str
    """The formula: + - * / ^, parentheses, numbers, names of graders, and min max abs floor ceil exp sqrt log."""

    formula: Formula = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = self.named
        if not named:
            raise ValueError("a multi grader needs at least one grader to join")
        for name, grader in named.items():
            if isinstance(grader, MultiGrader):
                raise ValueError(f"{name!r} is itself a multi grader; put its parts here instead")
            if name in FUNCTIONS:
                raise ValueError(f"{name!r} is a function of formulas; rename the grader")
        object.__setattr__(self, "formula", Formula(self.calculate_output))
        for name in self.formula.names:
            one_of(name, named, "grader")

    @property
    def named(self) -> Mapping[str, SingleGrader]:
        """The graders by the names that the formula uses."""
        if isinstance(self.graders, Mapping):
            return self.graders
        graders = self.graders if isinstance(self.graders, Sequence) else (self.graders,)
        named = {grader.name: grader for grader in graders}
        if len(named) != len(graders):
            raise ValueError("two of the graders have one name; give each a name of its own")
        return named

    @property
    def needs(self) -> tuple[Need, ...]:
        """What its graders have to be lent."""
        needed: list[Need] = [
            need
            for grader in self.named.values()
            if isinstance(grader, AssistedGrader)
            for need in grader.needs
        ]
        return tuple(dict.fromkeys(needed))

    async def grade_each(self, cases: Sequence[Case], means: Means) -> list[Grade | GraderError]:
        """Let every grader judge every case, then work the formula out for each."""
        columns = {
            name: await judge_each(grader, cases, means) for name, grader in self.named.items()
        }
        return [
            self._join({name: column[place] for name, column in columns.items()})
            for place in range(len(cases))
        ]

    def _join(self, grades: Mapping[str, Grade | GraderError]) -> Grade | GraderError:
        scores: dict[str, float] = {}
        for name, grade in grades.items():
            if isinstance(grade, GraderError):
                return GraderError(f"{name}: {grade}", code=grade.code)
            scores[name] = grade.score
        try:
            value = self.formula.value(scores)
        except GraderError as fault:
            return fault
        reason = ", ".join(f"{name} {score:.3g}" for name, score in scores.items())
        return Grade(value, passed=None, reason=reason, parts=scores)

    @classmethod
    def from_dict(cls, given: Mapping[str, object]) -> MultiGrader:
        """Read the published form.

        Raises:
            ValueError: A field is missing, unknown or of the wrong type, in a part included.
        """
        shape = Shape(given, cls.type, fields=("name", "graders", "calculate_output"))
        return cls(
            name=shape.text("name"),
            graders=_parts(shape.value("graders")),
            calculate_output=shape.text("calculate_output"),
        )

    def to_dict(self) -> dict[str, object]:
        """Write the published form, its graders as they were given."""
        graders: object
        if isinstance(self.graders, Mapping):
            graders = {name: grader.to_dict() for name, grader in self.graders.items()}
        elif isinstance(self.graders, Sequence):
            graders = [grader.to_dict() for grader in self.graders]
        else:
            graders = self.graders.to_dict()
        return {
            "type": self.type,
            "name": self.name,
            "graders": graders,
            "calculate_output": self.calculate_output,
        }


PublishedGrader: TypeAlias = SingleGrader | MultiGrader
"""Any grader that the service can run as well."""


def parse_grader(given: Mapping[str, object]) -> PublishedGrader:
    """Read a grader of the published schema, as a job or the alpha endpoints take it.

    Args:
        given: The grader as a mapping, with its `type`.

    Raises:
        ValueError: There is no such type, or the grader is malformed; the message says what to write.
    """
    return MultiGrader.from_dict(given) if given.get("type") == "multi" else _single(given)


def _single(given: Mapping[str, object]) -> SingleGrader:
    kind = given.get("type")
    if kind == "multi":
        raise ValueError("a multi grader cannot stand inside another; put its parts there instead")
    if not isinstance(kind, str):
        raise ValueError(f"a grader has a 'type' such as 'string_check', got {kind!r}")
    one_of(kind, (*_SINGLE, "multi"), "type of grader")
    return _SINGLE[kind].from_dict(given)


def _parts(given: object) -> Mapping[str, SingleGrader] | Sequence[SingleGrader] | SingleGrader:
    if is_mapping(given) and isinstance(given.get("type"), str):
        return _single(given)
    if is_mapping(given):
        return {name: _single(_part(part)) for name, part in given.items()}
    if is_sequence(given):
        return tuple(_single(_part(part)) for part in given)
    raise ValueError(f"graders must be an object of graders by name, or a list, got {given!r}")


def _part(given: object) -> Mapping[str, object]:
    if is_mapping(given):
        return given
    raise ValueError(f"each of the graders must be an object, got {given!r}")
