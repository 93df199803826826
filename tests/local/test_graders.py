"""Graders: validated by the library's own check, and run on one sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest
from openai.types.fine_tuning.alpha import GraderRunResponse, GraderValidateResponse

from gpt4o_tune import LocalServer
from tests.local.conftest import desk_at

if TYPE_CHECKING:
    from tests.local.conftest import Desk

PYTHON = {"type": "python", "name": "code", "source": "def grade(sample, item):\n    return 1.0\n"}


def check(**fields: object) -> dict[str, object]:
    """A string check of the answer against the row's label."""
    return {
        "type": "string_check",
        "name": "label",
        "input": "{{sample.output_text}}",
        "reference": "{{item.label}}",
        "operation": "eq",
        **fields,
    }


def test_a_sound_grader_comes_back(desk: Desk) -> None:
    """What is valid is echoed; what is not is refused with the place and the reason."""
    graders = desk.client.fine_tuning.alpha.graders
    answer = graders.with_raw_response.validate(grader=check())
    valid = GraderValidateResponse.model_validate_json(answer.text, strict=True)
    assert valid.grader
    assert valid.grader.to_dict() == check()
    assert graders.validate(grader=PYTHON).grader
    for wrong, place in [
        (check(operation="neq"), "grader.operation"),
        ({"type": "knitting"}, "grader.type"),
        ({}, "grader"),
    ]:
        with pytest.raises(openai.BadRequestError) as caught:
            graders.validate(grader=wrong)
        assert caught.value.code == "invalid_grader"
        assert caught.value.param.startswith(place)


@pytest.mark.parametrize(
    ("fields", "sample", "reward"),
    [
        ({}, "refund", 1.0),
        ({}, "Refund", 0.0),
        ({"operation": "ne"}, "parcel", 1.0),
        ({"operation": "like"}, "a refund, please", 1.0),
        ({"operation": "like"}, "a REFUND, please", 0.0),
        ({"operation": "ilike"}, "a REFUND, please", 1.0),
        ({"input": "{{ sample.output_json.kinds[1] }}"}, '{"kinds": ["x", "refund"]}', 1.0),
        ({"input": "{{item.number}}", "reference": "3"}, "", 1.0),
        ({"input": "[{{item.label}}]", "reference": "[refund]"}, "", 1.0),
    ],
)
def test_a_string_check_is_run(
    desk: Desk, fields: dict[str, object], sample: str, reward: float
) -> None:
    """Templates are filled from the sample and the row, and the operation decides."""
    answer = desk.client.fine_tuning.alpha.graders.with_raw_response.run(
        grader=check(**fields), model_sample=sample, item={"label": "refund", "number": 3}
    )
    graded = GraderRunResponse.model_validate_json(answer.text, strict=True)
    assert graded.reward == reward
    assert (graded.metadata.name, graded.metadata.type) == ("label", "string_check")
    assert not any(graded.metadata.errors.model_dump(exclude_none=True).values())


def test_a_template_without_a_value_is_an_error_of_the_grade(desk: Desk) -> None:
    """The reward is 0 and the flag of the API is set."""
    run = desk.client.fine_tuning.alpha.graders.run
    for grader in (check(), check(input="{{sample.output_json.label}}")):
        graded = run(grader=grader, model_sample="no json", item={"other": "x"})
        assert graded.reward == 0
        assert graded.metadata.errors.invalid_variable_error


def test_python_is_run_only_where_it_is_allowed(desk: Desk) -> None:
    """The refusal names the setting, also for a python grader inside another."""
    nested = {
        "type": "multi",
        "name": "both",
        "graders": {"a": check(), "b": PYTHON},
        "calculate_output": "a + b",
    }
    run = desk.client.fine_tuning.alpha.graders.run
    for grader in (PYTHON, nested):
        with pytest.raises(openai.BadRequestError, match="allow_python_graders"):
            run(grader=grader, model_sample="x", item={"label": "x"})
    with (
        LocalServer(allow_python_graders=True) as server,
        desk_at(server.base_url, server.api_key).client as client,
    ):
        run = client.fine_tuning.alpha.graders.run
        assert run(grader=PYTHON, model_sample="x", item={}).reward == 1.0
        both = run(grader=nested, model_sample="x", item={"label": "y"})
        assert (both.reward, both.sub_rewards) == (1.0, {"a": 0.0, "b": 1.0})
        broken = {**PYTHON, "source": "def grade(sample, item):\n    return 1 / 0\n"}
        graded = run(grader=broken, model_sample="x", item={})
    assert graded.reward == 0
    assert graded.metadata.errors.python_grader_runtime_error


def test_a_grader_that_asks_a_model_is_refused(desk: Desk) -> None:
    """No model here could judge; the refusal says what is run instead."""
    judge = {
        "type": "score_model",
        "name": "judge",
        "model": "gpt-4o",
        "input": [{"role": "user", "content": "{{sample.output_text}}"}],
    }
    with pytest.raises(openai.BadRequestError, match="string_check, text_similarity") as caught:
        desk.client.fine_tuning.alpha.graders.run(grader=judge, model_sample="x", item={})
    assert caught.value.code == "unsupported_grader"
