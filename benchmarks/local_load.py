"""What many chat streams at once do to the local server, and to a job that trains meanwhile.

    python benchmarks/local_load.py [--streams 64] [--seconds 40]

The server runs in a process of its own, as `python -m gpt4o_tune.local` starts it; this process is the
clients. It trains the example tickets once alone, then measures the streams with and without a second
training of the same rows. The figures stand on the page docs/design/local-load.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import openai

from gpt4o_tune import Dataset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from openai.types.fine_tuning import FineTuningJob

TICKETS = Path(__file__).parent.parent / "examples" / "data"
BASE = "gpt-4o-2024-08-06"
EPOCHS = 14
QUEUES = [
    "billing", "delivery", "returns", "repair", "account", "order_change", "product_question",
    "feedback",
]  # fmt: skip
SCHEMA = {
    "type": "object",
    "properties": {
        "queue": {"enum": QUEUES},
        "priority": {"enum": ["low", "normal", "high"]},
        "needs_human": {"type": "boolean"},
    },
    "required": ["queue", "priority", "needs_human"],
    "additionalProperties": False,
}


@dataclass
class Load:
    """What the streams measured."""

    name: str
    first_token_s: list[float] = field(default_factory=list)
    answer_s: list[float] = field(default_factory=list)
    pieces: int = 0
    look_s: list[float] = field(default_factory=list)
    """How long it took to look a job up meanwhile, 20 times a second."""
    errors: list[str] = field(default_factory=list)
    wall_s: float = 0.0
    server_cpu_s: float = 0.0
    client_cpu_s: float = 0.0
    peak_mib: float = 0.0

    def __str__(self) -> str:
        if not self.answer_s:
            return f"{self.name}: no answers; {len(self.errors)} errors {self.errors[:1]}"
        first, answer, look = (
            [statistics.quantiles(values, n=100)[at - 1] * 1000 for at in (50, 95)]
            for values in (self.first_token_s, self.answer_s, self.look_s)
        )
        return (
            f"{self.name}: {len(self.answer_s)} answers, {len(self.errors)} errors, "
            f"{len(self.answer_s) / self.wall_s:.0f} answers/s, "
            f"{self.pieces / self.wall_s:.0f} pieces/s; first piece p50 {first[0]:.0f} ms, "
            f"p95 {first[1]:.0f} ms; answer p50 {answer[0]:.0f} ms, p95 {answer[1]:.0f} ms; "
            f"looking a job up p50 {look[0]:.0f} ms, p95 {look[1]:.0f} ms; "
            f"CPU s in {self.wall_s:.1f} s: server {self.server_cpu_s:.1f}, "
            f"client {self.client_cpu_s:.1f}; "
            f"peak {self.peak_mib:.0f} MiB"
        )


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--streams", type=int, default=64)
    options.add_argument("--seconds", type=float, default=40)
    options.add_argument("--epochs", type=int, default=EPOCHS)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        asyncio.run(measure(server, given))


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    base_url: str
    api_key: str
    pid: int

    def cpu_s(self) -> float:
        """CPU seconds that the process itself has used, without its workers."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        """Largest resident size so far."""
        (line,) = (
            line
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        )
        return int(line.split()[1]) / 1024


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Run a server until the block ends."""
    command = [sys.executable, "-m", "gpt4o_tune.local", "--data-dir", str(folder / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        exports = dict(
            line.strip().removeprefix("export ").split("=", 1)
            for line in itertools.takewhile(lambda line: "Ctrl-C" not in line, process.stdout or ())
            if "export " in line
        )
        try:
            yield Server(exports["OPENAI_BASE_URL"], exports["OPENAI_API_KEY"], process.pid)
        finally:
            process.terminate()
            process.communicate()


async def measure(server: Server, given: argparse.Namespace) -> None:
    """Train alone, load alone, then both."""
    tickets = Dataset.from_jsonl(TICKETS / "tickets.jsonl")
    lines = (TICKETS / "tickets_heldout.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["messages"][:-1] for line in lines]
    async with openai.AsyncOpenAI(
        base_url=server.base_url, api_key=server.api_key, max_retries=0
    ) as client:
        with tempfile.TemporaryDirectory() as folder:
            sound = Path(folder, "tickets.jsonl")
            tickets.drop([*tickets.check(model=BASE).errors]).to_jsonl(sound)
            file = await client.files.create(file=sound, purpose="fine-tune")
        alone = await trained(client, file.id, given.epochs)
        print(f"training alone: {alone[1]:.1f} s")
        asked = itertools.cycle(questions)
        model = str(alone[0].fine_tuned_model)

        async def load(name: str, *, seconds: float, **extra: object) -> Load:
            return await loaded(server, client, model, asked, name, given.streams, seconds, extra)

        print(await load("warm up", seconds=3))
        print(await load("streams alone", seconds=given.seconds))
        strict = {"name": "ticket", "strict": True, "schema": SCHEMA}
        in_format = {"response_format": {"type": "json_schema", "json_schema": strict}}
        print(await load("streams in a format alone", seconds=given.seconds / 2, **in_format))
        training = asyncio.create_task(trained(client, file.id, given.epochs))
        print(await load("streams while training", seconds=given.seconds))
        print(f"training beside {given.seconds:.0f} s of streams: {(await training)[1]:.1f} s")


async def trained(
    client: openai.AsyncOpenAI, file_id: str, epochs: int
) -> tuple[FineTuningJob, float]:
    """Train and give the job and its seconds."""
    started = time.perf_counter()
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs}}}
    job = await client.fine_tuning.jobs.create(
        model=BASE, training_file=file_id, method=method, seed=7
    )
    while job.status not in ("succeeded", "failed", "cancelled"):
        await asyncio.sleep(0.25)
        job = await client.fine_tuning.jobs.retrieve(job.id)
    if job.status != "succeeded":
        raise RuntimeError(f"the job {job.status}: {job.error}")
    return job, time.perf_counter() - started


