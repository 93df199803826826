"""The engines themselves, run on this machine: what comes back equals a check of the same file.

Each test needs its engine, which the development extra does not install.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gpt4o_tune.data import Dataset
from gpt4o_tune.data.distributed import RowSurvey, file_lines, part_of
from tests.data.cases import answer, as_bytes, chat, many, user

if TYPE_CHECKING:
    from collections.abc import Iterator

# What engines warn of on their way is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with faults, repeats, blank lines, and characters at which some readers cut lines."""
    rows = many(300, answers=300)
    rows += rows[:7] + chat(user("Question 3"), answer("No.")) + [{"messages": []}]
    rows += chat(user("One\u2028two\u0085three"), answer("Four\u2029five"))
    data = as_bytes(rows[:200]) + b"\n" + as_bytes(rows[200:]).replace(b"\\u2028", b"\xe2\x80\xa8")
    path = tmp_path / "data.jsonl"
    path.write_bytes(data + b'{"messages": [')
    return path


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Ray on two processors of this machine."""
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray
    ray.shutdown()


@pytest.mark.parametrize("form", ["numpy", "pandas", "pyarrow"])
def test_ray_finds_what_a_check_finds(ray: Any, path: Path, form: str) -> None:
    """Files cut into lines, surveyed in batches of any form, combined: the report of the whole file."""
    survey = RowSurvey(keep=["path"])
    files = ray.data.read_binary_files(str(path), include_paths=True)
    lines = files.flat_map(file_lines).repartition(4)
    facts = lines.map_batches(survey, batch_size=64, batch_format=form).materialize()
    data = Dataset.from_jsonl(path)

    overview = survey.combine(facts.iter_rows(), source=str(path))

    assert overview.check == data.check()
    assert overview.unreadable == 2
    sound = data.drop(overview.check.errors)
    assert overview.tokens == sound.tokens().total
    assert {row["path"] for row in facts.take(3)} == {str(path)}


def test_ray_runs_actors_groups_and_splits(ray: Any, path: Path) -> None:
    """A class for actors, repeats by group, and a part for each row: all inside the engine."""
    survey = RowSurvey()
    lines = ray.data.read_binary_files(str(path)).flat_map(file_lines)
    facts = lines.map_batches(
        RowSurvey,
        fn_constructor_kwargs={"model": "gpt-4o-2024-08-06"},
        compute=ray.data.ActorPoolStrategy(size=1),
    ).materialize()

    def repeats(group: dict[str, Any]) -> dict[str, list[str]]:
        return {"problem": [str(problem) for problem in survey.repeats(group)]}

    known = facts.filter(lambda one: one["prompt"] != "")
    found = [
        row["problem"]
        for row in known.groupby("prompt", num_partitions=2).map_groups(repeats).take_all()
    ]
    parts = known.map(lambda one: {"part": part_of(one["prompt"])}).take_all()

    whole = Dataset.from_jsonl(path).check()
    named = {"duplicate-row", "conflicting-answers"}
    assert sorted(found) == sorted(str(p) for p in whole.problems if p.code in named)
    assert len(found) == 8
    assert {row["part"] for row in parts} == {"train", "validation"}


def test_dask_finds_what_a_check_finds(path: Path) -> None:
    """Lines of a bag, surveyed by partitions in another process and in threads, with line numbers and without."""
    bag = pytest.importorskip("dask.bag")
    survey = RowSurvey()
    lines = bag.from_sequence(file_lines({"bytes": path.read_bytes()}), npartitions=3)
    numbered = lines.map(lambda line: (line["line"], line["text"]))

    facts = numbered.map_partitions(lambda part: list(survey.partition(part)))
    read = bag.read_text(str(path), blocksize=4_000).map_partitions(survey.partition)

    report = Dataset.from_jsonl(path).check()
    found = facts.compute(scheduler="processes", num_workers=1)
    assert survey.combine(found, source=str(path)).check == report
    codes = [p.code for p in survey.combine(read.compute(scheduler="threads")).check.problems]
    expected = [p.code for p in report.problems]
    assert sorted(codes) == sorted({"truncated-line": "invalid-json"}.get(c, c) for c in expected)


def test_spark_finds_what_a_check_finds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbered lines of a text file, surveyed in the partitions of an RDD."""
    pyspark = pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    survey = RowSurvey()
    settings = pyspark.SparkConf().set("spark.ui.enabled", "false").setMaster("local[2]")
    with pyspark.SparkContext(conf=settings) as spark:
        lines = spark.textFile(str(path), minPartitions=3).zipWithIndex()
        numbered = lines.map(lambda pair: (pair[1] + 1, pair[0]))
        facts = numbered.mapPartitions(survey.partition).collect()

    report = Dataset.from_jsonl(path).check()
    found = survey.combine(facts, source=str(path)).check
    torn = [p for p in report.problems if p.code != "truncated-line"]
    assert [p for p in found.problems if p.code != "invalid-json"] == torn
    assert len(found.problems) == len(report.problems)


@pytest.mark.parametrize("engine", ["ray", "pyspark", "dask"])
def test_the_examples_of_the_page_run(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of each engine run from top to bottom, as a reader would paste them."""
    pytest.importorskip(engine)
    if engine == "pyspark" and shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "tickets.jsonl").write_bytes(as_bytes(many(12)))
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    page = (Path(__file__).parents[2] / "docs" / "distributed.md").read_text("utf-8")
    first, ray, spark, dask, groups, parts = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    blocks = {"ray": [ray], "pyspark": [spark, groups, parts], "dask": [dask]}[engine]
    names: dict[str, Any] = {}

    for block in [first, *blocks]:
        # Workers do not stand in our folder.
        placed = block.replace('"logs', f'"{tmp_path}/logs')
        exec(compile(placed, "distributed.md", "exec"), names)  # noqa: S102  # our own page

    assert names["overview"].rows == 12
    if engine == "pyspark":
        assert len(names["parts"].collect()) == 12
        names["session"].stop()
