"""Tables of other libraries are read as the libraries make them, without importing any.

Each test is skipped where its library is not installed; none is a dependency.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from gpt4o_tune.data import Dataset
from gpt4o_tune.errors import DatasetError, MissingExtraError
from tests.data.cases import answer, call, chat, pair, result, tool, user

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAQ = {"question": ["Where?", "Why?"], "answer": ["Here.", "So."], "role": ["Be brief.", None]}
COLUMNS = {"prompt": "question", "completion": "answer", "system": "role"}
FAQ_ROWS = chat({"role": "system", "content": "Be brief."}, user("Where?"), answer("Here.")) + chat(
    user("Why?"), answer("So.")
)
# In one column of structs, each message gets the keys of all others as nulls.
NESTED = [
    *chat(
        user(), {"role": "assistant", "tool_calls": [call()]}, result(), answer(), tools=[tool()]
    ),
    *chat(user("a"), answer("b", weight=0), user("c"), answer("d")),
]


def pandas(columns: dict[str, list[Any]]) -> Any:
    """Make a table of pandas."""
    return pytest.importorskip("pandas").DataFrame(columns)


def polars(columns: dict[str, list[Any]]) -> Any:
    """Make a table of polars, by way of pyarrow: its own guess of a schema forgets keys."""
    return pytest.importorskip("polars").from_arrow(pyarrow(columns))


def pyarrow(columns: dict[str, list[Any]]) -> Any:
    """Make a table of pyarrow."""
    return pytest.importorskip("pyarrow").table(columns)


def hugging_face(columns: dict[str, list[Any]]) -> Any:
    """Make a dataset of Hugging Face."""
    return pytest.importorskip("datasets").Dataset.from_dict(columns)


tables = pytest.mark.parametrize("table", [pandas, polars, pyarrow, hugging_face])


@tables
def test_columns_of_text_become_rows(table: Callable[..., Any]) -> None:
    """A cell with nothing in it is missing: None, and NaN in pandas."""
    assert list(Dataset.read(table(FAQ), columns=COLUMNS).records()) == FAQ_ROWS


@tables
def test_nested_columns_lose_the_nulls_that_tables_add(table: Callable[..., Any]) -> None:
    """Messages and tools come back with the keys that they had."""
    columns = {"messages": [row["messages"] for row in NESTED], "tools": [[tool()], []]}

    read = list(Dataset.read(table(columns)).records())

    assert [row["messages"] for row in read] == [row["messages"] for row in NESTED]
    assert read[0]["tools"] == [tool()]


@tables
def test_preferences_are_read(table: Callable[..., Any]) -> None:
    """In the form that datasets for TRL have."""
    columns = {
        "prompt": [[user()]],
        "chosen": [[answer("On its way.")]],
        "rejected": [[answer("No idea.")]],
    }

    assert list(Dataset.read(table(columns)).records()) == pair()


@tables
def test_a_missing_cell_is_an_error_where_it_is_needed(table: Callable[..., Any]) -> None:
    """With the number of the record."""
    columns = {"prompt": ["a", "b"], "completion": ["c", None]}

    with pytest.raises(DatasetError, match=r"Record 2 of the .*: 'completion' is missing or empty"):
        Dataset.read(table(columns), form="prompt-completion")


@tables
def test_a_column_that_is_not_there_is_named(table: Callable[..., Any]) -> None:
    """Before any record is read."""
    with pytest.raises(DatasetError, match=r"no column 'questions'. Did you mean 'question'"):
        Dataset.read(table(FAQ), columns={"prompt": "questions", "completion": "answer"})


def test_tables_without_rows_say_what_to_do() -> None:
    """A lazy table, splits of which none is chosen, a column alone."""
    for source, words in (
        (polars(FAQ).lazy(), "collect"),
        (pytest.importorskip("datasets").DatasetDict(train=hugging_face(FAQ)), "one of 'train'"),
        (pandas(FAQ)["question"], "not a Series"),
    ):
        with pytest.raises(DatasetError, match=words):
            Dataset.read(source)


def test_parquet_is_read_as_its_writer_meant(tmp_path: Path) -> None:
    """Of pandas, polars and Hugging Face; the reader is pyarrow."""
    pytest.importorskip("pyarrow")
    path = tmp_path / "rows.parquet"
    columns = {"messages": [row["messages"] for row in NESTED]}
    for write in (
        lambda: pandas(columns).to_parquet(path),
        lambda: polars(columns).write_parquet(path),
        lambda: hugging_face(columns).to_parquet(str(path)),
    ):
        write()
        assert list(Dataset.read(path).records()) == [
            {"messages": row["messages"]} for row in NESTED
        ]
        assert list(Dataset.read(pytest.importorskip("pandas").read_parquet(path)).records()) == [
            {"messages": row["messages"]} for row in NESTED
        ]


def test_a_damaged_parquet_file_says_so(tmp_path: Path) -> None:
    """And so does one that is not there."""
    pytest.importorskip("pyarrow")
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 cut")

    with pytest.raises(DatasetError, match="cannot be read as Parquet"):
        Dataset.read(path)
    with pytest.raises(DatasetError, match="There is no file"):
        Dataset.read(tmp_path / "no.parquet")


def test_without_the_extra_the_error_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the missing package stands in the way."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)

    with pytest.raises(MissingExtraError, match=r"gpt4o-tune\[parquet\]"):
        Dataset.read(tmp_path / "rows.parquet")


def test_no_table_library_is_imported() -> None:
    """Neither by reading mappings nor by exporting."""
    code = (
        "import sys\n"
        "from gpt4o_tune import Dataset\n"
        "data = Dataset.read([{'prompt': 'a', 'completion': 'b'}])\n"
        "list(data.export('trl'))\n"
        "print([m for m in ('pandas', 'polars', 'pyarrow', 'datasets') if m in sys.modules])"
    )

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == "[]"


def test_trl_s_exports_load_as_hugging_face_datasets(tmp_path: Path) -> None:
    """Their own JSON reader takes the file, and reading the result gives the rows back."""
    datasets = pytest.importorskip("datasets")
    rows = chat(user("a"), answer("b")) + chat(user("c"), answer("d"), user("e"), answer("f"))
    path = Dataset.from_records(rows).export("trl", tmp_path / "trl.jsonl")

    loaded = datasets.Dataset.from_json(str(path), cache_dir=str(tmp_path / "cache"))

    assert list(Dataset.read(loaded).records()) == rows
