"""Running any grader, whether it judges by itself or with means that it is lent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune._drive import run
from gpt4o_tune.errors import GraderError
from gpt4o_tune.evaluation.graders.grader import AssistedGrader, Case, Grade, Grader
from gpt4o_tune.evaluation.graders.means import Means

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpt4o_tune.evaluation.graders.grader import Item, Sample

__all__ = ["Assisted", "judge_each", "judge_one"]


class Assisted:
    """Lets a grader that judges with means stand where any grader can, as long as it takes none."""

    __slots__ = ()

    def grade(self: AssistedGrader, sample: Sample, item: Item) -> Grade:
        """Judge one answer where that needs neither a model nor a program.

        Raises:
            GraderError: It needs one: run it by `grade_all`, or make it whole by `equip`.
        """
        return judge_one(self, Case(sample, item), Means())


async def judge_each(
    grader: Grader | AssistedGrader, cases: Sequence[Case], means: Means
) -> list[Grade | GraderError]:
    """Judge every case; where no judgement came about, the error stands in its place.

    Raises:
        GraderError: The grader needs something that it is not lent.
    """
    if isinstance(grader, AssistedGrader):
        means.require(grader.needs, grader.name)
        return await grader.grade_each(cases, means)
    return [_attempt(grader, case) for case in cases]


def judge_one(grader: Grader | AssistedGrader, case: Case, means: Means) -> Grade:
    """Judge one case.

    Raises:
        GraderError: No judgement came about.
    """
    (outcome,) = run(judge_each(grader, [case], means))
    if isinstance(outcome, GraderError):
        raise outcome
    return outcome


def _attempt(grader: Grader, case: Case) -> Grade | GraderError:
    try:
        return grader.grade(*case)
    except GraderError as error:
        return error
    except ValueError as fault:
        return GraderError(f"{grader.name!r} cannot judge it: {fault}", code="grader_failed")
