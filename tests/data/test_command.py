"""`python -m gpt4o_tune check FILE` from the outside."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.data.cases import answer, as_bytes, chat, data_url, image, many, showing, user

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "gpt4o_tune", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_sound_file_exits_with_0(tmp_path: Path) -> None:
    """Warnings do not count."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(as_bytes(many(10) + many(1)))
    done = run("check", path)
    assert done.returncode == 0, done.stderr
    assert "warning[duplicate-row]" in done.stdout


def test_errors_exit_with_1_and_can_be_read_by_machines(tmp_path: Path) -> None:
    """The JSON is the report's `to_dict`."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(as_bytes(many(10) + chat(user(), answer(weight=2))))
    done = run("check", path, "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert (report["ok"], report["rows"], report["errors"]) == (False, 11, 1)
    assert report["problems"][0]["code"] == "invalid-weight"
    assert report["problems"][0]["line"] == 11


def test_model_and_provider_choose_the_rules(tmp_path: Path) -> None:
    """Azure trains gpt-4.1 on images, OpenAI does not."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(as_bytes(many(10) + showing(image(data_url()))))
    for provider, code in (("azure", 0), ("openai", 1)):
        done = run("check", path, "--model", "gpt-4.1-2025-04-14", "--provider", provider)
        assert done.returncode == code, done.stdout


def test_a_page_is_written_for_people(tmp_path: Path) -> None:
    """It has the problems with what stands there, needs no other file, and shows nobody's address."""
    path, page = tmp_path / "data.jsonl", tmp_path / "report.html"
    path.write_bytes(as_bytes(many(10) + chat(user("<b> ann@acme.com"), answer(weight=2))))
    done = run("check", path, "--pii", "--html", page)
    assert done.returncode == 1, done.stderr
    assert "warning[pii-email]" in done.stdout
    text = page.read_text("utf-8")
    assert 'id="invalid-weight"' in text
    assert "&lt;b&gt; [EMAIL]" in text
    assert "ann@acme.com" not in text
    assert not any(word in text for word in ("<link", "src=", "@import", "http:", "https:"))


def test_a_file_is_fixed_and_what_is_left_decides(tmp_path: Path) -> None:
    """The repaired file is written and checked; the changes are told, also to machines."""
    path, out = tmp_path / "data.jsonl", tmp_path / "out.jsonl"
    path.write_bytes(as_bytes(many(10) + chat(user(), answer(weight="1"))))
    done = run("check", path, "--fix", out)
    assert done.returncode == 0, done.stdout
    assert "line 11, messages[1].weight: invalid-weight" in done.stdout
    assert out.read_bytes() == path.read_bytes().replace(b'"weight": "1"', b'"weight": 1')
    told = json.loads(run("check", path, "--fix", out, "--json").stdout)
    assert [change["code"] for change in told["changes"]] == ["invalid-weight"]
    assert run("check", path, "--html", tmp_path / "no" / "x.html").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "nowhere.jsonl"], "There is no file"),
        (["check", __file__, "--model", "gpt-4oo"], "gpt-4oo"),
        (["check", __file__, "--provider", "nobody"], "invalid choice"),
        ([], "COMMAND"),
    ],
)
def test_what_cannot_be_read_exits_with_2(arguments: list[str], words: str) -> None:
    """The reason goes to the error stream, without a traceback."""
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    """`check FILE | head -1` shows no traceback and keeps its exit code."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(b"no JSON\n" * 20_000)
    command = [sys.executable, "-m", "gpt4o_tune", "check", str(path), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
