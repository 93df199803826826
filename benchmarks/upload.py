"""What it costs to upload a large file: time, CPU and memory, here and with the client alone.

    python benchmarks/upload.py [--megabytes 1024]

Each way runs against a fresh local server in a process of its own, with rows of its own. Memory is the
peak resident size above what the process holds before it opens the file. The figures stand on the page
docs/design/uploading.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Connection: TypeAlias = tuple[str, str]
"""Address and key of a server."""
WORDS = ("parcel", "invoice", "refund", "late", "driver", "street", "order", "damaged", "again")
UNLIMITED = 10**12


def write_rows(path: Path, *, megabytes: int, salt: str) -> None:
    """Write support dialogues of about 600 bytes, no two equal."""
    draw = random.Random(salt)
    texts = [" ".join(draw.choices(WORDS, k=60)) for _ in range(5000)]
    with path.open("w", encoding="utf-8", buffering=1 << 20) as file:
        number = 0
        while number % len(texts) or file.tell() < megabytes << 20:
            messages = [
                {"role": "system", "content": "You route messages of customers."},
                {"role": "user", "content": f"{salt} {number}: {texts[number % len(texts)]}"},
                {"role": "assistant", "content": WORDS[number % len(WORDS)]},
            ]
            file.write(json.dumps({"messages": messages}) + "\n")
            number += 1


def ours(path: Path, connection: Connection, *, above: int | None) -> None:
    from gpt4o_tune import Dataset, Provider
    from gpt4o_tune._drive import run
    from gpt4o_tune.jobs.uploading import Chunking, ensure_file

    provider = Provider.local(connection[0], api_key=connection[1])
    rows = Dataset.from_jsonl(path)
    chunking = None if above is None else Chunking(above)
    run(ensure_file(provider.blocking(), rows, provider=provider, chunking=chunking))
    provider.close()


def client_in_parts(path: Path, connection: Connection) -> None:
    import openai

    with openai.OpenAI(base_url=connection[0], api_key=connection[1]) as client:
        client.uploads.upload_file_chunked(file=path, mime_type="text/jsonl", purpose="fine-tune")


def client_path(path: Path, connection: Connection) -> None:
    import openai

    with openai.OpenAI(base_url=connection[0], api_key=connection[1]) as client:
        client.files.create(file=path, purpose="fine-tune")


WAYS: dict[str, Callable[[Path, Connection], None]] = {
    "ensure_file": lambda path, connection: ours(path, connection, above=None),
    "ensure_file, one request": lambda path, at: ours(path, at, above=UNLIMITED),
    "openai upload_file_chunked": client_in_parts,
    "openai files.create(Path)": client_path,
}
MOST_IN_ONE_REQUEST = 500
"""Megabytes; the local server refuses more than 512, as OpenAI does."""
ONE_REQUEST = ("ensure_file, one request", "openai files.create(Path)")


def peak_megabytes(pid: int | str = "self") -> float:
    """Read the peak resident size of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def send(way: str, path: Path, connection: Connection) -> None:
    """Run one way in this process and print what it took."""
    import openai  # noqa: F401  # loading it is no part of the figures

    import gpt4o_tune.jobs.uploading  # noqa: F401  # as above

    before, began, cpu = peak_megabytes(), time.perf_counter(), time.process_time()
    WAYS[way](path, connection)
    figures = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "client": peak_megabytes() - before,
    }
    print(json.dumps(figures))


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[Connection, int]]:
    """Run a server in a process of its own."""
    command = [sys.executable, "-m", "gpt4o_tune.local", "--data-dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout  # noqa: S101 - asked for above
        exports: dict[str, str] = {}
        for line in process.stdout:
            name, _, value = line.strip().removeprefix("export ").partition("=")
            exports[name] = value
            if line.startswith("Ctrl-C"):
                break
        try:
            yield (exports["OPENAI_BASE_URL"], exports["OPENAI_API_KEY"]), process.pid
        finally:
            process.kill()


def measure(way: str, *, megabytes: int) -> dict[str, float]:
    """Run one way against a fresh server."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "server") as (at, pid):
        path = Path(folder) / "rows.jsonl"
        write_rows(path, megabytes=megabytes, salt=way)
        before = peak_megabytes(pid)
        command = [sys.executable, __file__, "--send", way, str(path), *at]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return {**json.loads(done.stdout), "server": peak_megabytes(pid) - before}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--send", nargs=4, metavar=("WAY", "FILE", "URL", "KEY"))
    options = parser.parse_args()
    if options.send:
        way, path, *connection = options.send
        send(way, Path(path), tuple(connection))
        return
    print(f"{options.megabytes} MB of rows, {os.cpu_count()} CPUs, loopback")
    print(f"{'way':28} {'MB':>6} {'seconds':>8} {'CPU s':>6} {'client MB':>10} {'server MB':>10}")
    for way in WAYS:
        megabytes = options.megabytes
        if way in ONE_REQUEST:
            megabytes = min(megabytes, MOST_IN_ONE_REQUEST)
        took = measure(way, megabytes=megabytes)
        print(
            f"{way:28} {megabytes:6} {took['seconds']:8.1f} {took['cpu']:6.1f} "
            f"{took['client']:10.0f} {took['server']:10.0f}"
        )


if __name__ == "__main__":
    main()
