"""What workers find of their rows, put together, is what one check of one file finds."""

from __future__ import annotations

import json
import pickle
import random
import subprocess
import sys
import threading
import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune.data import Dataset
from gpt4o_tune.data.distributed import RowSurvey, file_lines, part_of
from gpt4o_tune.errors import DatasetError, ProviderError
from tests.data.cases import CASES, Case, answer, as_bytes, chat, many, pair, user

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gpt4o_tune.data.overview import Overview

# What stands in no row: these rules look at the name or the first bytes of a file.
OF_A_FILE = {"wrong-encoding", "compressed-file", "not-json-lines", "wrong-extension"}


def surveyed(survey: RowSurvey, data: bytes, *, parts: int, seed: int = 0) -> list[Any]:
    """Number the lines of a file, deal them out to workers, and collect what these say in any order."""
    draw = random.Random(seed)
    lines = [(line["line"], line["text"]) for line in file_lines({"bytes": data})]
    draw.shuffle(lines)
    workers = [pickle.loads(pickle.dumps(survey)) for _ in range(parts)]  # noqa: S301
    facts = [
        one for n, worker in enumerate(workers) for one in worker.partition(iter(lines[n::parts]))
    ]
    draw.shuffle(facts)
    return facts


def combined(survey: RowSurvey, path: Path, *, parts: int = 3, seed: int = 0) -> Overview:
    """Survey a file in parts and put the results together."""
    facts = surveyed(survey, path.read_bytes(), parts=parts, seed=seed)
    return survey.combine(facts, source=str(path))


def written(folder: Path, data: bytes) -> Path:
    """Write a file."""
    path = folder / "data.jsonl"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.code not in OF_A_FILE and not case.limits], ids=str
)
def test_every_fault_is_found_in_parts_as_in_whole(case: Case, tmp_path: Path) -> None:
    """For each rule, the combined report equals that of `Dataset.check`, to the last word."""
    path = written(tmp_path, as_bytes(case.fails))
    data = Dataset.from_jsonl(path, format=case.format)
    survey = RowSurvey(format=data.format, **case.arguments)

    report = data.check(**case.arguments)

    assert combined(survey, path).check == report
    assert case.code in {problem.code for problem in report.problems}


MESSAGES = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "user", "assistant", "x"]),
        "content": st.sampled_from(["Hi", "Yes.", "\u2028\x85", " "]) | st.none(),
    },
    optional={"weight": st.sampled_from([0, 1, 2])},
)
LINES = st.one_of(
    st.fixed_dictionaries(
        {"messages": st.lists(MESSAGES, max_size=3)},
        optional={"tools": st.just([]), "id": st.just(1)},
    ).map(lambda row: json.dumps(row, ensure_ascii=False).encode()),
    st.sampled_from([json.dumps(row).encode() for row in many(3)]),
    st.sampled_from([b"", b" ", b'{"messages": [', b"\xff", b"[]"]),
)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\n", b"\r\n"])), max_size=12),
    st.booleans(),
    st.booleans(),
    st.integers(0, 9),
)
def test_random_files_in_random_parts(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[tuple[bytes, bytes]],
    has_bom: bool,
    is_open: bool,
    seed: int,
) -> None:
    """Blank lines, marks, torn ends and damage included, parts tell what the whole file tells."""
    data = (b"\xef\xbb\xbf" if has_bom else b"") + b"".join(map(b"".join, lines))
    data = data.rstrip(b"\r\n") if is_open else data
    path = written(tmp_path_factory.mktemp("rows"), data)
    whole = Dataset.from_jsonl(path, format="chat")
    report = whole.check()

    overview = combined(RowSurvey(), path, parts=1 + seed % 4, seed=seed)

    assert overview.check == report
    assert overview.rows == len(whole)
    if not overview.unreadable and overview.rows:
        tokens = whole.tokens()
        assert (overview.tokens, overview.trained_tokens) == (tokens.total, tokens.trained)
        assert overview.cost() == whole.cost()
        assert overview.cost(epochs=2) == whole.cost(epochs=2)


