"""What the local server's store costs: ten thousand jobs in the lists, and large files on their way in.

    python benchmarks/local_store.py [--jobs 10000] [--megabytes 1024]

The jobs are written straight into a data folder, each with its history; then a server in a process of its
own serves the folder, and the official client asks. Memory is the server's peak resident size, all of it.
The figures stand on the page docs/design/local-store.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import openai

EVENTS = 60
"""Per job: 50 steps and ten messages."""
ROUNDS = 50
MB = 1 << 20


def fill(folder: Path, *, jobs: int) -> None:
    """Write finished jobs with their history, each with two pairs of metadata."""
    from gpt4o_tune.local.ids import new_id
    from gpt4o_tune.local.store import Store
    from gpt4o_tune.local.store.records import HyperparameterSet, JobRecord

    store, auto = Store(folder), HyperparameterSet()
    for number in range(jobs):
        job = JobRecord(
            id=new_id("ftjob-"),
            created_at=number,
            model="gpt-4o-2024-08-06",
            base_model="gpt-4o-2024-08-06",
            engine="tiny",
            training_file="file-gone",
            requested=auto,
            hyperparameters=auto,
            seed=number,
            metadata={"team": f"team-{number % 20}", "fingerprint": f"{number:032x}"},
        )
        with store.jobs.creating(job) as edit:
            for step in range(EVENTS):
                kind = "metrics" if step < EVENTS - 10 else "message"
                data = {"step": step, "train_loss": 1.0 / (step + 1)}
                edit.event(f"step-{step}", f"Step {step}", kind=kind, data=data)
        with store.jobs.editing(job.id) as edit:
            edit.finish("succeeded")
    store.close()


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[openai.OpenAI, int]]:
    """Run a server in a process of its own, and a client at it."""
    import openai

    command = [sys.executable, "-m", "gpt4o_tune.local", "--data-dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout  # noqa: S101 - asked for above
        exports: dict[str, str] = {}
        for line in process.stdout:
            name, _, value = line.strip().removeprefix("export ").partition("=")
            exports[name] = value
            if line.startswith("Ctrl-C"):
                break
        url, key = exports["OPENAI_BASE_URL"], exports["OPENAI_API_KEY"]
        try:
            with openai.OpenAI(base_url=url, api_key=key, max_retries=0) as client:
                yield client, process.pid
        finally:
            process.kill()


def peak_megabytes(pid: int) -> float:
    """Read the peak resident size of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Read how long a process and its threads have computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stopwatch:
    """Times requests at a server: by the clock of the client, and by the processor of the server."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        print(f"{'request':36} {'median':>8} {'longest':>8} {'server CPU':>11}  ms")

    def time(self, name: str, ask: Callable[[], object]) -> None:
        """Make a request several times and print what one took."""
        took: list[float] = []
        before = cpu_seconds(self._pid)
        for _ in range(ROUNDS):
            began = time.perf_counter()
            ask()
            took.append((time.perf_counter() - began) * 1000)
        cpu = (cpu_seconds(self._pid) - before) * 1000 / ROUNDS
        print(f"{name:36} {statistics.median(took):8.1f} {max(took):8.1f} {cpu:11.1f}", flush=True)


def ask_for_jobs(client: openai.OpenAI, pid: int, *, jobs: int) -> None:
    """Time what a client does with a long list."""
    listed, time_ = client.fine_tuning.jobs, Stopwatch(pid).time
    draw = random.Random(0)
    time_("a model, for comparison", lambda: client.models.retrieve("gpt-4o-2024-08-06"))
    time_("newest page of 20", lambda: listed.list(limit=20))
    time_("newest page of 100", lambda: listed.list(limit=100))
    began = time.perf_counter()
    ids = [job.id for job in listed.list(limit=100)]
    print(f"all {len(ids)} jobs in pages of 100: {time.perf_counter() - began:.1f} s")
    middle = ids[jobs // 2]
    time_("page of 100 from the middle", lambda: listed.list(limit=100, after=middle))
    time_("one job", lambda: listed.retrieve(draw.choice(ids)))
    time_("its newest 100 events", lambda: listed.list_events(draw.choice(ids), limit=100))
    time_("metadata of one job", lambda: listed.list(metadata={"fingerprint": f"{7:032x}"}))
    time_("metadata of no job", lambda: listed.list(metadata={"fingerprint": "none"}))
    team = {"team": "team-3"}
    time_("metadata of one job in 20", lambda: listed.list(metadata=team, limit=20))
    time_("jobs without metadata", lambda: listed.list(extra_query={"metadata": "null"}))


def send_files(client: openai.OpenAI, folder: Path, *, megabytes: int) -> None:
    """Send a file in parts, and one in a single request."""
    path = folder / "large.jsonl"
    line = b'{"messages": [{"role": "user", "content": "%b"}]}\n' % (b"a b c d " * 120)
    with path.open("wb") as file:
        while file.tell() < megabytes * MB:
            file.write(line * 1000)
    began = time.perf_counter()
    client.uploads.upload_file_chunked(file=path, mime_type="text/jsonl", purpose="fine-tune")
    size = path.stat().st_size / MB
    print(f"upload of {size:,.0f} MB in parts of 64 MB: {time.perf_counter() - began:.1f} s")
    one = min(megabytes * MB, 511 * MB)
    os.truncate(path, one)
    began = time.perf_counter()
    with path.open("rb") as file:
        client.files.create(file=("large.bin", file), purpose="user_data")
    print(f"file of {one / MB:,.0f} MB in one request: {time.perf_counter() - began:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--megabytes", type=int, default=1024)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        began = time.perf_counter()
        fill(folder, jobs=options.jobs)
        seconds = time.perf_counter() - began
        size = (folder / "state.db").stat().st_size / MB
        print(
            f"{options.jobs} jobs with {EVENTS} events each written in {seconds:.1f} s, {size:.0f} MB"
        )
        began = time.perf_counter()
        with served(folder) as (client, pid):
            print(f"server up after {time.perf_counter() - began:.2f} s, {os.cpu_count()} CPUs")
            ask_for_jobs(client, pid, jobs=options.jobs)
            print(f"server's peak so far: {peak_megabytes(pid):.0f} MB")
            send_files(client, Path(scratch), megabytes=options.megabytes)
            print(f"server's peak at the end: {peak_megabytes(pid):.0f} MB")


if __name__ == "__main__":
    main()
