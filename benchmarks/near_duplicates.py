"""Near-duplicates: the search that finds everything beside the one by sketches, in seconds, memory and recall.

    python benchmarks/near_duplicates.py --rows 1000 10000 100000

Rows are made by `corpus.py`, or read with `--file`. A changed copy of every hundredth row is added at the
end; recall is the share of the copies that are found in the cluster of their original: of those whose prompt
still reaches 0.8 (not all that reach 0.7 are alike, as templates do not count), and of those that were left as
they are. Every run has a process of its own. The rows
are parsed one by one from the file, as `Dataset` does; `parse` says what that alone takes.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import corpus

from gpt4o_tune import Dataset
from gpt4o_tune.data._sketch import Sketches
from gpt4o_tune.data.similarity import DEFAULT_THRESHOLD, compare, leakage, prompt_text

EVERY = 100
CERTAINLY_NEAR = 0.8
EXACT_AT_MOST = 20_000
SEARCHES = ("exact", "sketched")


def planted(path: Path, *, to: Path) -> None:
    """Write the rows of a file and then a copy of every hundredth; nine of ten are changed."""
    draw = random.Random(1)  # no secret
    lines = path.read_bytes().splitlines()
    with to.open("wb") as file:
        file.writelines(line + b"\n" for line in lines)
        for number in range(0, len(lines), EVERY):
            row = json.loads(lines[number])
            if number % (10 * EVERY):
                row = {"messages": [changed(message, draw) for message in row["messages"]]}
            file.write(json.dumps(row).encode() + b"\n")


def changed(message: dict[str, object], draw: random.Random) -> dict[str, object]:
    """Change one word in forty, and one at least in all but the instructions."""
    words = str(message["content"]).split(" ")
    if message["role"] != "system":
        for _ in range(len(words) // 40 + 1):
            words[draw.randrange(len(words))] = f"{draw.randrange(10**6)}"
    return {**message, "content": " ".join(words)}


def jaccard(one: str, two: str) -> float:
    """Return the Jaccard index of word 3-grams, counted here once more."""
    runs = [
        set(zip(words, words[1:], words[2:], strict=False)) for words in (one.split(), two.split())
    ]
    return len(runs[0] & runs[1]) / max(1, len(runs[0] | runs[1]))


def run(path: Path, search: str) -> dict[str, object]:
    """Group the rows of a file and prove a split of them, and say what that took."""
    rows = Dataset.from_jsonl(path)._records("benchmark")
    seconds: dict[str, float] = {}
    clock = cpu = 0.0

    def lap(name: str) -> None:
        nonlocal clock, cpu
        seconds[name] = time.perf_counter() - clock
        seconds[f"{name} CPU"] = time.process_time() - cpu
        clock, cpu = time.perf_counter(), time.process_time()

    clock, cpu = time.perf_counter(), time.process_time()
    for _ in rows:
        pass
    lap("parse")
    if search == "exact":
        compared = compare(rows, exact_rows=len(rows))
    else:
        sketches = Sketches.of(rows)
        lap("sketch")
        compared = compare(rows, exact_rows=0, sketches=sketches)
    groups = compared.groups(threshold=DEFAULT_THRESHOLD)
    lap("group")
    leaks = leakage(compared, [groups.find(row) % 10 == 0 for row in range(len(rows))])
    lap("prove")
    originals = range(0, len(rows) * EVERY // (EVERY + 1), EVERY)
    copies = list(zip(originals, range(len(rows) - len(originals), len(rows)), strict=True))
    near = [
        pair
        for pair in copies
        if pair[0] % (10 * EVERY)
        and jaccard(*(prompt_text(rows[row]) for row in pair)) >= CERTAINLY_NEAR
    ]
    equal = [pair for pair in copies if pair[0] % (10 * EVERY) == 0]
    return {
        "rows": len(rows),
        "search": search,
        "clusters": len(groups.several()),
        "leaks": len(leaks),
        "near": (sum(groups.find(one) == groups.find(two) for one, two in near), len(near)),
        "equal": (sum(groups.find(one) == groups.find(two) for one, two in equal), len(equal)),
        "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "seconds": seconds,
    }


def show(result: dict[str, object]) -> None:
    seconds = {name: f"{value:.2f}" for name, value in result.pop("seconds").items()}
    print(*(f"{name} {value}" for name, value in result.items()), sep=", ")
    print("    s:", *(f"{name} {value}" for name, value in seconds.items()), sep="  ", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the search for near-duplicates.")
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--file", type=Path, nargs="*", default=[])
    parser.add_argument("--one", choices=SEARCHES, help="run one search over a prepared file")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(options.file[0], options.one)))
        return
    with tempfile.TemporaryDirectory() as folder:
        made = [
            corpus.write(Path(folder) / f"{rows}.jsonl", rows, roots=corpus.ROOTS)
            for rows in (() if options.file else options.rows)
        ]
        for path in [*options.file, *made]:
            prepared = Path(folder) / "planted.jsonl"
            planted(path, to=prepared)
            for search in SEARCHES:
                if search == "exact" and path.read_bytes().count(b"\n") > EXACT_AT_MOST:
                    continue
                command = [sys.executable, __file__, "--one", search, "--file", str(prepared)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                show(json.loads(done.stdout))


if __name__ == "__main__":
    main()