@pytest.mark.parametrize("format_", ["chat", "preference"])
def test_groups_give_what_a_whole_comparison_gives(format_: Any) -> None:
    """Repeated rows and conflicts, found prompt by prompt, are those that `combine` finds at once."""
    rows = many(30) * 2 + [chat(user(f"Question {n}"), answer("No."))[0] for n in range(5)]
    if format_ == "preference":
        turned = pair(preferred_output=[answer("No idea.")], non_preferred_output=[answer()])
        rows = pair() * 2 + pair(preferred_output=[answer("At home.")]) + turned
    survey = RowSurvey(format=format_)
    facts = surveyed(survey, as_bytes(rows), parts=2)
    groups: dict[str, list[Any]] = {}
    for one in facts:
        groups.setdefault(one["prompt"], []).append(one)

    apart = [problem for group in groups.values() for problem in survey.repeats(group)]
    columns = [
        {name: [one[name] for one in group] for name in group[0]} for group in groups.values()
    ]
    without = survey.combine(facts, repeats=False).check.problems

    assert apart
    assert Counter(survey.combine(facts).check.problems) == Counter([*without, *apart])
    assert apart == [problem for group in columns for problem in survey.repeats(group)]


def test_a_batch_of_columns_gives_what_a_partition_gives() -> None:
    """Lists, arrays, text and bytes give the same columns; those to keep come along, others do not."""
    numpy = pytest.importorskip("numpy")
    lines = [*as_bytes(many(4)).decode().split("\n")[:4], "{"]
    survey = RowSurvey(text="value", line="number", keep=["path"])
    expected = list(survey.partition(enumerate(lines, start=7)))
    batches: list[dict[str, Any]] = [
        {"value": lines, "number": [7, 8, 9, 10, 11]},
        {"value": numpy.array(lines, dtype=object), "number": numpy.arange(7, 12)},
        {"value": [f"{line}\n".encode() for line in lines], "number": numpy.arange(7, 12)},
    ]

    for batch in batches:
        columns = survey({**batch, "path": list("abcde"), "other": [0] * 5})

        assert columns.pop("path") == list("abcde")
        assert [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ] == expected
    assert RowSurvey()({"text": lines})["line"] == [0] * 5
    assert RowSurvey()({"text": lines, "line": range(5, 10)})["line"] == [5, 6, 7, 8, 9]


def test_rows_without_numbers_are_numbered_as_they_come() -> None:
    """Problems always name a row, whether or not an engine could number the lines."""
    survey = RowSurvey()
    facts = list(survey.partition(["{}", "", "{}"]))

    assert {problem.line for problem in survey.combine(facts).check.problems} == {0, 1, 2, 3}
    with pytest.raises(DatasetError, match="no line number"):
        survey.repeats(facts)


def test_keys_tell_rows_apart() -> None:
    """Formatting changes no key; tools and fields change the key but not the prompt, answers the reverse half."""
    message = {"messages": [user(), answer()]}
    lines = [
        json.dumps(message),
        json.dumps(message, indent=1).replace("\n", " "),
        json.dumps({**message, "id": 1}),
        json.dumps({"messages": [user(), answer("Lost.")]}),
        "{}",
    ]
    same, spaced, named, other, broken = RowSurvey().partition(lines)

    assert same["key"] == spaced["key"] != named["key"]
    assert same["prompt"] == named["prompt"] == other["prompt"]
    assert same["key"][:16] == other["key"][:16]
    assert same["key"][16:] != other["key"][16:]
    assert (broken["key"], broken["prompt"], broken["tokens"]) == ("", "", 0)
    assert len(same["key"]) == 32


def test_another_process_finds_the_same() -> None:
    """A survey travels by pickle to a fresh interpreter; keys do not depend on the process."""
    survey = RowSurvey(model="gpt-4o-mini-2024-07-18", provider="azure")
    lines = as_bytes([*many(5), {"messages": []}]).decode().splitlines()
    code = (
        "import pickle, sys; survey, lines = pickle.load(sys.stdin.buffer);"
        "sys.stdout.buffer.write(pickle.dumps(list(survey.partition(lines))))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps((survey, lines)),
        capture_output=True,
        check=True,
    )

    assert pickle.loads(done.stdout) == list(survey.partition(lines))  # noqa: S301
    assert len(pickle.dumps(survey)) < 1_000


def test_threads_may_share_a_survey() -> None:
    """Dask and notebooks run several threads in one process; each gets its own counts."""
    survey = RowSurvey()
    called = chat(user(), answer(), tools=[{"type": "function", "function": {"name": "a"}}])
    lines = as_bytes((many(40) + called * 20) * 3).decode().splitlines()
    expected = list(survey.partition(lines))
    found: dict[int, list[Any]] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: list(survey.partition(lines))}))
        for n in range(6)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [found[n] == expected for n in range(6)] == [True] * 6


def test_partitions_are_read_as_they_are_asked_for() -> None:
    """A partition of any length is held a block at a time."""
    line, taken = as_bytes(many(1)).decode(), 0

    def endless() -> Iterable[str]:
        nonlocal taken
        while True:
            taken += 1
            yield line

    facts = iter(RowSurvey().partition(endless()))

    assert all(next(facts)["tokens"] > 0 for _ in range(3_000))
    assert taken < 5_000


