"""A dataset opens, shows, chooses and writes rows without ever changing one."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import stat
import subprocess
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.data import Dataset
from gpt4o_tune.errors import DatasetError, DatasetNotFoundError, ProviderError
from tests.data.cases import answer, as_bytes, chat, many, user

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with twelve sound rows."""
    path = tmp_path / "tickets.jsonl"
    path.write_bytes(as_bytes(many(12)))
    return path


# Bytes

blanks = st.sampled_from([b"\n", b"  \n", b"\r\n", b"\t\r\n"])
row_bytes = (
    st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
    .map(lambda text: json.dumps({"messages": [user(text)]}, ensure_ascii=False))
    .map(str.encode)
)


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, list[bytes], bytes]:
    """A file, its rows as they stand in it, and what is left of it without mark and blank lines."""
    rows = [line + draw(st.sampled_from([b"\n", b"\r\n"])) for line in draw(st.lists(row_bytes))]
    if rows and draw(st.booleans()):
        rows[-1] = rows[-1].rstrip(b"\r\n")
    whole = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    for row in rows:
        whole += b"".join(draw(st.lists(blanks, max_size=2))) + row
    return whole, rows, b"".join(rows)


@given(case=files())
def test_an_untouched_file_is_written_byte_for_byte(
    case: tuple[bytes, list[bytes], bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Line ends, escapes and a missing last line end stay; a mark and blank lines go."""
    whole, rows, left = case
    path = tmp_path_factory.getbasetemp() / "round.jsonl"
    path.write_bytes(whole)

    data = Dataset.from_jsonl(path)

    assert len(data) == len(rows)
    assert [data.raw(n) for n in range(len(data))] == [row.rstrip(b"\r\n") for row in rows]
    assert data.to_jsonl(path.with_suffix(".out")).read_bytes() == left
    assert data.fingerprint == hashlib.sha256(left).hexdigest()


@given(case=files(), numbers=st.lists(st.integers(0, 100)), part=st.slices(10))
def test_choosing_moves_bytes_and_leaves_them_alone(
    case: tuple[bytes, list[bytes], bytes],
    numbers: list[int],
    part: slice,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Slices and selections write the very bytes of their rows, each on a line of its own."""
    whole, rows, _ = case
    path = tmp_path_factory.getbasetemp() / "chosen.jsonl"
    path.write_bytes(whole)
    data = Dataset.from_jsonl(path)
    ended = [row if row.endswith(b"\n") else row + b"\n" for row in rows]
    numbers = [number % len(rows) for number in numbers] if rows else []

    chosen = data.select(numbers)

    assert [chosen.raw(n) for n in range(len(chosen))] == [rows[n].rstrip(b"\r\n") for n in numbers]
    assert list(chosen.lines) == [data.lines[n] for n in numbers]
    if numbers != list(range(len(rows))):
        written = chosen.to_jsonl(path.with_suffix(".out")).read_bytes()
        assert written == b"".join(ended[n] for n in numbers)
    assert [data[part].raw(n) for n in range(len(data[part]))] == [
        row.rstrip(b"\r\n") for row in rows[part]
    ]


def test_writing_over_the_source_is_safe(file: Path) -> None:
    """The file is replaced and not written into, so what was opened stays readable."""
    data = Dataset.from_jsonl(file)
    before = [data.raw(n) for n in range(12)]

    data[::-1].to_jsonl(file)

    assert [data.raw(n) for n in range(12)] == before
    again = Dataset.from_jsonl(file)
    assert [again.raw(n) for n in range(12)] == before[::-1]
    assert os.listdir(file.parent) == [file.name]


def test_writing_through_a_link_keeps_the_link(file: Path) -> None:
    """What the link points to is replaced."""
    link = file.with_name("link.jsonl")
    link.symlink_to(file)

    Dataset.from_jsonl(file)[:2].to_jsonl(link)

    assert link.is_symlink()
    assert len(Dataset.from_jsonl(file)) == 2


def test_a_failed_write_leaves_the_old_file(file: Path, tmp_path: Path) -> None:
    """A file that changed under the dataset stops the write, and no half file stays behind."""
    target = tmp_path / "out.jsonl"
    target.write_bytes(b"old")
    data = Dataset.from_jsonl(file)
    with file.open("ab") as handle:
        handle.write(b"{}\n")

    with pytest.raises(DatasetError, match="changed after it was opened"):
        data.to_jsonl(target)

    assert target.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["out.jsonl", "tickets.jsonl"]


def test_a_new_file_has_the_usual_permissions(file: Path, tmp_path: Path) -> None:
    """Colleagues can read what was written, as with any other file."""
    written = Dataset.from_jsonl(file).to_jsonl(tmp_path / "out.jsonl")
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize("change", [lambda p: p.write_bytes(b""), lambda p: p.write_bytes(b"x")])
@pytest.mark.parametrize(
    "use",
    [
        lambda data: data[0],
        lambda data: data.raw(3),
        lambda data: list(data),
        lambda data: data.fingerprint,
        lambda data: data.check(),
        lambda data: data.tokens(),
    ],
)
def test_a_file_that_shrank_is_an_error_and_no_crash(
    file: Path, change: Callable[[Path], int], use: Callable[[Dataset], object]
) -> None:
    """Reading a mapping beyond the end of its file would end the process."""
    data = Dataset.from_jsonl(file)
    change(file)
    with pytest.raises(DatasetError, match="changed after it was opened"):
        use(data)


# Opening


def test_a_missing_file_names_its_neighbours(file: Path) -> None:
    """A slip of the finger is answered with the name that was meant."""
    with pytest.raises(DatasetNotFoundError, match=r"Did you mean '.*tickets\.jsonl'") as caught:
        Dataset.from_jsonl(file.with_name("ticket.jsonl"))
    assert isinstance(caught.value, FileNotFoundError)
    assert caught.value.path.endswith("ticket.jsonl")
    with pytest.raises(DatasetNotFoundError, match=r"The folder holds '.*tickets\.jsonl'"):
        Dataset.from_jsonl(file.with_name("q"))
    with pytest.raises(DatasetNotFoundError, match="does not exist either"):
        Dataset.from_jsonl(file.parent / "no" / "x.jsonl")


def test_a_folder_names_its_files(file: Path) -> None:
    """A folder is no dataset, but it tells what is in it."""
    with pytest.raises(DatasetNotFoundError, match=r"is a folder\..*tickets\.jsonl"):
        Dataset.from_jsonl(file.parent)
    with pytest.raises(DatasetNotFoundError, match="is a folder"):
        Dataset.from_jsonl(file).to_jsonl(file.parent)
    with pytest.raises(DatasetNotFoundError, match="does not exist"):
        Dataset.from_jsonl(file).to_jsonl(file.parent / "no" / "out.jsonl")


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    """A device or a pipe cannot be mapped."""
    with pytest.raises(DatasetNotFoundError, match="not a regular file"):
        Dataset.from_jsonl(os.devnull)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_forbidden_file_says_so(file: Path) -> None:
    """The message is about permissions and not about names."""
    file.chmod(0)
    with pytest.raises(DatasetNotFoundError, match="permissions"):
        Dataset.from_jsonl(file)


def test_a_misspelt_format_or_provider_is_refused_at_once(file: Path) -> None:
    """The message has the words that exist."""
    with pytest.raises(ValueError, match="'chat', 'preference', 'reinforcement'"):
        Dataset.from_jsonl(file, format="supervised")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'chat', 'preference', 'reinforcement'"):
        Dataset.from_records([], format="dpo")  # type: ignore[arg-type]
    for verb in (Dataset.check, Dataset.cost):
        with pytest.raises(ProviderError, match="'openai', 'azure', 'compatible', 'local'"):
            verb(Dataset.from_jsonl(file), provider="opnai")  # type: ignore[arg-type]


def test_opening_and_checking_import_nothing_heavy(file: Path) -> None:
    """Rows are checked in plain Python; models, vocabularies and clients wait until they are needed."""
    code = (
        "import sys; from gpt4o_tune.data import Dataset; "
        f"data = Dataset.from_jsonl({str(file)!r}); assert data.check().ok; len(data[3:]); "
        "print([m for m in ('pydantic', 'tiktoken', 'numpy', 'openai', 'httpx') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    """It opens, shows, writes and checks; what needs rows says what to do."""
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"")
    data = Dataset.from_jsonl(path)
    assert len(data) == 0
    assert list(data) == []
    assert "0 rows" in repr(data)
    assert data.to_jsonl(tmp_path / "out.jsonl").read_bytes() == b""
    assert [problem.code for problem in data.check().errors] == ["empty-file"]


@pytest.mark.parametrize(
    "verb",
    [
        Dataset.tokens,
        Dataset.cost,
        Dataset.split,
        Dataset.duplicates,
        lambda data: data.overlap(data),
        lambda data: list(data.records()),
    ],
)
@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty-file"), (b'{"messages": 1}\n' * 3, "missing-messages"), (b"{\n", "invalid-json")],
)
def test_verbs_that_need_sound_rows_say_run_check(
    verb: Callable[[Dataset], object], content: bytes, code: str, tmp_path: Path
) -> None:
    """Broken data is one error, with every problem attached."""
    path = tmp_path / "broken.jsonl"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"Run check\(\)") as caught:
        verb(Dataset.from_jsonl(path))
    assert [problem.code for problem in caught.value.problems] == [code] * max(
        1, content.count(b"messages")
    )


# Records


def test_records_are_written_once_and_compactly() -> None:
    """Keys keep their order and text its characters."""
    data = Dataset.from_records([MappingProxyType({"messages": (user("Wo?"), answer("Köln 😀"))})])
    assert data.raw(0).decode() == (
        '{"messages":[{"role":"user","content":"Wo?"},{"role":"assistant","content":"Köln 😀"}]}'
    )


def test_records_may_come_from_a_generator_and_from_a_dataset() -> None:
    """Any iterable of mappings or row models will do; models say nothing that they were not given."""
    data = Dataset.from_records(row for row in many(3))
    assert Dataset.from_records(data) == data
    assert Dataset.from_records(data.records()) == data
    assert list(data.lines) == [1, 2, 3]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*many(1), {"messages": [user("\ud83d")]}], "Record 2 .*surrogate"),
        ([{"messages": [], "score": float("nan")}], "Record 1 .*score is nan"),
        ([{"messages": [{1: "a"}]}], r"Record 1 .*key 1 in messages\[0\] is a int"),
        ([*many(2), {"messages": {user}}], "Record 3 .*messages is a set"),
        ([*many(1), "text"], "Record 2 is a str"),
        ({"messages": []}, "Put the row into a list"),
        ("data.jsonl", "from_jsonl"),
        (7, "not a int"),
    ],
)
def test_records_that_json_would_change_are_refused(rows: Any, message: str) -> None:
    """The number of the record and the place in it are in the message."""
    with pytest.raises(DatasetError, match=message):
        Dataset.from_records(rows)


def test_a_record_that_holds_itself_is_refused() -> None:
    """A cycle ends in an error and not in a crash."""
    row: dict[str, object] = {}
    row["messages"] = [row]
    with pytest.raises(DatasetError, match="nested too deeply"):
        Dataset.from_records([row])


# Choosing


def test_verbs_return_new_datasets(file: Path) -> None:
    """No verb changes its receiver."""
    data = Dataset.from_jsonl(file)
    before = data.fingerprint
    data[2:5], data.select([3, 3, -1]), data.filter(lambda row: False), data.drop([0])
    data.deduplicate()
    assert (len(data), data.fingerprint) == (12, before)


def test_a_filter_sees_models(file: Path) -> None:
    """The predicate is called with the row as `dataset[i]` gives it."""
    data = Dataset.from_jsonl(file)
    kept = data.filter(lambda row: row.messages[0].content == "Question 7")
    assert list(kept.lines) == [8]


def test_dropping_goes_by_number_and_by_problem() -> None:
    """The errors of a report are what is left out; a problem of the whole file drops nothing."""
    data = Dataset.from_records([*many(3), *chat(user(), answer(weight=3)), *many(2)])
    sound = data.drop(data.check().errors)
    assert list(sound.lines) == [1, 2, 3, 5, 6]
    assert not [problem for problem in sound.check().errors if problem.line]
    assert list(data.drop([0, -1]).lines) == [2, 3, 4, 5]
    with pytest.raises(IndexError):
        data.drop([6])


def test_deduplicating_keeps_the_first() -> None:
    """Of equal rows one stays, in its place."""
    data = Dataset.from_records([*many(3), *many(2)])
    assert list(data.deduplicate().lines) == [1, 2, 3]


def test_indexing_is_that_of_a_sequence(file: Path) -> None:
    """Negative numbers count from the end, and there is an end."""
    data = Dataset.from_jsonl(file)
    assert data[-1] == data[11]
    assert data[:3][-1] == data[2]
    assert data[5:][0].messages[0].content == "Question 5"
    with pytest.raises(IndexError):
        data[12]
    with pytest.raises(IndexError):
        data.select([12])


def test_a_broken_row_is_an_error_with_its_problem(tmp_path: Path) -> None:
    """Only the row that is asked for matters."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(as_bytes(many(2)) + b"\n{'messages': []}\n")
    data = Dataset.from_jsonl(path)
    assert data[1].messages
    with pytest.raises(DatasetError, match="line 4") as caught:
        data[2]
    (problem,) = caught.value.problems
    assert (problem.code, problem.line) == ("invalid-json", 4)


# Identity


def test_equal_bytes_are_equal_datasets(file: Path) -> None:
    """Where rows come from does not matter, what they are does."""
    data = Dataset.from_jsonl(file)
    twin = Dataset.from_records(data.records())
    assert data != twin
    assert Dataset.from_jsonl(twin.to_jsonl(file.with_name("twin.jsonl"))) == twin
    assert data[:5] == data.select(range(5))
    assert len({data, data[:], data[:5]}) == 2
    assert data != [*data]


@pytest.mark.parametrize("part", [slice(None), slice(1, 9, 3)])
def test_a_dataset_survives_pickling_and_copying(file: Path, part: slice) -> None:
    """From a file it opens the file again, from records it carries the bytes."""
    for data in (Dataset.from_jsonl(file)[part], Dataset.from_records(many(12))[part]):
        assert pickle.loads(pickle.dumps(data)) == data  # noqa: S301  # bytes of our own
        assert copy.copy(data) == copy.deepcopy(data) == data


def test_a_pickle_of_another_file_is_refused(file: Path) -> None:
    """Row numbers mean nothing in a file that was replaced meanwhile."""
    pickled = pickle.dumps(Dataset.from_jsonl(file))
    Dataset.from_jsonl(file)[:3].to_jsonl(file)
    with pytest.raises(DatasetError, match="changed since the dataset was pickled"):
        pickle.loads(pickled)  # noqa: S301  # bytes of our own


def test_one_line_says_what_it_is(file: Path) -> None:
    """Name, rows, format and size, in text and in a notebook."""
    data = Dataset.from_jsonl(file)
    size = file.stat().st_size
    assert repr(data) == f"Dataset('tickets.jsonl', 12 rows, chat, {size:,} bytes)"
    assert "12 rows" in data._repr_html_()


# Verbs of other modules, through the dataset


def test_tokens_of_parts_add_up_and_are_counted_once(file: Path) -> None:
    """A part of a counted dataset has the counts of its rows."""
    data = Dataset.from_jsonl(file)
    whole = data.tokens()
    assert data[3:7].tokens().per_row == whole.per_row[3:7]
    assert sum(part.tokens().total for part in data.split(0.25)) == whole.total


def test_cost_follows_the_catalog(file: Path) -> None:
    """Tokens times epochs times price, and no price where there is none."""
    data = Dataset.from_jsonl(file)
    estimate = data.cost(epochs=2)
    assert estimate.tokens == 2 * data.tokens().total
    assert estimate.usd == pytest.approx(estimate.tokens * 25 / 1e6)
    assert data.cost(provider="local").usd == 0
    with pytest.raises(ProviderError):
        data.cost(model="gpt-4oo")


def groups_of(part: Dataset, key: str) -> set[object]:
    """Return the values of a field."""
    return {row[key] for row in part.records()}


def routed(count: int = 60) -> Dataset:
    """Rows of ten customers and two classes, no two alike."""
    return Dataset.from_records(
        chat(
            user(" ".join(hashlib.sha256(b"%d" % n).hexdigest()[k : k + 4] for k in range(20))),
            answer(str(n)),
            customer=n % 10,
            topic="ab"[n % 2],
        )[0]
        for n in range(count)
    )


def test_a_split_is_a_partition() -> None:
    """Each row goes to one part, parts keep the order, and the same seed gives the same parts."""
    data = routed()
    train, validation, test = data.split(0.2, test=0.1, seed=5)
    lines = [line for part in (train, validation, test) for line in part.lines]
    assert sorted(lines) == list(data.lines)
    assert [len(train), len(validation), len(test)] == [42, 12, 6]
    assert all(list(part.lines) == sorted(part.lines) for part in (train, validation, test))
    assert list(data.split(0.2, test=0.1, seed=5).validation.lines) == list(validation.lines)
    assert list(data.split(0.2, test=0.1, seed=6).validation.lines) != list(validation.lines)


def test_a_split_keeps_together_what_belongs_together() -> None:
    """By a field or by a function of the row, a group is never divided."""
    data = routed()
    for by in ("customer", lambda row: row.customer):
        train, validation = data.split(0.2, by=by)
        assert validation
        assert not groups_of(train, "customer") & groups_of(validation, "customer")


def test_a_split_keeps_shares_of_classes() -> None:
    """Each class has its share in each part."""
    _, validation = routed().split(0.2, stratify="topic")
    topics = [row["topic"] for row in validation.records()]
    assert topics.count("a") == topics.count("b") == 6


def test_repeated_rows_never_straddle_a_split() -> None:
    """Copies go to one part, and the leakage report is empty."""
    data = routed(30)
    twice = data.select([*range(30), *range(30)])
    split = twice.split(0.2)
    assert not split.leakage.rows
    assert not split.validation.overlap(split.train).rows
    assert twice.duplicates() == [(n, n + 30) for n in range(30)]


def test_a_field_that_rows_lack_is_named() -> None:
    """The message has the line and the fields that are there."""
    with pytest.raises(DatasetError, match=r"Line 1 has no key 'client'.*'customer'"):
        routed().split(by="client")
