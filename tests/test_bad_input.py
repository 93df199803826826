"""What goes wrong first for a newcomer: each case gives a clear error with the next step, and loses nothing."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import (
    CustomModel,
    Dataset,
    DatasetError,
    DatasetNotFoundError,
    FineTuneJob,
    Provider,
    ProviderError,
)
from tests.conftest import VirtualClock
from tests.rows import routing_rows, row

if TYPE_CHECKING:
    from pathlib import Path

    from gpt4o_tune import CheckReport, LocalServer

MODEL = "gpt-4o-2024-08-06"


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """Twelve sound rows as lines."""
    path = Dataset.from_records(routing_rows(12)).to_jsonl(tmp_path / "sound.jsonl")
    return path.read_bytes().splitlines(keepends=True)


def checked(tmp_path: Path, content: bytes) -> tuple[Dataset, CheckReport]:
    """Write a file as it may come from a user, and check it."""
    path = tmp_path / "given.jsonl"
    path.write_bytes(content)
    data = Dataset.from_jsonl(path)
    return data, data.check(model=MODEL)


def codes(report: CheckReport) -> set[tuple[int, str]]:
    """Return line and code of every problem."""
    return {(problem.line, problem.code) for problem in report.problems}


def test_no_file(tmp_path: Path) -> None:
    """A missing file names itself and the file that was probably meant."""
    (tmp_path / "tickets.jsonl").write_bytes(b"")

    with pytest.raises(DatasetNotFoundError, match=r"ticket\.jsonl.*tickets\.jsonl") as caught:
        Dataset.from_jsonl(tmp_path / "ticket.jsonl")

    assert isinstance(caught.value, FileNotFoundError)


def test_an_empty_file(tmp_path: Path) -> None:
    """Opens as a dataset without rows; check, counting and launching say why nothing works."""
    data, report = checked(tmp_path, b"")

    assert len(data) == 0
    assert codes(report) == {(0, "empty-file")}
    with pytest.raises(DatasetError, match=r"check\(\)"):
        data.split()


def test_broken_json_on_one_line(tmp_path: Path, lines: list[bytes]) -> None:
    """The line is named; dropping it keeps all the others byte for byte."""
    broken = [*lines[:6], b'{"messages": [{"role": "user"\n', *lines[6:]]
    data, report = checked(tmp_path, b"".join(broken))

    assert codes(report) == {(7, "invalid-json")}
    rest = data.drop(report.errors).to_jsonl(tmp_path / "rest.jsonl")
    assert rest.read_bytes() == b"".join(lines)


def test_the_wrong_encoding(tmp_path: Path, lines: list[bytes]) -> None:
    """UTF-16 is one problem of the file; a stray Latin-1 byte is a problem of its line."""
    text = b"".join(lines).decode()
    _, report = checked(tmp_path, text.encode("utf-16"))
    assert [problem.line for problem in report.errors] == [0]
    assert "UTF-16" in report.errors[0].message
    assert "UTF-8" in report.errors[0].fix

    _, report = checked(tmp_path, text.replace("Hello", "Hallö", 1).encode("latin-1"))
    assert [problem.line for problem in report.errors] == [1]


def test_a_byte_order_mark(tmp_path: Path, lines: list[bytes]) -> None:
    """Reported, and left out of what is written and uploaded."""
    data, report = checked(tmp_path, b"\xef\xbb\xbf" + b"".join(lines))

    assert report.ok
    assert "bom" in {problem.code for problem in report.warnings}
    assert data.to_jsonl(tmp_path / "out.jsonl").read_bytes() == b"".join(lines)


def test_windows_line_ends(tmp_path: Path, lines: list[bytes]) -> None:
    """Reported once as a warning; the rows are sound and written as they stand."""
    content = b"".join(lines).replace(b"\n", b"\r\n")
    data, report = checked(tmp_path, content)

    assert report.ok
    assert {problem.code for problem in report.warnings} == {"crlf"}
    assert len(data) == len(lines)
    assert data.to_jsonl(tmp_path / "out.jsonl").read_bytes() == content


def test_no_assistant_message(tmp_path: Path, lines: list[bytes]) -> None:
    """A row without an answer has nothing to learn."""
    asked = b'{"messages": [{"role": "user", "content": "hello?"}]}\n'
    _, report = checked(tmp_path, b"".join([asked, *lines]))

    assert codes(report) == {(1, "no-assistant-message")}


def test_nine_examples(tmp_path: Path, lines: list[bytes]) -> None:
    """The message says how many are missing, and a launch is refused before any request."""
    data, report = checked(tmp_path, b"".join(lines[:9]))

    assert codes(report) == {(0, "too-few-examples")}
    assert "1 short of the 10" in report.errors[0].message
    with pytest.raises(DatasetError, match="too-few-examples"):
        FineTuneJob.create(data, provider=Provider.openai(api_key="sk-never-sent"))


def test_an_unknown_model(lines: list[bytes], tmp_path: Path) -> None:
    """A misspelt model is refused with the nearest ones."""
    data, _ = checked(tmp_path, b"".join(lines))

    for verb in (data.check, data.tokens, data.cost):
        with pytest.raises(ProviderError, match="gpt-4o"):
            verb(model="gpt-4oo")


def test_no_api_key() -> None:
    """Every verb that needs a place says which there are."""
    rows = Dataset.from_records(routing_rows(12))

    for start in (
        lambda: FineTuneJob.create(rows),
        lambda: FineTuneJob.get("ftjob-1"),
        lambda: CustomModel("ft:gpt-4o"),
    ):
        with pytest.raises(ProviderError, match=r"OPENAI_API_KEY[\s\S]*gpt4o_tune\.local"):
            start()


def test_a_server_that_is_down() -> None:
    """The client's own error, after a bounded time, with a note that says what to check."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clock = VirtualClock()
    nowhere = replace(Provider.local(f"http://127.0.0.1:{port}/v1", api_key="local"), clock=clock)

    with pytest.raises(openai.APIConnectionError) as caught:
        FineTuneJob.create(Dataset.from_records(routing_rows(12)), provider=nowhere)

    assert clock.seconds < 60
    assert f"Nothing answers at http://127.0.0.1:{port}/v1" in caught.value.__notes__[0]
    assert "python -m gpt4o_tune.local" in caught.value.__notes__[0]


def test_a_wrong_key(server: LocalServer) -> None:
    """Refused at once; the note says where the key belongs, and shows none."""
    stranger = replace(server.provider, api_key="sk-wrong")

    with pytest.raises(openai.AuthenticationError) as caught:
        CustomModel(MODEL, provider=stranger).ask("hello")

    assert "api_key=" in caught.value.__notes__[0]
    assert "sk-wrong" not in str(caught.value) + caught.value.__notes__[0]


def test_a_record_that_is_no_json() -> None:
    """What cannot be written without loss is refused with its number."""
    with pytest.raises(DatasetError, match="Record 2"):
        Dataset.from_records([row("hello", "account"), {"messages": float("nan")}])