async def loaded(
    server: Server,
    client: openai.AsyncOpenAI,
    model: str,
    asked: Iterator[object],
    name: str,
    streams: int,
    seconds: float,
    extra: dict[str, object],
) -> Load:
    """Keep so many streams open for so long."""
    load = Load(name)
    started, cpu, own_cpu = time.perf_counter(), server.cpu_s(), time.process_time()

    async def one_after_another() -> None:
        while time.perf_counter() - started < seconds:
            begun = time.perf_counter()
            try:
                waited = False
                async for _ in pieces(client, model, next(asked), extra):
                    if not waited:
                        load.first_token_s.append(time.perf_counter() - begun)
                        waited = True
                    load.pieces += 1
            except openai.OpenAIError as error:
                load.errors.append(repr(error))
            else:
                load.answer_s.append(time.perf_counter() - begun)

    async def look() -> None:
        while time.perf_counter() - started < seconds:
            begun = time.perf_counter()
            await client.fine_tuning.jobs.list(limit=1)
            load.look_s.append(time.perf_counter() - begun)
            await asyncio.sleep(0.05)

    await asyncio.gather(look(), *(one_after_another() for _ in range(streams)))
    load.wall_s = time.perf_counter() - started
    load.client_cpu_s = time.process_time() - own_cpu
    load.server_cpu_s, load.peak_mib = server.cpu_s() - cpu, server.peak_mib()
    return load


async def pieces(
    client: openai.AsyncOpenAI, model: str, messages: object, extra: dict[str, object]
) -> AsyncIterator[str]:
    """Stream one answer."""
    stream = await client.chat.completions.create(
        model=model, messages=messages, stream=True, temperature=0, **extra
    )
    async for chunk in stream:
        if chunk.choices and (text := chunk.choices[0].delta.content):
            yield text


if __name__ == "__main__":
    main()
