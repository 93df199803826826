"""Jobs survive whatever happens to the processes that run them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import LocalServer
from tests.local.conftest import ROWS, Desk, desk_at, jsonl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.fine_tuning import FineTuningJob

STEPS = 90
EPOCHS = 30


@contextlib.contextmanager
def served(data_dir: Path) -> Iterator[tuple[Desk, subprocess.Popen[str]]]:
    """A server in a process of its own, as the command starts it; killed at the end."""
    command = [sys.executable, "-m", "gpt4o_tune.local", "--data-dir", str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        exports = {}
        for line in process.stdout:
            if line.strip().startswith("export "):
                name, _, value = line.strip().removeprefix("export ").partition("=")
                exports[name] = value
            if line.startswith("Ctrl-C"):
                break
        assert exports["OPENAI_BASE_URL"] == exports["GPT4O_TUNE_LOCAL_URL"]
        desk = desk_at(exports["OPENAI_BASE_URL"], exports["OPENAI_API_KEY"])
        with desk.client:
            try:
                yield desk, process
            finally:
                process.kill()


def trace(desk: Desk, job: FineTuningJob) -> dict[str, object]:
    """All that a job gives and that does not depend on ids and clocks."""
    assert job.status == "succeeded", job.error
    assert job.fine_tuned_model
    (results,) = job.result_files
    checkpoints = desk.client.fine_tuning.jobs.checkpoints.list(job.id).data
    questions = [row["messages"][0]["content"] for row in ROWS]
    return {
        "steps": desk.steps(job.id),
        "results": desk.client.files.content(results).content,
        "tokens": job.trained_tokens,
        "checkpoints": [each.metrics for each in checkpoints],
        "answers": [desk.answer(job.fine_tuned_model, question) for question in questions],
    }


def begin(desk: Desk) -> str:
    """A job long enough to be disturbed."""
    file = desk.upload(jsonl(ROWS))
    return desk.create(file.id, n_epochs=EPOCHS, validation_file=file.id).id


def reach(desk: Desk, job_id: str, step: int) -> None:
    """Watch a job until it has taken a step."""
    deadline = time.monotonic() + 30
    while len(desk.steps(job_id)) < step:
        assert time.monotonic() < deadline
        assert desk.client.fine_tuning.jobs.retrieve(job_id).status != "succeeded"


def worker_of(data_dir: Path, job_id: str) -> int:
    """The process that trains a job, by the lock it holds."""
    return int((data_dir / "jobs" / job_id / "lock").read_text())


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or waits only for its parent to notice."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


@pytest.fixture(scope="module")
def undisturbed(desk: Desk) -> dict[str, object]:
    """What the job gives where nothing happens."""
    return trace(desk, desk.finished(begin(desk)))


def test_kill_9_of_everything_changes_no_number(
    tmp_path: Path, undisturbed: dict[str, object]
) -> None:
    """Server and worker are killed in mid-training; the job ends as if they had not been."""
    with served(tmp_path) as (desk, process):
        job_id = begin(desk)
        reach(desk, job_id, 25)
        process.kill()
        os.kill(worker_of(tmp_path, job_id), signal.SIGKILL)
    with served(tmp_path) as (desk, _):
        before = len(desk.steps(job_id))
        assert 25 <= before < STEPS
        assert trace(desk, desk.finished(job_id)) == undisturbed
        events = [*desk.client.fine_tuning.jobs.list_events(job_id)]
        assert len({event.message for event in events}) == len(events) == STEPS + 7
        assert [event.data["step"] for event in events if event.type == "metrics"] == [
            *range(STEPS, 0, -1)
        ]


def test_a_worker_without_its_server_ends(tmp_path: Path) -> None:
    """Nothing trains on behind a server that is gone."""
    with served(tmp_path) as (desk, process):
        job_id = begin(desk)
        reach(desk, job_id, 5)
        with open(os.pidfd_open(worker_of(tmp_path, job_id))) as worker:
            process.kill()
            # A process handle becomes readable when its process ends.
            assert select.select([worker], [], [], 10)[0] == [worker]


def test_a_server_that_stops_leaves_its_jobs_to_the_next(
    tmp_path: Path, undisturbed: dict[str, object]
) -> None:
    """A job goes on where it stood, also through an orderly stop and a queue."""
    with LocalServer(tmp_path) as server, desk_at(server.base_url, server.api_key).client as client:
        desk = Desk(client)
        first = begin(desk)
        second = desk.create(desk.upload(jsonl(ROWS)).id, n_epochs=1).id
        reach(desk, first, 25)
    assert has_ended(worker_of(tmp_path, first))
    with LocalServer(tmp_path) as server, desk_at(server.base_url, server.api_key).client as client:
        desk = Desk(client)
        assert trace(desk, desk.finished(first)) == undisturbed
        assert desk.finished(second).status == "succeeded"


def test_a_worker_that_dies_is_replaced(undisturbed: dict[str, object]) -> None:
    """One kill changes nothing; after the fourth the job fails and says where to look."""
    with LocalServer() as server, desk_at(server.base_url, server.api_key).client as client:
        desk = Desk(client)
        job_id = begin(desk)
        reach(desk, job_id, 30)
        os.kill(worker_of(server.data_dir, job_id), signal.SIGKILL)
        assert trace(desk, desk.finished(job_id)) == undisturbed

        doomed, killed = begin(desk), set[int]()
        desk.until(doomed, {"running"})
        while desk.client.fine_tuning.jobs.retrieve(doomed).status == "running":
            with contextlib.suppress(FileNotFoundError, ValueError):
                worker = worker_of(server.data_dir, doomed)
                if worker not in killed:
                    os.kill(worker, signal.SIGKILL)
                    killed.add(worker)
        job = desk.finished(doomed)
        assert len(killed) == 4
        assert job.status == "failed"
        assert job.error
        assert job.error.code == "server_error"
        assert "worker.log" in job.error.message


def test_the_command_stops_on_ctrl_c(tmp_path: Path) -> None:
    """SIGINT ends the process with exit code 0 and a word about open jobs."""
    with served(tmp_path) as (desk, process):
        assert desk.client.models.list().data
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=10)
        assert process.returncode == 0
        assert output.strip().startswith("Stopped.")


def test_the_command_reports_what_stops_it(tmp_path: Path) -> None:
    """An open host without a key is refused with exit code 2."""
    command = [sys.executable, "-m", "gpt4o_tune.local", "--data-dir", str(tmp_path)]
    refused = subprocess.run([*command, "--host", "0.0.0.0"], capture_output=True, text=True)  # noqa: S104 - refused
    assert refused.returncode == 2
    assert "explicit api_key" in refused.stderr
