"""How long a dataset takes from file to split, beside what people use today; how much memory, and how it grows.

    python benchmarks/dataset_speed.py --rows 1000 10000 100000
    python benchmarks/dataset_speed.py --rows 1000000 --repeats 3

Each figure is the median of several runs, each in a fresh process, the contenders taking turns so that a
machine that slows down slows all of them. Peak memory is that of all processes of a contender together
(proportional set size, so that shared pages count once).

    cookbook   the logic of OpenAI's data preparation notebook, written anew: parse all rows, check their
               form, count the tokens of all messages and again those of the answers; with this model's
               vocabulary, which the notebook does not use
    tiktoken   parse, and one `encode_ordinary` per message text: no checks, no split, nothing written
    fast       the same texts through the fastest exact tokenizer that is installed, in one process
    ours       open, check, exact counts, fingerprints, split, write both parts
    ours+near  the same with a split that keeps near-duplicates on one side, proof included
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import corpus

CONTENDERS = ("cookbook", "tiktoken", "fast", "ours", "ours+near")
ROLES = ("system", "user", "assistant", "function")
KEYS = ("role", "content", "name", "function_call", "weight")


def cookbook(path: Path, folder: Path) -> object:
    from collections import Counter

    from gpt4o_tune.data.vocabulary import encoding

    encode = encoding("o200k_base").encode
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    faults: Counter[str] = Counter()
    for row in rows:
        messages = row.get("messages") if isinstance(row, dict) else None
        if not messages:
            faults["missing_messages_list"] += 1
            continue
        for message in messages:
            faults["message_missing_key"] += "role" not in message or "content" not in message
            faults["message_unrecognized_key"] += any(key not in KEYS for key in message)
            faults["unrecognized_role"] += message.get("role") not in ROLES
            content = message.get("content")
            faults["missing_content"] += not content or not isinstance(content, str)
        faults["no_answer"] += not any(message.get("role") == "assistant" for message in messages)
    sizes, answers = [], []
    for row in rows:
        total = 3
        for message in row["messages"]:
            total += 3 + sum(
                len(encode(value)) for value in message.values() if isinstance(value, str)
            )
        sizes.append(total)
        answers.append(
            sum(len(encode(m["content"])) for m in row["messages"] if m["role"] == "assistant")
        )
    return sum(sizes)


def texts_of(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return [message["content"] for line in file for message in json.loads(line)["messages"]]


def tiktoken(path: Path, folder: Path) -> object:
    from gpt4o_tune.data.vocabulary import encoding

    encode = encoding("o200k_base").encode_ordinary
    with path.open(encoding="utf-8") as file:
        return sum(
            len(encode(message["content"]))
            for line in file
            for message in json.loads(line)["messages"]
        )


def fast(path: Path, folder: Path) -> object:
    """Count alone: the texts are read before the clock starts; returns the seconds too."""
    from gpt4o_tune.data._fast_counting import fast_encoder

    started = time.perf_counter()
    encode = fast_encoder("o200k_base")
    loaded = time.perf_counter() - started
    counted, total, texts = 0.0, 0, []
    with path.open(encoding="utf-8") as file:
        for line in file:
            texts += [message["content"] for message in json.loads(line)["messages"]]
            if len(texts) > 5_000:
                started = time.perf_counter()
                total += sum(map(len, encode(texts)))
                counted += time.perf_counter() - started
                texts.clear()
    total += sum(map(len, encode(texts))) if texts else 0
    return {"total": total, "counting alone": round(loaded + counted, 3)}


def ours(path: Path, folder: Path, *, near: bool = False) -> object:
    from gpt4o_tune import Dataset

    data = Dataset.from_jsonl(path).scan(near=near)
    report = data.check()
    tokens = data.tokens()
    split = data.split(0.1, seed=7, near=near)
    split.train.to_jsonl(folder / "train.jsonl")
    split.validation.to_jsonl(folder / "validation.jsonl")
    if report.rows != len(split.train) + len(split.validation):
        raise SystemExit("rows got lost")
    return tokens.total


def ours_near(path: Path, folder: Path) -> object:
    return ours(path, folder, near=True)


class Memory(threading.Thread):
    """Watches what a process and its children hold together, in bytes."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.peak = 0

    def run(self) -> None:
        """Look every 20 ms."""
        while not self._over.wait(0.02):
            self.peak = max(self.peak, sum(map(_held, _family(self._pid))))

    def stop(self) -> int:
        """Return the most that was held."""
        self._over.set()
        self.join()
        return self.peak


