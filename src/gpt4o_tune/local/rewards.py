"""What rewards the answers of a reinforcement job: the grader of the create request, made to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.data import validate_grader
from gpt4o_tune.local.engines import UngradableError
from gpt4o_tune.local.grading import (
    GradeRequest,
    UnofferedGraderError,
    grader_runner,
    require_offered,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.local.engines import Grading
    from gpt4o_tune.local.grading import GraderRunner


class UnsupportedGraderError(ValueError):
    """The grader cannot reward here, or is not sound."""


def make_grading(grader: Mapping[str, object], *, has_json: bool) -> Grading:
    """Make a grader reward answers.

    Args:
        grader: As the API takes it.
        has_json: The job asks for JSON, so that the grader may read `{{sample.output_json}}`.

    Raises:
        UnsupportedGraderError: The grader is not sound, or cannot run here.
    """
    problems = validate_grader(grader, response_format={} if has_json else None)
    for problem in problems:
        if problem.severity == "error":
            raise UnsupportedGraderError(f"{problem.path}: {problem.message} {problem.fix}")
    try:
        require_offered(grader)
    except UnofferedGraderError as error:
        raise UnsupportedGraderError(str(error)) from None
    return _Rewards(grader=grader, runner=grader_runner())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rewards:
    """Rewards by running a grader."""

    grader: Mapping[str, object]
    runner: GraderRunner

    @property
    def name(self) -> str:
        """The name that the grader gives itself."""
        return str(self.grader.get("name"))

    def reward(self, answer: str, row: Mapping[str, object]) -> float:
        """Run the grader.

        Raises:
            UngradableError: It reported an error, such as a field that the answer does not have.
        """
        grade = self.runner(GradeRequest(grader=self.grader, sample=answer, item=row))
        if grade.errors:
            raise UngradableError(", ".join(sorted(grade.errors)))
        return grade.reward
