"""Published graders that compare two texts: `string_check` and `text_similarity`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, cast, get_args

from gpt4o_tune.errors import GraderError
from gpt4o_tune.evaluation.graders._metrics import similarity
from gpt4o_tune.evaluation.graders._shape import Shape, one_of
from gpt4o_tune.evaluation.graders.grader import Case, Grade
from gpt4o_tune.evaluation.graders.templates import failing, render, variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.evaluation.graders.grader import Item, Sample

__all__ = ["Operation", "SimilarityMetric", "StringCheck", "TextSimilarity"]

Operation = Literal["eq", "ne", "like", "ilike"]
"""Equal, not equal, contains, contains whatever the capitals."""

SimilarityMetric = Literal[
    "cosine",
    "fuzzy_match",
    "bleu",
    "gleu",
    "meteor",
    "rouge_1",
    "rouge_2",
    "rouge_3",
    "rouge_4",
    "rouge_5",
    "rouge_l",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StringCheck:
    """Published grader `string_check`: 1 where the input is, or holds, the reference; else 0.

    Example:
        >>> grader = StringCheck(
        ...     name="label",
        ...     input="{{sample.output_text}}",
        ...     reference="{{item.label}}",
        ...     operation="eq",
        ... )
        >>> grader.grade(Sample("shipping"), Item("", {"label": "shipping"})).score
        1.0

    Raises:
        ValueError: There is no such operation, or a template cannot be read.
    """

    type: ClassVar[str] = "string_check"

    name: str
    input: str
    """Template of the text that is looked at."""

    reference: str
    """Template of the text that it is held against."""

    operation: Operation
    """With `like` and `ilike`, the input is to contain the reference; `ilike` ignores capitals."""

    def __post_init__(self) -> None:
        one_of(self.operation, get_args(Operation), "operation")
        list(variables([self.input, self.reference]))

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Fill in both templates and compare.

        Raises:
            GraderError: A variable has no value in this row.
        """
        case = Case(sample, item)
        try:
            text, reference = render(self.input, case), render(self.reference, case)
        except GraderError as error:
            return failing(error)
        match self.operation:
            case "eq":
                passed, fault = text == reference, "is not"
            case "ne":
                passed, fault = text != reference, "is"
            case "like":
                passed, fault = reference in text, "does not contain"
            case "ilike":
                passed, fault = reference.casefold() in text.casefold(), "does not contain"
        reason = "" if passed else f"{text[:60]!r} {fault} {reference[:60]!r}"
        return Grade(float(passed), passed=passed, reason=reason)

    @classmethod
    def from_dict(cls, given: Mapping[str, object]) -> StringCheck:
        """Read the published form.

        Raises:
            ValueError: A field is missing, unknown or of the wrong type.
        """
        shape = Shape(given, cls.type, fields=("name", "input", "reference", "operation"))
        return cls(
            name=shape.text("name"),
            input=shape.text("input"),
            reference=shape.text("reference"),
            operation=cast("Operation", shape.text("operation")),  # checked as it is made
        )

    def to_dict(self) -> dict[str, object]:
        """Write the published form."""
        return {
            "type": self.type,
            "name": self.name,
            "input": self.input,
            "reference": self.reference,
            "operation": self.operation,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSimilarity:
    """Published grader `text_similarity`: how alike two texts are, from 0 to 1.

    The metrics come from the libraries of the extra `[graders]`; the page "Graders" says what each measures.
    `cosine` asks an embedding model of the service, and can be written and sent but not worked out here.

    Raises:
        ValueError: There is no such metric, or a template cannot be read.
    """

    type: ClassVar[str] = "text_similarity"

    name: str
    input: str
    """Template of the text that is looked at."""

    reference: str
    """Template of the text that it is held against."""

    evaluation_metric: SimilarityMetric

    def __post_init__(self) -> None:
        one_of(self.evaluation_metric, get_args(SimilarityMetric), "evaluation metric")
        list(variables([self.input, self.reference]))

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Fill in both templates and measure.

        Raises:
            GraderError: A variable has no value in this row, or the metric cannot be worked out here.
            MissingExtraError: The extra `[graders]` is not installed.
        """
        if self.evaluation_metric == "cosine":
            raise GraderError(
                "cosine compares embeddings of the service and cannot be worked out here; use"
                " fuzzy_match or rouge_l for local runs",
                code="unavailable",
            )
        case = Case(sample, item)
        try:
            text, reference = render(self.input, case), render(self.reference, case)
        except GraderError as error:
            return failing(error)
        return Grade(similarity(text, reference, self.evaluation_metric), passed=None)

    @classmethod
    def from_dict(cls, given: Mapping[str, object]) -> TextSimilarity:
        """Read the published form.

        Raises:
            ValueError: A field is missing, unknown or of the wrong type.
        """
        shape = Shape(given, cls.type, fields=("name", "input", "reference", "evaluation_metric"))
        return cls(
            name=shape.text("name"),
            input=shape.text("input"),
            reference=shape.text("reference"),
            # Checked as it is made.
            evaluation_metric=cast("SimilarityMetric", shape.text("evaluation_metric")),
        )

    def to_dict(self) -> dict[str, object]:
        """Write the published form."""
        return {
            "type": self.type,
            "name": self.name,
            "input": self.input,
            "reference": self.reference,
            "evaluation_metric": self.evaluation_metric,
        }