def _family(pid: int) -> list[int]:
    family = [pid]
    for member in family:
        try:
            children = Path(f"/proc/{member}/task/{member}/children").read_text().split()
        except OSError:
            continue
        family += map(int, children)
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                family += [
                    child for child in map(int, task.read_text().split()) if child not in family
                ]
            except OSError:
                continue
    return family


def _held(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def one_run(contender: str, path: Path) -> dict[str, float]:
    """Run a contender in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, __file__, "--run", contender, str(path), folder],
            stdout=subprocess.PIPE,
            text=True,
        )
        memory = Memory(process.pid)
        memory.start()
        said, _ = process.communicate()
        seconds = time.perf_counter() - started
        peak = memory.stop()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"{contender} failed on {path}")
    result = json.loads(said)
    told = result if isinstance(result, dict) else {"total": result}
    return {
        "seconds": told.get("counting alone", seconds),
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak": peak / 1e6,
        "total": told["total"],
    }


def measured(contenders: list[str], path: Path, *, repeats: int) -> dict[str, dict[str, float]]:
    runs: dict[str, list[dict[str, float]]] = {contender: [] for contender in contenders}
    for _ in range(repeats):
        for contender in contenders:
            runs[contender].append(one_run(contender, path))
    return {
        contender: {
            "seconds": statistics.median(run["seconds"] for run in its),
            "cpu": statistics.median(run["cpu"] for run in its),
            "peak": max(run["peak"] for run in its),
            "total": its[0]["total"],
        }
        for contender, its in runs.items()
    }


def main() -> None:
    if sys.argv[1:2] == ["--run"]:
        _, _, contender, path, folder = sys.argv
        print(json.dumps(globals()[contender.replace("+", "_")](Path(path), Path(folder))))
        return
    parser = argparse.ArgumentParser(description="Time a dataset from file to split.")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=None)
    options = parser.parse_args()
    import importlib.util

    has_fast = importlib.util.find_spec("gigatoken") is not None
    contenders = options.only or [c for c in CONTENDERS if c != "fast" or has_fast]
    print(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}, extra fast: {has_fast}\n")
    times: dict[str, list[tuple[int, float]]] = {}
    for rows in options.rows:
        path = options.folder / f"rows_{rows}.jsonl"
        if not path.exists():
            corpus.write(path, rows, roots=corpus.ROOTS)
        results = measured(contenders, path, repeats=options.repeats)
        print(f"{rows:,} rows, {path.stat().st_size / 1e6:,.1f} MB, median of {options.repeats}")
        print("| contender | s | CPU s | peak MB | cookbook / this |\n|---|---|---|---|---|")
        base = results.get("cookbook", {}).get("seconds", math.nan)
        for contender, result in results.items():
            times.setdefault(contender, []).append((rows, result["seconds"]))
            print(
                f"| {contender} | {result['seconds']:.2f} | {result['cpu']:.2f} | {result['peak']:,.0f} "
                f"| {base / result['seconds']:.2f} |"
            )
        totals = {
            c: r["total"] for c, r in results.items() if c in ("cookbook", "ours", "ours+near")
        }
        print(f"tokens: {totals}\n", flush=True)
    for contender, points in times.items():
        if len(points) > 1:
            (few, short), (many, long) = points[0], points[-1]
            slope = math.log(long / short) / math.log(many / few)
            print(f"{contender}: time grows as rows ^ {slope:.2f} from {few:,} to {many:,} rows")


if __name__ == "__main__":
    main()
