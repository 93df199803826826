"""Published graders that ask a model: `score_model` and `label_model`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from gpt4o_tune.errors import GraderError
from gpt4o_tune.evaluation.graders._running import Assisted
from gpt4o_tune.evaluation.graders._shape import Shape, is_mapping, is_sequence, one_of
from gpt4o_tune.evaluation.graders.asking import ModelRequest
from gpt4o_tune.evaluation.graders.grader import Grade
from gpt4o_tune.evaluation.graders.templates import ABSENT, failing, render_all, variables

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gpt4o_tune.evaluation.graders.grader import Case
    from gpt4o_tune.evaluation.graders.means import Means, Need

__all__ = ["LabelModel", "ScoreModel", "grade_by_asking", "judgement"]

_ROLES = ("user", "assistant", "system", "developer")
_SETTINGS = {
    "max_completions_tokens": "max_completion_tokens",
    "reasoning_effort": "reasoning_effort",
    "seed": "seed",
    "temperature": "temperature",
    "top_p": "top_p",
}
"""What the published sampling parameters are called by the chat endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreModel(Assisted):
    """Published grader `score_model`: a model gives a number within a range.

    Raises:
        ValueError: The range or a message is malformed, or a template cannot be read.
    """

    type: ClassVar[str] = "score_model"

    name: str
    model: str
    input: Sequence[Mapping[str, object]]
    """Messages with templates, each with a `role` and a `content`."""

    range: tuple[float, float] | None = None
    """Lowest and highest score; None stands for 0 to 1."""

    sampling_params: Mapping[str, object] | None = None
    """Settings of the call, such as `temperature` and `max_completions_tokens`."""

    def __post_init__(self) -> None:
        _require_messages(self.input)
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"range goes from a lower to a higher number, got {self.range!r}")
        for key in self.sampling_params or ():
            one_of(key, _SETTINGS, "sampling parameter")

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it has to be lent."""
        return ("model",)

    async def grade_each(self, cases: Sequence[Case], means: Means) -> list[Grade | GraderError]:
        """Ask the model about every case, several at the same time."""
        return await grade_by_asking(self._grade, cases, means)

    async def _grade(self, case: Case, means: Means) -> Grade:
        low, high = self.range or (0, 1)
        fields = {
            "reason": {"type": "string", "description": "Why, in a sentence or two."},
            "score": {"type": "number", "description": f"From {low:g}, worst, to {high:g}, best."},
        }
        request = ModelRequest(
            model=self.model,
            messages=_chat_messages(self.input, case),
            schema=_closed(fields),
            settings={
                _SETTINGS[key]: value
                for key, value in (self.sampling_params or {}).items()
                if value is not None
            },
        )
        answer = judgement(await means.ask(request), self.model)
        score = answer.get("score")
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise GraderError(
                f"{self.model!r} gave no number as 'score': {answer!r}", code="model_unreadable"
            )
        if not low <= score <= high:
            raise GraderError(
                f"{self.model!r} gave {score:g}, outside {low:g} to {high:g}; say in the prompt which"
                " numbers there are",
                code="model_unreadable",
            )
        return Grade(float(score), passed=None, reason=str(answer.get("reason", "")))

    @classmethod
    def from_dict(cls, given: Mapping[str, object]) -> ScoreModel:
        """Read the published form.

        Raises:
            ValueError: A field is missing, unknown or of the wrong type.
        """
        fields = ("name", "model", "input", "range", "sampling_params")
        shape = Shape(given, cls.type, fields=fields)
        return cls(
            name=shape.text("name"),
            model=shape.text("model"),
            input=shape.mappings("input"),
            range=_range(shape.maybe_value("range")),
            sampling_params=shape.maybe_mapping("sampling_params"),
        )

    def to_dict(self) -> dict[str, object]:
        """Write the published form."""
        form: dict[str, object] = {
            "type": self.type,
            "name": self.name,
            "model": self.model,
            "input": [dict(message) for message in self.input],
        }
        if self.range is not None:
            form["range"] = list(self.range)
        if self.sampling_params is not None:
            form["sampling_params"] = dict(self.sampling_params)
        return form


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelModel(Assisted):
    """Published grader `label_model`: a model picks one label; some of the labels pass.

    Raises:
        ValueError: Passing labels are none of the labels, or a message or template is malformed.
    """

    type: ClassVar[str] = "label_model"

    name: str
    model: str
    input: Sequence[Mapping[str, object]]
    """Messages with templates, each with a `role` and a `content`."""

    labels: Sequence[str]
    passing_labels: Sequence[str]
    """Those that score 1; the others score 0."""

    def __post_init__(self) -> None:
        _require_messages(self.input)
        if not self.labels or not self.passing_labels:
            raise ValueError("labels and passing_labels must both name at least one label")
        for label in self.passing_labels:
            one_of(label, self.labels, "label")

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it has to be lent."""
        return ("model",)

    async def grade_each(self, cases: Sequence[Case], means: Means) -> list[Grade | GraderError]:
        """Ask the model about every case, several at the same time."""
        return await grade_by_asking(self._grade, cases, means)

    async def _grade(self, case: Case, means: Means) -> Grade:
        fields = {
            "reason": {"type": "string", "description": "Why, in a sentence or two."},
            "label": {"type": "string", "enum": list(self.labels)},
        }
        request = ModelRequest(
            model=self.model, messages=_chat_messages(self.input, case), schema=_closed(fields)
        )
        answer = judgement(await means.ask(request), self.model)
        label = answer.get("label")
        if label not in self.labels:
            raise GraderError(
                f"{self.model!r} gave the label {label!r}, which is none of"
                f" {', '.join(map(repr, self.labels))}",
                code="model_unreadable",
            )
        passed = label in self.passing_labels
        reason = ": ".join(filter(None, [str(label), str(answer.get("reason", ""))]))
        return Grade(float(passed), passed=passed, reason=reason)

    @classmethod
    def from_dict(cls, given: Mapping[str, object]) -> LabelModel:
        """Read the published form.

        Raises:
            ValueError: A field is missing, unknown or of the wrong type.
        """
        fields = ("name", "model", "input", "labels", "passing_labels")
        shape = Shape(given, cls.type, fields=fields)
        return cls(
            name=shape.text("name"),
            model=shape.text("model"),
            input=shape.mappings("input"),
            labels=shape.texts("labels"),
            passing_labels=shape.texts("passing_labels"),
        )

    def to_dict(self) -> dict[str, object]:
        """Write the published form."""
        return {
            "type": self.type,
            "name": self.name,
            "model": self.model,
            "input": [dict(message) for message in self.input],
            "labels": list(self.labels),
            "passing_labels": list(self.passing_labels),
        }


