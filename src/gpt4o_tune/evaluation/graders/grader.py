"""What a grader sees, what it gives, and what makes an object a grader.

A grader is any object with a `name` and a `grade(sample, item)`, the shape and the words of the
provider's published graders: the sample is what the model wrote, the item is the row it was asked about.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol, cast, runtime_checkable

from gpt4o_tune.errors import DatasetError
from gpt4o_tune.evaluation.prompts import split_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.errors import GraderError
    from gpt4o_tune.evaluation.graders.means import Means, Need

__all__ = ["AssistedGrader", "Case", "Grade", "Grader", "Item", "Sample"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a model wrote, under the names that templates use.

    Example:
        >>> Sample('{"status": "shipped"}').output_json
        {'status': 'shipped'}
    """

    output_text: str
    output_tools: Sequence[Mapping[str, object]] = ()
    """Tool calls in the form of the chat endpoint."""

    choices: Sequence[Mapping[str, object]] = ()
    """The choices of the whole response; where none are given, templates see one made of text and calls."""

    @property
    def output_json(self) -> object:
        """The text parsed as JSON; None where it is no JSON."""
        try:
            return parse_json(self.output_text)
        except ValueError:
            return None

    @classmethod
    def from_message(cls, message: Mapping[str, object]) -> Sample:
        """Read an assistant's message as the chat endpoint gives it."""
        content, calls = message.get("content"), message.get("tool_calls")
        tools = cast("list[Mapping[str, object]]", calls) if isinstance(calls, list) else []
        return cls(content if isinstance(content, str) else "", tuple(tools))

    def to_dict(self) -> dict[str, object]:
        """Give what templates and python graders see; `output_json` only where the text is JSON."""
        message = {"role": "assistant", "content": self.output_text or None}
        tools = [dict(call) for call in self.output_tools]
        seen: dict[str, object] = {
            "output_text": self.output_text,
            "output_tools": tools,
            "choices": [dict(choice) for choice in self.choices]
            or [{"index": 0, "message": message | ({"tool_calls": tools} if tools else {})}],
        }
        try:
            seen["output_json"] = parse_json(self.output_text)
        except ValueError:
            return seen
        return seen


@dataclass(frozen=True, slots=True)
class Item:
    """The row that a model was asked about."""

    reference: str
    """The reference answer: the text of the row's last assistant message, empty where it has none."""

    row: Mapping[str, object]
    """The whole row, further fields included."""

    @classmethod
    def from_row(cls, row: Mapping[str, object]) -> Item:
        """Take the reference answer from a row that has one; a row for reinforcement has none."""
        try:
            return cls(split_row(row).reference, row)
        except DatasetError:
            return cls("", row)

    def to_dict(self) -> dict[str, object]:
        """Give what templates and python graders see: the row, and `reference` beside it."""
        return ({"reference": self.reference} if self.reference else {}) | dict(self.row)


class Case(NamedTuple):
    """One answer to judge."""

    sample: Sample
    item: Item


@dataclass(frozen=True, slots=True)
class Grade:
    """The judgement of one answer.

    Raises:
        ValueError: The score is not a finite number.
    """

    score: float
    """From 0, worthless, to 1, perfect, unless the grader was given another range."""

    passed: bool | None
    """Whether the answer is right; None from a grader that knows only degrees."""

    reason: str = ""
    """Short text for people, empty where there is nothing to say."""

    parts: Mapping[str, float] = field(default_factory=dict[str, float], hash=False)
    """The scores that a multi grader joined, by the names of its formula."""

    fault: str = ""
    """In a comparison, the code of the error where no judgement came about; the score then counts as 0."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.score):
            raise ValueError(f"a score is a finite number, got {self.score!r}")


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


@runtime_checkable
class AssistedGrader(Protocol):
    """Judges with means that it is lent: a model to ask, or leave to run a program.

    `grade_all` runs such a grader over many answers; `equip` makes it a `Grader`.
    """

    @property
    def name(self) -> str:
        """Short name for tables."""
        ...

    @property
    def needs(self) -> Sequence[Need]:
        """What it has to be lent: `model`, `python`, both, or nothing."""
        ...

    async def grade_each(self, cases: Sequence[Case], means: Means) -> list[Grade | GraderError]:
        """Judge every case; where no judgement came about, give the error in its place."""
        ...


def parse_json(text: str) -> object:
    """Parse strict JSON.

    Raises:
        ValueError: The text is not JSON, or nested too deeply to read.
    """

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a JSON value")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