def test_without_repeats_memory_does_not_grow() -> None:
    """The sums of fifty thousand records take no more room than those of a thousand."""
    survey = RowSurvey()
    (one,) = survey.partition(as_bytes(many(1)).decode().splitlines())

    def peak(rows: int) -> int:
        tracemalloc.start()
        survey.combine((one | {"line": n} for n in range(1, rows)), repeats=False)
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    assert peak(50_000) < peak(1_000) + 10_000


@given(st.lists(st.text(min_size=1), min_size=1, max_size=20), st.integers(0, 3))
def test_no_row_ever_moves(keys: list[str], seed: int) -> None:
    """A part depends on key and seed alone; larger shares take from training and give nothing back."""
    for key in keys:
        small = part_of(key, validation=0.1, test=0.1, seed=seed)
        large = part_of(key, validation=0.3, test=0.2, seed=seed)

        assert small == part_of(key, validation=0.1, test=0.1, seed=seed)
        assert small in ("train", large)


def test_shares_hold_on_the_average() -> None:
    """Twenty thousand keys fall as asked, within what chance allows; another seed draws anew."""
    keys = [f"customer {n}" for n in range(20_000)]
    parts = [part_of(key, validation=0.1, test=0.05, seed=1) for key in keys]
    counts = Counter(parts)

    assert abs(counts["validation"] - 2_000) < 200
    assert abs(counts["test"] - 1_000) < 150
    assert parts != [part_of(key, validation=0.1, test=0.05, seed=2) for key in keys]
    assert {part_of(key, validation=0) for key in keys} == {"train"}


def test_faults_of_the_caller_are_named() -> None:
    """Wrong arguments stop on the driver; wrong batches say which column or what to give."""
    survey = RowSurvey()

    with pytest.raises(ProviderError):
        RowSurvey(model="gpt-5-large")
    with pytest.raises(ProviderError, match="must be one of"):
        RowSurvey(provider="opnai")  # type: ignore[arg-type]  # the fault under test
    with pytest.raises(ValueError, match="format must be one of"):
        RowSurvey(format="chats")  # type: ignore[arg-type]  # the fault under test
    with pytest.raises(ValueError, match="'tokens' is added"):
        RowSurvey(keep=["tokens"])
    with pytest.raises(DatasetError, match="no column 'text'; it has 'value'"):
        survey({"value": ["{}"]})
    with pytest.raises(DatasetError, match="no column 'number'"):
        RowSurvey(line="number")({"text": ["{}"]})
    with pytest.raises(DatasetError, match="A line is a tuple"):
        list(survey.partition([("{}",)]))  # type: ignore[list-item]  # the fault under test
    with pytest.raises(DatasetError, match="has no columns"):
        survey(["{}"])
    with pytest.raises(DatasetError, match="A line is a dict"):
        list(survey.partition([{"messages": []}]))  # type: ignore[list-item]  # the fault under test
    with pytest.raises(DatasetError, match=r"is 1\.5"):
        survey({"text": ["{}"], "line": [1.5]})
    with pytest.raises(DatasetError, match="has no 'line'"):
        survey.combine([{"tokens": 3}])
    with pytest.raises(DatasetError, match="1 row cannot be read"):
        survey.combine(survey.partition(["{}"])).cost()
    with pytest.raises(DatasetError, match="no rows"):
        survey.combine([]).cost()
    with pytest.raises(DatasetError, match="read_binary_files"):
        file_lines({"text": "{}"})
    with pytest.raises(ValueError, match="key is empty"):
        part_of("")


def test_a_model_that_the_catalog_does_not_know_is_checked_but_not_counted() -> None:
    """A compatible service may serve any model; there are no counts and no price then."""
    survey = RowSurvey(model="llama-3.1-8b", provider="compatible")

    overview = survey.combine(survey.partition(as_bytes(many()).decode().splitlines()))

    assert (overview.check.ok, overview.check.model, overview.tokens) == (True, None, None)
    with pytest.raises(ProviderError, match="catalog"):
        overview.cost()


def test_an_overview_can_be_read() -> None:
    """Text and plain values name rows, tokens and problems."""
    survey = RowSurvey()
    overview = survey.combine(survey.partition([*as_bytes(many()).decode().splitlines(), "{}"]))

    assert str(overview).startswith("11 rows, 1 unreadable, ")
    assert str(overview).endswith(str(overview.check))
    assert json.loads(json.dumps(overview.to_dict()))["unreadable"] == 1
    assert "<pre" in overview._repr_html_()
