"""Rows per second of `RowSurvey` on engines that run on this machine, against `Dataset.scan` in the same run.

    python benchmarks/corpus.py --rows 100000 --to rows.jsonl
    python benchmarks/distributed.py rows.jsonl --engines ray spark dask

Engines read the same rows, cut into files. Their start is timed apart, and so is the first survey, in which
workers load the vocabulary. Of several turns the quickest is printed. What engines find is compared with
what `Dataset.check` finds.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt4o_tune import Dataset
from gpt4o_tune.data.distributed import RowSurvey, file_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gpt4o_tune.data import CheckReport

SURVEY = RowSurvey()


def with_ray(folder: Path, *, cores: int) -> tuple[Callable[[], Any], Callable[[], None]]:
    import ray

    ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def facts() -> Any:
        lines = ray.data.read_binary_files(str(folder)).flat_map(file_lines)
        return lines.map_batches(SURVEY, batch_size=2_048).iter_rows()

    return facts, ray.shutdown


def with_spark(folder: Path, *, cores: int) -> tuple[Callable[[], Any], Callable[[], None]]:
    import pyspark

    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = pyspark.SparkConf().set("spark.ui.enabled", "false").setMaster(f"local[{cores}]")
    spark = pyspark.SparkContext(conf=settings)
    spark.setLogLevel("ERROR")

    def facts() -> Any:
        return spark.textFile(str(folder)).mapPartitions(SURVEY.partition).collect()

    return facts, spark.stop


def with_dask(folder: Path, *, cores: int) -> tuple[Callable[[], Any], Callable[[], None]]:
    from dask import bag

    def facts() -> Any:
        lines = bag.read_text(str(folder / "*.jsonl"))
        # A generator cannot be sent from process to process.
        facts = lines.map_partitions(lambda part: list(SURVEY.partition(part)))
        return facts.compute(scheduler="processes", num_workers=cores)

    return facts, lambda: None


ENGINES = {"ray": with_ray, "spark": with_spark, "dask": with_dask}


def cut(path: Path, folder: Path, *, files: int) -> None:
    """Deal the lines of a file out to several, in order."""
    data = Dataset.from_jsonl(path)
    step = -(-len(data) // files)
    for first in range(0, len(data), step):
        data[first : first + step].to_jsonl(folder / f"{first:09}.jsonl")


def timed(name: str, work: Callable[[], Any], *, rows: int = 0, turns: int = 1) -> Any:
    """Print the seconds of the quickest turn; what it returned last is returned."""
    took: list[float] = []
    result: Any = None
    for _ in range(turns):
        started = time.perf_counter()
        result = work()
        took.append(time.perf_counter() - started)
    rate = f"{rows / min(took):10,.0f} rows/s" if rows else ""
    print(f"{name:<34} {min(took):7.2f} s {rate}", flush=True)
    return result


def count(facts: Iterable[object]) -> int:
    return sum(1 for _ in facts)


def summary(report: CheckReport) -> Counter[str]:
    """Count problems by code; how many conflict depends on which row is first, and files have no order."""
    codes = Counter(problem.code for problem in report.problems)
    del codes["conflicting-answers"]
    return codes


def main() -> None:
    parser = argparse.ArgumentParser(description="Time row surveys on local engines.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=["ray"])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    data = Dataset.from_jsonl(options.path).scan()
    rows, turns = len(data), options.turns

    def scan() -> Dataset:
        return Dataset.from_jsonl(options.path).scan()

    def partition() -> int:
        with options.path.open(encoding="utf-8", newline="\n") as lines:
            return sum(1 for _ in SURVEY.partition(lines))

    timed("Dataset.scan", scan, rows=rows, turns=turns)
    timed("partition, one process, no engine", partition, rows=rows, turns=turns)
    with tempfile.TemporaryDirectory() as folder:
        cut(options.path, Path(folder), files=options.files)
        for name in options.engines:
            facts, stop = timed(
                f"{name}: start",
                lambda engine=ENGINES[name]: engine(Path(folder), cores=options.cores),
            )
            try:
                timed(f"{name}: first survey", lambda read=facts: count(read()), rows=rows)
                timed(f"{name}: survey", lambda read=facts: count(read()), rows=rows, turns=turns)
                overview = timed(
                    f"{name}: survey and combine",
                    lambda read=facts: SURVEY.combine(read()),
                    rows=rows,
                    turns=turns,
                )
            finally:
                stop()
            assert summary(overview.check) == summary(data.check())  # noqa: S101
            assert overview.tokens == data.tokens().total  # noqa: S101
    timed("Dataset.scan, once more", scan, rows=rows, turns=turns)


if __name__ == "__main__":
    main()