async def grade_by_asking(
    judge: Callable[[Case, Means], Awaitable[Grade]], cases: Sequence[Case], means: Means
) -> list[Grade | GraderError]:
    """Judge every case, and keep the error of each that cannot be judged in its place."""

    async def one(case: Case) -> Grade | GraderError:
        try:
            return await judge(case, means)
        except GraderError as error:
            return failing(error) if error.code == ABSENT else error

    return await means.each(one, cases)


def judgement(answer: str, model: str) -> Mapping[str, object]:
    """Read what a model answered to a request for JSON.

    Raises:
        GraderError: It is no JSON object.
    """
    try:
        value: object = json.loads(answer)
    except (ValueError, RecursionError):
        value = None
    if is_mapping(value):
        return value
    raise GraderError(
        f"{model!r} was asked for JSON and wrote {answer[:120]!r}; take a model that supports"
        " structured outputs, or ask for JSON in the prompt",
        code="model_unreadable",
    )


def _require_messages(messages: Sequence[Mapping[str, object]]) -> None:
    if not messages:
        raise ValueError("input must hold at least one message")
    for message in messages:
        if "content" not in message or message.get("role") not in _ROLES:
            raise ValueError(
                f"a message of input has a content and one of the roles {', '.join(_ROLES)}, got"
                f" {dict(message)!r}"
            )
    list(variables(messages))


def _range(value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    numbers = list(value) if is_sequence(value) else []
    if len(numbers) != 2 or not all(type(number) in (int, float) for number in numbers):
        raise ValueError(f"range must be two numbers such as [0, 1], got {value!r}")
    low, high = cast("list[float]", numbers)
    return low, high


def _closed(fields: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def _chat_messages(
    messages: Sequence[Mapping[str, object]], case: Case
) -> tuple[dict[str, object], ...]:
    """Fill in the templates and write the messages as the chat endpoint takes them."""
    return tuple(
        {"role": message["role"], "content": _chat_content(render_all(message["content"], case))}
        for message in messages
    )


def _chat_content(content: object) -> object:
    if isinstance(content, str):
        return content
    parts = list(content) if is_sequence(content) else [content]
    return [_chat_part(part) for part in parts]


def _chat_part(part: object) -> object:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if not is_mapping(part):
        return part
    match part.get("type"):
        case "input_text" | "output_text":
            return {"type": "text", "text": part.get("text", "")}
        case "input_image":
            detail = {"detail": part["detail"]} if "detail" in part else {}
            return {"type": "image_url", "image_url": {"url": part.get("image_url", ""), **detail}}
        case _:
            return dict(part)
