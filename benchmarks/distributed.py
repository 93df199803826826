"""Rows per second of `RowSurvey` on engines that run on this machine, against `Dataset.scan` in the same run.

    python benchmarks/corpus.py --rows 100000 --to rows.jsonl
    python benchmarks/distributed.py rows.jsonl --engines ray spark dask

Engines read the same rows, cut into files. Their start is timed apart; the second round finds workers that
have loaded the vocabulary. Every result is compared with that of `Dataset.check`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt4o_tune import Dataset
from gpt4o_tune.data.distributed import RowSurvey, file_lines

if TYPE_CHECKING:
    from collections.abc import Callable

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
        return lines.map_partitions(SURVEY.partition).compute(
            scheduler="processes", num_workers=cores
        )

    return facts, lambda: None


ENGINES = {"ray": with_ray, "spark": with_spark, "dask": with_dask}


def cut(path: Path, folder: Path, *, files: int) -> None:
    """Deal the lines of a file out to several, in order."""
    data = Dataset.from_jsonl(path)
    step = -(-len(data) // files)
    for first in range(0, len(data), step):
        data[first : first + step].to_jsonl(folder / f"{first:09}.jsonl")


def timed(name: str, work: Callable[[], Any], *, rows: int = 0) -> Any:
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    rate = f"{rows / seconds:10,.0f} rows/s" if rows else ""
    print(f"{name:<34} {seconds:7.2f} s {rate}", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="Time row surveys on local engines.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=["ray"])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--files", type=int, default=8)
    options = parser.parse_args()
    data = timed("Dataset.scan", lambda: Dataset.from_jsonl(options.path).scan())
    rows, expected = len(data), len(data.check().problems)
    timed("Dataset.scan, again", lambda: Dataset.from_jsonl(options.path).scan(), rows=rows)
    with options.path.open(encoding="utf-8", newline="\n") as lines:
        timed("partition, no engine, 1 process", lambda: list(SURVEY.partition(lines)), rows=rows)
    with tempfile.TemporaryDirectory() as folder:
        cut(options.path, Path(folder), files=options.files)
        for name in options.engines:
            facts, stop = timed(
                f"{name}: start",
                lambda engine=ENGINES[name]: engine(Path(folder), cores=options.cores),
            )
            try:
                for turn in ("first", "second"):
                    overview = timed(
                        f"{name}: survey and combine, {turn}",
                        lambda read=facts: SURVEY.combine(read()),
                        rows=rows,
                    )
                timed(f"{name}: survey alone", lambda read=facts: sum(1 for _ in read()), rows=rows)
            finally:
                stop()
            found = len(overview.check.problems), overview.tokens
            assert found == (expected, data.tokens().total), (found, expected)  # noqa: S101


if __name__ == "__main__":
    main()
