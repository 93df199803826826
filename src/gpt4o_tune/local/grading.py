"""Running a grader: by the very graders of `gpt4o_tune.evaluation`, as far as they need nobody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from gpt4o_tune.data.grader import leaves, templates, value_at
from gpt4o_tune.errors import GraderError, MissingExtraError

__all__ = ["Grade", "GradeRequest", "GraderRunner", "UnofferedGraderError", "grader_runner"]

_FLAGS: Mapping[str, str] = {
    "invalid_variable": "invalid_variable_error",
    "formula_failed": "other_error",
    "python_failed": "python_grader_runtime_error",
}
"""The API's error flag for what keeps a grader from judging."""


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
    """The server runs no such grader; the text says why, and what to do."""


def grader_runner(*, allow_python: bool = False) -> GraderRunner:
    """Return what runs graders that ask no model.

    Args:
        allow_python: Run graders of the type `python`, in a process of their own with limits.
    """
    return partial(_run, allow_python=allow_python)


def require_offered(grader: Mapping[str, object], *, allow_python: bool = False) -> None:
    """Raise for a grader that cannot run here, or a part of a `multi` that cannot.

    Raises:
        UnofferedGraderError: It asks a model, or is a program and these are not allowed.
    """
    offered = {"string_check", "text_similarity", *(["python"] if allow_python else [])}
    for _, leaf in leaves(grader):
        kind = leaf.get("type")
        if kind == "python" and not allow_python:
            raise UnofferedGraderError(
                "This local server does not run graders of the type 'python': they would run code on "
                "its machine. Start it with allow_python_graders if that is what you want."
            )
        if kind not in offered:
            raise UnofferedGraderError(
                f"This local server runs graders that ask no model ({', '.join(sorted(offered))}, and "
                f"multi over these), not {kind!r}."
            )


def _run(request: GradeRequest, *, allow_python: bool) -> Grade:
    # Graders are imported with all of evaluation, and few servers are asked for one.
    from gpt4o_tune.evaluation.graders import AssistedGrader, Item, Sample, equip, parse_grader

    require_offered(request.grader, allow_python=allow_python)
    sample = Sample(request.sample)
    namespace: dict[str, object] = {"item": request.item, "sample": sample.to_dict()}
    if any(
        template.source and not value_at(namespace, (template.source, *template.steps))[0]
        for template in templates(request.grader)
    ):
        return Grade(reward=0.0, errors=frozenset({"invalid_variable_error"}))
    try:
        parsed = parse_grader(request.grader)
        grader = (
            equip(parsed, allow_python=allow_python)
            if isinstance(parsed, AssistedGrader)
            else parsed
        )
        grade = grader.grade(sample, Item(reference="", row=request.item))
    except MissingExtraError as missing:
        raise UnofferedGraderError(str(missing)) from missing
    except GraderError as error:
        return Grade(reward=0.0, errors=frozenset({_FLAGS.get(error.code, "other_error")}))
    return Grade(reward=grade.score, sub_rewards=grade.parts)
