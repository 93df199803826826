"""The local server refuses a training file exactly where `Dataset.check` does, with its line numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import Dataset
from gpt4o_tune.errors import DatasetError
from gpt4o_tune.testing import FakeService
from tests.data.cases import CASES, Case, as_bytes, many

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "gpt-4o-2024-08-06"
ENOUGH = as_bytes(many())
CHAT_CASES = [case for case in CASES if case.format in (None, "chat")]
ONE_A_CODE = [*{case.code: case for case in reversed(CHAT_CASES)}.values()]
WHOLE_FILES = [case for case in CHAT_CASES if isinstance(case.fails, bytes)]
"""Their faults lie outside the rows, where the server reads for itself."""
CHOSEN = ONE_A_CODE + [case for case in WHOLE_FILES if case not in ONE_A_CODE]


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    """A client of a service that judges files and trains nothing."""
    with FakeService() as service:
        yield service.client()


def faulty_lines(path: Path) -> list[int | None] | None:
    """The lines with an error by the library's checks; None where it finds none."""
    try:
        report = Dataset.from_jsonl(path).check(model=MODEL, provider="openai", method="supervised")
    except DatasetError as error:
        return [problem.line for problem in error.problems]
    errors = report.without("secret").errors
    return [problem.line for problem in errors] if errors else None


def uploaded(client: openai.OpenAI, content: bytes) -> str | None:
    """Upload a file; None where the service refuses it at once for its first line."""
    try:
        return client.files.create(file=("rows.jsonl", content), purpose="fine-tune").id
    except openai.BadRequestError as error:
        if "JSONL" not in error.message:
            raise
        return None


@pytest.mark.parametrize("case", CHOSEN, ids=str)
def test_a_job_fails_where_the_check_finds_errors(
    client: openai.OpenAI, tmp_path: Path, case: Case
) -> None:
    """What a check looks for, with ten sound rows after it, is judged alike by both."""
    content = as_bytes(case.fails).rstrip(b"\n") + b"\n" + ENOUGH
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    expected = faulty_lines(path)
    file_id = uploaded(client, content)
    if file_id is None:
        assert expected is not None
        return
    created = client.fine_tuning.jobs.create(model=MODEL, training_file=file_id)
    job = client.fine_tuning.jobs.retrieve(created.id)
    if expected is None:
        assert job.status == "succeeded", job.error
        return
    assert job.status == "failed"
    assert job.error
    assert (job.error.code, job.error.param) == ("invalid_training_file", "training_file")
    assert job.error.message.startswith("The job failed due to an invalid training file.")
    told = [int(number) for number in re.findall(r"Line (\d+)", job.error.message)]
    assert told[: len(expected)] == [line for line in expected[:3] if line]
