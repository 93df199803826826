"""The pages are true: their examples run on the local server, their lists match the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import Dataset
from gpt4o_tune.providers import ENVIRONMENT
from tests.rows import TOPICS, routing_rows, row

if TYPE_CHECKING:
    from gpt4o_tune import LocalServer

ROOT = Path(__file__).parent.parent
PAGES = [
    "README.md",
    "docs/evaluation.md",
    "docs/before-14-january-2027.md",
    "docs/guide.md",
    "docs/reference/checks.md",
    "docs/reference/forms.md",
    "docs/reference/graders.md",
    "docs/reference/jobs.md",
    "docs/reference/models.md",
    "docs/reference/quality.md",
    "docs/reference/review.md",
    "docs/testing.md",
]


def heldout() -> Dataset:
    """Rows in words of their own."""
    return Dataset.from_records(
        row(f"Could you look at this, {text}?", label)
        for label, texts in TOPICS.items()
        for text in texts
    )


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run(
    page: str,
    server: LocalServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every Python block of the page runs, from top to bottom, as a reader would paste it."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    Dataset.from_records(routing_rows()).to_jsonl(tmp_path / "tickets.jsonl")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GPT4O_TUNE_LOCAL_URL", server.base_url)
    monkeypatch.setenv("GPT4O_TUNE_LOCAL_KEY", server.api_key)
    names: dict[str, object] = {"heldout": heldout()}

    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), names)  # noqa: S102  # our own pages
    assert capsys.readouterr().out


def test_the_environment_page_lists_what_is_read() -> None:
    """The table names every variable with the meaning that stands in the code."""
    page = (ROOT / "docs/environment.md").read_text("utf-8")

    assert dict(re.findall(r"^\| `([A-Z0-9_]+)` \| (.*) \|$", page, re.MULTILINE)) == ENVIRONMENT


def test_links_between_pages_lead_somewhere() -> None:
    """No page points to a file that is not there."""
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+\.md)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
