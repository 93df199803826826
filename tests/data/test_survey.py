"""One pass over many rows gives what looking at one row after the other gives, in however many processes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from array import array
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune.catalog import DEFAULT_MODEL, load
from gpt4o_tune.data import Dataset
from gpt4o_tune.data._crew import share_out
from gpt4o_tune.data._keys import row_key
from gpt4o_tune.data._store import RowStore
from gpt4o_tune.data._survey import Wanted, survey
from gpt4o_tune.data.checks import Source, check, scope_for
from gpt4o_tune.data.checks.corpus import COUNTABLE
from gpt4o_tune.data.tokens import count_row
from gpt4o_tune.errors import DatasetError
from tests.data import crew_work
from tests.data.cases import CASES, as_bytes, chat, many

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.text(max_size=12) | st.sampled_from(
    ["", " ", "\n", "Hi", 'a": "b', "\\", '\\"', "\u017f"]
)
ROLES = st.sampled_from(["system", "user", "assistant", "tool", "developer", "System", "x"])
MESSAGES = st.fixed_dictionaries(
    {"role": ROLES, "content": TEXTS | st.none()},
    optional={"weight": st.sampled_from([0, 1, 2, True, 1.0, None, "1"]), "name": TEXTS},
)
ROWS = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGES, max_size=5)},
    optional={"tools": st.just([]), "id": st.integers()},
)
PLAIN = st.lists(TEXTS, min_size=1, max_size=4).map(
    lambda texts: {
        "messages": [
            {"role": "user" if place % 2 else "assistant", "content": text}
            for place, text in enumerate(texts, start=1)
        ]
    }
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A row as some program may have written it, often damaged in a byte or two."""
    row = draw(ROWS | PLAIN)
    line = json.dumps(row, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        place = draw(st.integers(0, len(line)))
        cut = draw(st.integers(0, 2))
        put = draw(
            st.sampled_from([b"", b'"', b"\\", b",", b" ", b"\x01", b"\xff", b"\\ud800", b"}"])
        )
        line = line[:place] + put + line[place + cut :]
    return line.replace(b"\n", b"") + draw(st.sampled_from([b"\n", b"\r\n"]))


WANTED = Wanted(
    format="chat",
    model=DEFAULT_MODEL,
    provider="openai",
    method="supervised",
    judge=True,
    count=True,
)


def opened(folder: Path, data: bytes) -> RowStore:
    """Write a file and map it."""
    path = folder / "data.jsonl"
    path.write_bytes(data)
    return RowStore.from_file(path)


@settings(max_examples=150)
@given(st.lists(lines(), min_size=1, max_size=12))
def test_the_short_way_finds_what_the_long_way_finds(
    tmp_path_factory: pytest.TempPathFactory, rows: list[bytes]
) -> None:
    """A check of a file reports exactly what every rule, applied to every row, reports."""
    path = tmp_path_factory.mktemp("rows") / "data.jsonl"
    path.write_bytes(b"".join(rows))
    data = Dataset.from_jsonl(path, format="chat")
    source = Source(
        head=b"".join(rows)[:4096],
        size=path.stat().st_size,
        has_bom=False,
        blank_lines=(),
        name="data.jsonl",
    )
    scope = scope_for(DEFAULT_MODEL, provider="openai", method="supervised", format="chat")

    report = data.check()

    assert list(report.problems) == check(enumerate(rows, start=1), source=source, scope=scope)


@settings(max_examples=100)
@given(st.lists(ROWS | PLAIN, min_size=1, max_size=8))
def test_counts_and_keys_are_those_of_each_row(rows: list[dict[str, Any]]) -> None:
    """Counted together or alone, a row has the same tokens; its key tells its messages from all others."""
    data = Dataset.from_records(rows, format="chat")
    store = RowStore(b"".join(json.dumps(row).encode() + b"\n" for row in rows))

    gathered = survey(store, range(len(store)), WANTED)

    for place, row in enumerate(rows):
        if not gathered.marks[place] & COUNTABLE:
            with pytest.raises(DatasetError):
                data.select([place]).tokens()
            continue
        model = load().get(DEFAULT_MODEL)
        assert gathered.totals[place] == count_row(row, model=model)
        assert bytes(gathered.keys[16 * place : 16 * place + 16]) == row_key(row)
    keys = {row_key(row) for row in rows}
    assert len(keys) == len({json.dumps(row["messages"], sort_keys=True) for row in rows})


def test_helpers_change_nothing(tmp_path: Path) -> None:
    """One process and three give the same problems, marks, keys and counts, for any choice of rows."""
    faulty = [row for case in CASES if isinstance(case.fails, list) for row in case.fails]
    rows = many(3_000, answers=3_000) + faulty + chat() * 3
    random.Random(5).shuffle(rows)
    store = opened(tmp_path, b"\xef\xbb\xbf\n" + as_bytes(rows))
    everything = range(len(store))
    draw = random.Random(6)

    for numbers in (
        everything,
        everything[100:1_900],
        *(array("Q", draw.sample(everything, count)) for count in (2, 5, 50, 1_000)),
    ):
        alone = survey(store, numbers, WANTED, helpers=0)
        together = survey(store, numbers, WANTED, helpers=2)

        assert together == alone
        assert len(alone.marks) == len(numbers)


def test_a_changed_file_is_noticed_by_all(tmp_path: Path) -> None:
    """A file that was written to after it was opened is refused, also where helpers read it."""
    store = opened(tmp_path, as_bytes(many(2_000)))
    (tmp_path / "data.jsonl").write_bytes(as_bytes(many(2_001)))

    with pytest.raises(DatasetError, match="changed after it was opened"):
        survey(store, range(len(store)), WANTED, helpers=1)


def test_what_one_pass_found_is_not_looked_for_again(tmp_path: Path) -> None:
    """After a scan the file may go: check, tokens and cost answer from memory."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(as_bytes(many(40)))
    data = Dataset.from_jsonl(path).scan()
    fresh = Dataset.from_jsonl(path)
    expected = fresh.check(), fresh.tokens(), fresh.cost()

    path.write_bytes(b"")

    assert (data.check(), data.tokens(), data.cost()) == expected
    with pytest.raises(DatasetError, match="changed after it was opened"):
        data.check(provider="azure")


def test_tasks_are_done_in_order_by_many() -> None:
    """Results come back in the order of the tasks, whoever did them."""
    tasks = list(range(200))

    assert list(share_out(crew_work.squares, tasks, helpers=2)) == [task**2 for task in tasks]


def test_the_work_of_a_dead_helper_is_done_here(caplog: pytest.LogCaptureFixture) -> None:
    """Helpers that die in the middle of a task lose nothing; a warning says that they did."""
    tasks = [os.getpid(), *range(50)]

    done = list(share_out(crew_work.dying_elsewhere, [(os.getpid(), n) for n in tasks], helpers=2))

    assert done == tasks
    assert "a helper process ended early" in caplog.text


def test_a_fault_in_a_helper_is_raised_here() -> None:
    """What goes wrong in a task is raised as it is, from wherever it was done."""
    with pytest.raises(ValueError, match="task 7"):
        list(share_out(crew_work.failing_at_seven, list(range(40)), helpers=2))


def test_helpers_say_nothing_on_the_way_of_results(capfd: pytest.CaptureFixture[str]) -> None:
    """A task that prints does not damage what helpers return."""
    assert list(share_out(crew_work.printing, list(range(20)), helpers=1)) == list(range(20))


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """Helpers do not run the user's script again, whatever the working folder holds."""
    rows = tmp_path / "data.jsonl"
    rows.write_bytes(as_bytes(many(2_000)))
    (tmp_path / "json.py").write_text("raise RuntimeError('not the standard library')")
    script = tmp_path / "script" / "main.py"
    script.parent.mkdir()
    script.write_text(
        "from gpt4o_tune.data._store import RowStore\n"
        "from gpt4o_tune.data._survey import Wanted, survey\n"
        f"store = RowStore.from_file({str(rows)!r})\n"
        "wanted = Wanted(format='chat', model='gpt-4o', provider='openai', method='supervised',\n"
        "                judge=True, count=False)\n"
        "print(len(survey(store, range(len(store)), wanted, helpers=1).marks))\n"
    )

    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == ("2000\n", "")
