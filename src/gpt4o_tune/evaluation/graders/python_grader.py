"""Published grader `python`: a `grade` function in a process of its own, and only where it was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from gpt4o_tune.errors import GraderError
from gpt4o_tune.evaluation.graders._running import Assisted
from gpt4o_tune.evaluation.graders._sandbox import ScriptResult, run_script
from gpt4o_tune.evaluation.graders._shape import Shape
from gpt4o_tune.evaluation.graders.grader import Grade

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.evaluation.graders.grader import Case
    from gpt4o_tune.evaluation.graders.means import Means, Need

__all__ = ["MAX_SOURCE_BYTES", "PythonGrader"]

MAX_SOURCE_BYTES = 256_000
"""The source must be smaller; published limit of the service, 256 kB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonGrader(Assisted):
    """Published grader `python`: source that defines `grade(sample, item)` and returns a number.

    `sample` and `item` are dictionaries with the names that templates use. The source is a program, so it
    runs only with `allow_python=True`, in a process of its own with limits; the page "Graders" says what is
    enforced where. One process grades all the answers of a run, one after the other.

    Raises:
        ValueError: The source is too long or is not Python.
    """

    type: ClassVar[str] = "python"

    name: str
    source: str
    image_tag: str | None = None
    """The service's image to run in; plays no part in local runs."""

    def __post_init__(self) -> None:
        size = len(self.source.encode())
        if size >= MAX_SOURCE_BYTES:
            raise ValueError(
                f"the source takes {size:,} bytes; it must stay below {MAX_SOURCE_BYTES:,}"
            )
        try:
            compile(self.source, "grader.py", "exec")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
            raise ValueError(f"the source of {self.name!r} is not Python: {fault}") from fault

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it has to be lent."""
        return ("python",)

    async def grade_each(self, cases: Sequence[Case], means: Means) -> list[Grade | GraderError]:
        """Run the source over every case, in one process."""
        limits = means.limits()
        seen = [(sample.to_dict(), item.to_dict()) for sample, item in cases]
        run = await means.apart(lambda: run_script(self.source, seen, limits=limits))
        return [_grade(self.name, result) for result in run.results]

    @classmethod
    def from_dict(cls, given: Mapping[str, object]) -> PythonGrader:
        """Read the published form.

        Raises:
            ValueError: A field is missing, unknown or of the wrong type.
        """
        shape = Shape(given, cls.type, fields=("name", "source", "image_tag"))
        return cls(
            name=shape.text("name"),
            source=shape.text("source"),
            image_tag=shape.maybe_text("image_tag"),
        )

    def to_dict(self) -> dict[str, object]:
        """Write the published form."""
        tag = {} if self.image_tag is None else {"image_tag": self.image_tag}
        return {"type": self.type, "name": self.name, "source": self.source, **tag}


def _grade(name: str, result: ScriptResult) -> Grade | GraderError:
    if result.value is not None:
        return Grade(result.value, passed=None, reason=result.printed.strip())
    printed = f"\nprinted: {result.printed}" if result.printed else ""
    return GraderError(f"{name!r} gave no grade: {result.fault}{printed}", code="python_failed")
