"""Jobs survive whatever happens to the processes that run them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import openai
import pytest
import tenacity

from gpt4o_tune import LocalServer
from gpt4o_tune.local.store import Store
from tests.local.conftest import MODEL, ROWS, Desk, desk_at, jsonl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types import Batch
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
        link = ""
        for line in process.stdout:
            if line.strip().startswith("page "):
                link = line.split()[1]
            if line.strip().startswith("export "):
                name, _, value = line.strip().removeprefix("export ").partition("=")
                exports[name] = value
            if line.startswith("Ctrl-C"):
                break
        assert exports["OPENAI_BASE_URL"] == exports["GPT4O_TUNE_LOCAL_URL"]
        root = exports["OPENAI_BASE_URL"].removesuffix("v1")
        assert link == f"{root}#key={exports['OPENAI_API_KEY']}"
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


PIECE = 5_000


def life(folder: Path, chance: random.Random, kept: Kept) -> None:
    """One life of a server, ended at a moment of chance in the middle of a request."""
    with served(folder) as (desk, process):
        if not kept.batch_id:
            kept.begin(desk)
        kept.check(folder)
        for _ in range(chance.randrange(4)):
            kept.send_part(desk)
        if chance.random() < 0.1:
            kept.wait(desk, more_than=kept.done(desk))
        last = threading.Thread(target=kept.send_part, args=(desk,))
        last.start()
        for _ in range(chance.randrange(3)):
            with contextlib.suppress(openai.APIConnectionError):
                desk.client.models.list()
        process.kill()
        last.join()
        if chance.random() < 0.5:
            for lock in (folder / "jobs").glob("*/lock"), (folder / "batches").glob("*/lock"):
                for path in lock:
                    with contextlib.suppress(ValueError, ProcessLookupError):
                        os.kill(int(path.read_text()), signal.SIGKILL)


@dataclass
class Kept:
    """What a server acknowledged, and so must never lose."""

    requests: int
    trains: bool
    job_id: str = ""
    batch_id: str = ""
    upload_id: str = ""
    parts: list[tuple[str, bytes]] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)

    def begin(self, desk: Desk) -> None:
        """Create what is to survive."""
        if self.trains:
            self.job_id = begin(desk)
        lines = [
            {
                "custom_id": str(number),
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {"model": MODEL, "messages": ROWS[0]["messages"][:1]},
            }
            for number in range(self.requests)
        ]
        file = desk.client.files.create(file=("a.jsonl", jsonl(lines)), purpose="batch")
        self.batch_id = desk.client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        ).id
        self.upload_id = desk.client.uploads.create(
            bytes=PIECE * 10_000, filename="a.bin", mime_type="x/y", purpose="user_data"
        ).id

    def send_part(self, desk: Desk) -> None:
        """Add a part and remember it once it is acknowledged."""
        data = os.urandom(PIECE)
        with contextlib.suppress(openai.APIConnectionError):
            part = desk.client.uploads.parts.create(self.upload_id, data=data)
            self.parts.append((part.id, data))

    def batch(self, desk: Desk) -> Batch:
        return desk.client.batches.retrieve(self.batch_id)

    def done(self, desk: Desk) -> int:
        counts = self.batch(desk).request_counts
        assert counts
        return counts.completed

    def wait(self, desk: Desk, *, more_than: int = sys.maxsize) -> None:
        """Look until the batch is further, or done; not too often, for its worker yields to all."""
        look = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda batch: batch.status != "completed"),
            wait=tenacity.wait_fixed(0.05),
            stop=tenacity.stop_any(
                tenacity.stop_after_delay(120), lambda _: self.done(desk) > more_than
            ),
            retry_error_callback=lambda _: None,
        )
        look(self.batch, desk)

    def check(self, folder: Path) -> None:
        """Compare the disk with what was acknowledged."""
        for part_id, data in self.parts:
            assert (folder / "uploads" / part_id).read_bytes() == data
        store = Store(folder)
        batch = store.batches.get(self.batch_id)
        if batch.status == "in_progress":
            written = [json.loads(text) for text in store.batches.results(batch.id, is_error=False)]
            found = {each["custom_id"]: each["id"] for each in written}
            assert found.items() >= self.results.items()
            assert batch.completed <= len(found)
            self.results = found
        store.close()


@pytest.mark.parametrize(
    ("kills", "trains"), [(20, False), pytest.param(200, True, marks=pytest.mark.slow)]
)
def test_random_kills_lose_nothing(
    tmp_path: Path, undisturbed: dict[str, object], kills: int, *, trains: bool
) -> None:
    """Batches, uploads and jobs survive kill -9 at any moment, with no answer and no step twice."""
    chance, kept = random.Random(kills), Kept(requests=10 * kills, trains=trains)
    for _ in range(kills):
        life(tmp_path, chance, kept)
    with served(tmp_path) as (desk, _):
        kept.check(tmp_path)
        if trains:
            assert trace(desk, desk.finished(kept.job_id)) == undisturbed
        kept.wait(desk)
        output = kept.batch(desk).output_file_id
        assert output
        written = [json.loads(text) for text in desk.client.files.content(output).text.splitlines()]
        assert [each["custom_id"] for each in written] == [*map(str, range(kept.requests))]
        found = {each["custom_id"]: each["id"] for each in written}
        assert found.items() >= kept.results.items()
        assert kept.done(desk) == kept.requests
        with pytest.raises(openai.BadRequestError, match="opened for"):
            desk.client.uploads.complete(kept.upload_id, part_ids=[each for each, _ in kept.parts])
        kept.check(tmp_path)
        assert len({each for each, _ in kept.parts}) == len(kept.parts) > kills
