"""The step `validating_files`: the very checks that the library runs before an upload."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from gpt4o_tune.catalog import load
from gpt4o_tune.data import Dataset
from gpt4o_tune.errors import DatasetError
from gpt4o_tune.local.screening import screen
from gpt4o_tune.local.store.records import JobFault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Literal

    from gpt4o_tune.catalog import Method
    from gpt4o_tune.data import Problem
    from gpt4o_tune.local.store import Store
    from gpt4o_tune.local.store.records import JobRecord

    FileParam = Literal["training_file", "validation_file"]

_SHOWN = 3
_TOO_FEW = "too-few-examples"
"""The check for the number of examples; it holds for training files only."""
_EMPTY = "empty-file"
_NOT_REFUSED = "secret"
"""The check that a launch stops at, yet no service does."""
_NEEDS_FORMAT = "grader-needs-response-format"
_WRONG_FORMAT = "method-mismatch"
_METHODS: Mapping[str, Method] = {
    "chat": "supervised",
    "preference": "dpo",
    "reinforcement": "reinforcement",
}
"""The method that takes rows of a format."""


def validate_job(store: Store, job: JobRecord, *, is_screened: bool = False) -> None:
    """Check a job's files, then queue the job or fail it.

    Args:
        store: Where the job is kept.
        job: A job to validate.
        is_screened: Fail it also where the moderation stand-in flags rows of the training file.
    """
    with store.jobs.editing(job.id) as edit:
        message = f"Validating training file: {job.training_file}"
        if job.validation_file:
            message += f" and validation file: {job.validation_file}"
        edit.event("validating", message)
    folder = store.job_dir(job.id)
    fault = find_fault(folder, job)
    if fault is None and is_screened:
        fault = screen(folder / "training.jsonl")
    with store.jobs.editing(job.id) as edit:
        if edit.job.status != "validating_files":
            return
        if fault is None:
            edit.change(status="queued")
            edit.event("queued", "Files validated, moving job to queued state")
        else:
            edit.finish("failed", fault=fault)
            edit.event("failed", fault.message, level="error")


def find_fault(folder: Path, job: JobRecord) -> JobFault | None:
    """Find out why the job's files cannot be trained on, None where they can."""
    fault = _start_fault(job) or _training_fault(folder / "training.jsonl", job)
    if fault is None and job.validation_file is not None:
        path = folder / "validation.jsonl"
        problems = _problems(path, job)
        others = [problem for problem in problems if problem.code != _TOO_FEW]
        fault = _mismatch(path, job, others, "validation_file") or _describe(
            others, "validation_file"
        )
    return fault


def _start_fault(job: JobRecord) -> JobFault | None:
    if job.method != "reinforcement" or job.model != job.base_model:
        return None
    return JobFault(
        code="untrained_model",
        message=(
            f"The stand-in of {job.model} has learnt nothing yet, so none of its answers could earn a "
            "reward. Train it by method 'supervised' first, then give the new model's ft: id as 'model'."
        ),
        param="model",
    )


def _training_fault(path: Path, job: JobRecord) -> JobFault | None:
    problems = _problems(path, job)
    if any(problem.code in (_TOO_FEW, _EMPTY) for problem in problems):
        least = load().limits("local").min_examples
        count = len(Dataset.from_jsonl(path))
        return JobFault(
            code="invalid_n_examples",
            message=f"Training file has {count} example(s), but must have at least {least} examples",
            param="training_file",
        )
    return _mismatch(path, job, problems, "training_file") or _describe(problems, "training_file")


def _mismatch(
    path: Path, job: JobRecord, problems: list[Problem], param: FileParam
) -> JobFault | None:
    """Say in OpenAI's words, seen for chat rows and `dpo`, that the rows belong to another method."""
    if all(problem.code != _WRONG_FORMAT for problem in problems):
        return None
    found = Dataset.from_jsonl(path).format
    file_id = job.training_file if param == "training_file" else job.validation_file
    return JobFault(
        code=f"invalid_{param}",
        message=(
            f"Input file {file_id} is in the fine-tune-{found} format, but the specified fine-tuning job "
            f"is not using {_METHODS[found]!r} as the training method (provided method={job.method})."
        ),
        param=param,
    )


def _problems(path: Path, job: JobRecord) -> list[Problem]:
    try:
        dataset = Dataset.from_jsonl(path)
        report = dataset.check(
            model=job.base_model, provider="openai", method=job.method, grader=job.grader
        )
    except DatasetError as error:
        return cast("list[Problem]", [*error.problems])
    met = () if job.response_format is None else (_NEEDS_FORMAT,)
    return [*report.without(_NOT_REFUSED, *met).errors]


def _describe(problems: list[Problem], param: FileParam) -> JobFault | None:
    if not problems:
        return None
    kind = param.replace("_", " ")
    shown = " ".join(f"{_place(problem)}: {problem.message}" for problem in problems[:_SHOWN])
    rest = len(problems) - _SHOWN
    more = f" And {rest} more." if rest > 0 else ""
    return JobFault(
        code=f"invalid_{param}",
        message=f"The job failed due to an invalid {kind}. Invalid file format. {shown}{more}",
        param=param,
    )


def _place(problem: Problem) -> str:
    line = f"Line {problem.line}" if problem.line else "Whole file"
    return f"{line}, {problem.path}" if problem.path else line
