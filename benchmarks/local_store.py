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
ROUNDS = 20
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


def timed(name: str, ask: Callable[[], object], *, rounds: int = ROUNDS) -> None:
    """Print the median and the longest of several requests, in milliseconds."""
    took: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    print(f"{name:44} {statistics.median(took):8.1f} {max(took):8.1f}")


def ask_for_jobs(client: openai.OpenAI, *, jobs: int) -> None:
    """Time what a client does with a long list."""
    listed = client.fine_tuning.jobs
    page = listed.list(limit=100)
    draw = random.Random(0)
    print(f"{'request':44} {'median':>8} {'longest':>8}  ms")
    timed("a model, for comparison", lambda: client.models.retrieve("gpt-4o-2024-08-06"))
    timed("newest page of 20", lambda: listed.list(limit=20))
    timed("newest page of 100", lambda: listed.list(limit=100))
    ids = [job.id for job in listed.list(limit=100)]
    middle = ids[jobs // 2]
    timed("page of 100 from the middle", lambda: listed.list(limit=100, after=middle))
    timed("one job", lambda: listed.retrieve(draw.choice(ids)))
    timed("its newest 100 events", lambda: listed.list_events(draw.choice(ids), limit=100))
    timed("metadata of one job", lambda: listed.list(metadata={"fingerprint": f"{7:032x}"}))
    timed("metadata of no job", lambda: listed.list(metadata={"fingerprint": "none"}))
    timed(
        "metadata of 1 job in 20, page of 100",
        lambda: listed.list(metadata={"team": "team-3"}, limit=100),
    )
    timed("jobs without metadata", lambda: listed.list(extra_query={"metadata": "null"}))
    began = time.perf_counter()
    count = sum(1 for _ in listed.list(limit=100))
    print(f"all {count} jobs in pages of {len(page.data)}: {time.perf_counter() - began:.1f} s")


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
            ask_for_jobs(client, jobs=options.jobs)
            print(f"server's peak so far: {peak_megabytes(pid):.0f} MB")
            send_files(client, Path(scratch), megabytes=options.megabytes)
            print(f"server's peak at the end: {peak_megabytes(pid):.0f} MB")


if __name__ == "__main__":
    main()
