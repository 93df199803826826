"""`/v1/fine_tuning/alpha/graders`: validate a grader, and run it on one sample."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from gpt4o_tune.data import validate_grader
from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.grading import GradeRequest, UnofferedGraderError
from gpt4o_tune.local.routes.bodies import Body, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from gpt4o_tune.local.grading import Grade, GraderRunner

_ERROR_FLAGS = (
    "formula_parse_error",
    "invalid_variable_error",
    "model_grader_parse_error",
    "model_grader_refusal_error",
    "model_grader_server_error",
    "other_error",
    "python_grader_runtime_error",
    "python_grader_server_error",
    "sample_parse_error",
    "truncated_observation_error",
    "unresponsive_reward_error",
)
_ERROR_DETAILS = (
    "model_grader_server_error_details",
    "python_grader_runtime_error_details",
    "python_grader_server_error_type",
)
"""Always null here."""


class ValidateBody(Body):
    """A grader to look at."""

    grader: dict[str, object]


class RunBody(Body):
    """A grader, and what it is to grade."""

    grader: dict[str, object]
    model_sample: str
    item: dict[str, object] | None = None


class GraderRoutes:
    """Serves graders.

    Args:
        run: Grades one sample.
    """

    def __init__(self, run: GraderRunner) -> None:
        self._run = run

    def routes(self) -> list[Route]:
        """The resource's routes."""
        graders = "/fine_tuning/alpha/graders"
        return [
            Route(f"{graders}/validate", self._validate, methods=["POST"]),
            Route(f"{graders}/run", self._grade, methods=["POST"]),
        ]

    async def _validate(self, request: Request) -> JSONResponse:
        body = await read_json(request, ValidateBody)
        await run_in_threadpool(_require_sound, body.grader)
        return JSONResponse({"grader": body.grader})

    async def _grade(self, request: Request) -> JSONResponse:
        body = await read_json(request, RunBody)
        return await run_in_threadpool(self._answer, body)

    def _answer(self, body: RunBody) -> JSONResponse:
        grader = body.grader
        _require_sound(grader)
        began = time.perf_counter()
        try:
            grade = self._run(
                GradeRequest(grader=grader, sample=body.model_sample, item=body.item or {})
            )
        except UnofferedGraderError as error:
            raise ApiError(str(error), param="grader", code="unsupported_grader") from error
        seconds = time.perf_counter() - began
        return JSONResponse(_grade_object(grade, grader, seconds=seconds))


def _require_sound(grader: Mapping[str, object]) -> None:
    errors = [each for each in validate_grader(grader) if each.severity == "error"]
    if errors:
        first = errors[0]
        more = f" And {len(errors) - 1} more." if len(errors) > 1 else ""
        raise ApiError(f"{first.message}{more}", param=first.path, code="invalid_grader")


def _grade_object(
    grade: Grade, grader: Mapping[str, object], *, seconds: float
) -> dict[str, object]:
    name = str(grader.get("name", ""))
    return {
        "reward": grade.reward,
        "sub_rewards": {**grade.sub_rewards},
        "metadata": {
            "name": name,
            "type": grader.get("type"),
            "errors": {
                **{flag: flag in grade.errors for flag in _ERROR_FLAGS},
                **dict.fromkeys(_ERROR_DETAILS),
            },
            "execution_time": seconds,
            "scores": {**grade.sub_rewards} or {name: grade.reward},
            "sampled_model_name": None,
            "token_usage": None,
        },
        "model_grader_token_usage_per_model": {},
    }
