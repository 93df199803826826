"""Review by people: the page in a real browser, and decisions applied to rows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune import Dataset, DatasetError, DatasetNotFoundError
from tests.browser import CHROMIUM, Browser
from tests.data.cases import answer, as_bytes, calling, chat, many, pair, user

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Row = dict[str, Any]


def embedded(page: Path) -> dict[str, Any]:
    """What stands in the page for its script."""
    text = page.read_text("utf-8")
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert len(found) == 1
    return json.loads(found[0])


def ids(data: Dataset, folder: Path) -> list[str]:
    """What the rows of a dataset go by."""
    return [row["id"] for row in embedded(data.review(folder / "ids.html"))["rows"]]


def exported(*decisions: Mapping[str, object], reviewer: str = "") -> Row:
    """A file as the page exports it."""
    return {
        "schema": "gpt4o-tune/review",
        "version": 1,
        "reviewer": reviewer,
        "decisions": list(decisions),
    }


def decided(row_id: str, decision: str, **more: object) -> Row:
    """One decision in such a file."""
    return {"id": row_id, "line": 1, "decision": decision, "note": "", **more}


@pytest.fixture
def data() -> Dataset:
    """Six rows that differ."""
    return Dataset.from_records(many(6))


# The page


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30) | st.sampled_from(
    ["</script><script>alert(1)", "<!--", "\u2028\u2029", "{{title}}", "&lt;", '"\\', "]]>"]
)


@given(said=st.lists(texts, min_size=1, max_size=4), title=texts)
def test_the_page_holds_the_rows_and_nothing_breaks_out(
    said: list[str], title: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever rows and title say, the script finds the same rows, and no element begins in them."""
    rows = [chat(user(text), answer(text))[0] for text in said]
    folder = tmp_path_factory.getbasetemp()
    page = Dataset.from_records(rows).review(folder / "page.html", title=title)

    assert [row["row"] for row in embedded(page)["rows"]] == rows
    text = page.read_text("utf-8")
    assert text.count("<script") == text.count("</script") == 2
    assert not re.search("[\u2028\u2029]", text.partition('id="data">')[2])
    assert not re.search(r"""(src|href)\s*=\s*["']?https?:""", text)


def test_the_page_shows_what_was_asked_for(tmp_path: Path) -> None:
    """Rows by number or problem, problems by line, the lines that are alike, and broken lines too."""
    path = tmp_path / "tickets.jsonl"
    path.write_bytes(as_bytes([*many(3), *many(1)]) + b'{"messages": [\n')
    data = Dataset.from_jsonl(path)
    report = data.check()

    whole = embedded(data.review(tmp_path / "a.html", problems=report, duplicates=[(0, 3)]))
    part = embedded(data.review(tmp_path / "b.html", rows=[1, *report.errors], reviewer="Ann"))

    assert whole["about"]["fingerprint"] == data.fingerprint
    assert whole["about"]["source"] == "tickets.jsonl"
    assert [row.get("alike") for row in whole["rows"]] == [[4], None, None, [1], None]
    assert whole["rows"][4]["raw"] == '{"messages": ['
    assert whole["rows"][4]["problems"][0]["code"] == "invalid-json"
    assert {problem["code"] for problem in whole["whole"]} >= {"too-few-examples"}
    assert [row["line"] for row in part["rows"]] == [2, 5]
    assert part["about"]["reviewer"] == "Ann"
    assert [row["id"] for row in part["rows"]] == [whole["rows"][n]["id"] for n in (1, 4)]


def test_a_page_that_cannot_be_written_says_why(data: Dataset, tmp_path: Path) -> None:
    """No folder, and no such row."""
    with pytest.raises(DatasetNotFoundError, match="does not exist"):
        data.review(tmp_path / "none" / "page.html")
    with pytest.raises(IndexError):
        data.review(tmp_path / "page.html", rows=[6])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A browser of the test's own."""
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine")
    with Browser(tmp_path) as running:
        yield running


def test_review_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    """Keys decide, edit, undo and export; the file does to the rows what the reviewer did."""
    path = tmp_path / "tickets.jsonl"
    odd = chat(user("Odd"), answer("On it's way."), score=1.0, big=2**60 + 1, **{"9": 1})
    path.write_bytes(as_bytes([*many(3), *odd, *calling(), *many(6)[3:]]))
    data = Dataset.from_jsonl(path)
    browser.open(data.review(tmp_path / "review.html", problems=data.check(), reviewer="Ann"))

    browser.press("k", "d", "d", "u", "k")
    browser.press("f")
    browser.ask("document.activeElement.select()")
    browser.type("On its way. </script>")
    browser.press("Escape", "n")
    browser.type("spelling")
    browser.press("Enter", "j", "f")
    browser.ask("document.activeElement.select()")
    browser.type('{"city": "Köln"}')
    assert "valid JSON" in browser.ask("document.activeElement.parentElement.textContent")
    browser.press("Escape", "j", "f")
    browser.type("Undone at once. ")
    browser.press("Escape", "u", "s")
    file = tmp_path / "decisions.json"
    file.write_bytes(browser.downloaded())
    review = data.apply_review(file)

    assert browser.complaints() == []
    assert (review.kept, review.dropped, review.fixed) == ((0, 2), (1,), (3, 4))
    assert review.undecided == (5, 6, 7)
    assert [change.note for change in review.changes] == ["", "spelling", ""]
    assert {change.reviewers for change in review.changes} == {("Ann",)}
    assert len(review.dataset) == 7
    fixed = chat(user("Odd"), answer("On its way. </script>"), score=1.0, big=2**60 + 1, **{"9": 1})
    assert review.dataset.raw(2) == json.dumps(fixed[0], separators=(",", ":")).encode()
    called = review.dataset[3].messages[1].tool_calls[0]
    assert called.function.arguments == '{"city": "Köln"}'
    untouched = [review.dataset.raw(row) for row in (0, 1, 4, 5, 6)]
    assert untouched == [data.raw(row) for row in (0, 2, 5, 6, 7)]


def test_decisions_outlive_the_page(browser: Browser, tmp_path: Path) -> None:
    """A reload finds them again; so does a page of another part of the rows, from the exported file."""
    data = Dataset.from_records(many(40))
    page = data.review(tmp_path / "review.html")
    browser.open(page)
    browser.press("k", "d", "f")
    browser.ask("document.activeElement.select()")
    browser.type("Better")
    browser.press("Escape")

    browser.open(page)
    assert "Went on with 3" in browser.ask("document.getElementById('status').textContent")
    assert "1 kept, 1 to fix, 1 dropped" in browser.ask("document.body.textContent")
    browser.press("s")
    file = tmp_path / "decisions.json"
    file.write_bytes(browser.downloaded())

    browser.open(data[1:].review(tmp_path / "other.html"))
    root = browser.send("DOM.getDocument")["root"]["nodeId"]
    chooser = browser.send("DOM.querySelector", nodeId=root, selector="#file")
    browser.send("DOM.setFileInputFiles", files=[str(file)], nodeId=chooser["nodeId"])
    status = browser.ask(
        "new Promise((done) => { const look = () => { const said = document.getElementById('status')"
        ".textContent; said.startsWith('Loaded') ? done(said) : setTimeout(look, 10); }; look(); })"
    )
    assert "Loaded 2 decisions" in status
    assert "1 are on rows not shown here" in status
    browser.press("s")
    again = data.apply_review(json.loads(browser.downloaded()))

    assert (again.kept, again.dropped, again.fixed) == ((0,), (1,), (2,))
    assert again.dataset[1].messages[1].content == "Better"
    assert browser.complaints() == []


def test_many_rows_cost_only_those_in_sight(browser: Browser, tmp_path: Path) -> None:
    """The list draws what is visible; search and filters find the rest."""
    data = Dataset.from_records(many(3000))
    browser.open(data.review(tmp_path / "review.html"))

    assert browser.ask("document.querySelectorAll('.item').length") < 60
    browser.press("/")
    browser.type("question 2999")
    browser.press("Enter", "d")
    assert browser.ask("document.getElementById('shown').textContent") == "1 row"
    browser.ask(
        "document.getElementById('search').value = ''; const filter = document.getElementById('filter');"
        "filter.value = 'drop'; filter.dispatchEvent(new Event('change'))"
    )
    assert browser.ask("document.getElementById('place').textContent") == "Line 3,000, 1 of 1"


# Decisions


def test_rows_are_found_by_content_wherever_they_stand(tmp_path: Path) -> None:
    """Decisions survive reordering, new rows and another way to write the same JSON."""
    rows = many(4)
    old = Dataset.from_records(rows)
    drops = exported(*(decided(row_id, "drop") for row_id in ids(old, tmp_path)[:2]))
    path = tmp_path / "now.jsonl"
    spaced = json.dumps(dict(reversed(rows[1].items())), indent=None, separators=(" , ", " : "))
    path.write_bytes(
        as_bytes([*many(6)[4:], rows[3]]) + spaced.encode() + b"\r\n" + as_bytes(rows[:1])
    )
    now = Dataset.from_jsonl(path)

    review = now.apply_review(drops)

    assert review.dropped == (3, 4)
    assert review.undecided == (0, 1, 2)
    assert review.dataset == now[:3]
    assert review.stale == ()


def test_copies_of_a_row_are_decided_apart(tmp_path: Path) -> None:
    """The second of two equal rows can go while the first stays."""
    data = Dataset.from_records([*many(1), *many(2)])
    first, second, _ = ids(data, tmp_path)

    review = data.apply_review(exported(decided(first, "keep"), decided(second, "drop")))

    assert (review.kept, review.dropped) == ((0,), (1,))


def test_a_row_that_changed_is_reported_and_open(data: Dataset, tmp_path: Path) -> None:
    """No decision is stretched to content that nobody saw."""
    drops = exported(
        *(decided(row_id, "drop", line=n + 1) for n, row_id in enumerate(ids(data, tmp_path)))
    )
    changed = Dataset.from_records([*many(5), chat(user("New"))[0]])

    review = changed.apply_review(drops, undecided="keep")

    assert review.dropped == (0, 1, 2, 3, 4)
    assert review.undecided == (5,)
    assert [(stale.line, stale.decision) for stale in review.stale] == [(6, "drop")]
    assert "1 decision found no row" in str(review)
    assert len(review.dataset) == 1


def test_what_becomes_of_undecided_rows_is_asked(data: Dataset, tmp_path: Path) -> None:
    """Kept, dropped, or an error with their lines; a fix that nobody wrote is undecided too."""
    first, second, third, *_ = ids(data, tmp_path)
    given = exported(decided(first, "keep"), decided(second, "drop"), decided(third, "fix"))

    assert len(data.apply_review(given).dataset) == 5
    assert data.apply_review(given, undecided="drop").dataset == data[:1]
    with pytest.raises(DatasetError, match="4 rows without a decision: lines 3, 4, 5, 6"):
        data.apply_review(given, undecided="error")


def test_untouched_rows_keep_their_bytes(tmp_path: Path) -> None:
    """White space, escapes and line ends of all rows but the corrected one stay."""
    path = tmp_path / "rows.jsonl"
    odd = b' {"messages": [{"role":"user","content":"\\u00fc"}, {"role":"assistant","content":"A"} ]}\r\n'
    path.write_bytes(odd + as_bytes(many(2)) + odd.strip())
    data = Dataset.from_jsonl(path)
    better = chat(user("Question 0"), answer("Bessér"))[0]
    given = exported(decided(ids(data, tmp_path)[1], "fix", row=better))

    out = data.apply_review(given).dataset.to_jsonl(tmp_path / "out.jsonl").read_bytes()

    compact = json.dumps(better, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    assert out == odd + compact + as_bytes(many(2)[1:]) + odd.strip() + b"\n"


def test_a_fix_that_changes_nothing_changes_no_byte(tmp_path: Path) -> None:
    """Numbers and key order that a browser rewrote are no change."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(
        b'{"score": 1.0, "messages": [{"role": "user", "content": "Q"}], "7": 18446744073709551617}\n'
    )
    data = Dataset.from_jsonl(path, format="reinforcement")
    rewritten = {"7": 18446744073709552000, "score": 1, "messages": [user("Q")]}
    given = exported(decided(ids(data, tmp_path)[0], "fix", row=rewritten))

    assert data.apply_review(given).dataset == data


def test_a_correction_that_breaks_the_format_is_refused(data: Dataset, tmp_path: Path) -> None:
    """All of them at once, with line and code; an error that was there before is not the reviewer's."""
    first, second, *_ = ids(data, tmp_path)
    broken = exported(
        decided(first, "fix", row={"messages": [{"role": "robot"}]}),
        decided(second, "fix", row={"text": "no messages"}),
    )
    with pytest.raises(DatasetError, match="Cannot apply the review") as caught:
        data.apply_review(broken)
    found = {(problem.line, problem.code) for problem in caught.value.problems}
    assert found >= {(1, "unknown-role"), (2, "missing-messages")}

    faulty = Dataset.from_records(calling() + calling(tools=[]))
    row = json.loads(faulty.raw(1))
    row["messages"][0]["content"] = "Better"
    given = exported(decided(ids(faulty, tmp_path)[1], "fix", row=row))
    assert faulty.apply_review(given).fixed == (1,)


def test_a_line_that_cannot_be_read_can_be_written_anew(tmp_path: Path) -> None:
    """A reviewer may mend what no parser reads."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(as_bytes(many(1)) + b'{"messages": [\n')
    data = Dataset.from_jsonl(path)
    given = exported(decided(ids(data, tmp_path)[1], "fix", row=many(2)[1]))

    assert list(data.apply_review(given).dataset.records()) == many(2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1]", "not an object"),
        (b'{"decisions": []}', "schema"),
        (b'{"schema": "gpt4o-tune/review", "version": 1, "decisions": [{"id": "a"}]}', "decision"),
        (b'{"schema": "gpt4o-tune/review", "version": 9, "decisions": []}', "version 9"),
        (None, "cannot be read"),
    ],
)
def test_a_file_without_decisions_is_refused(
    data: Dataset, tmp_path: Path, content: bytes | None, message: str
) -> None:
    """The error names the file and what it lacks."""
    path = tmp_path / "decisions.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DatasetError, match=message) as caught:
        data.apply_review(path)
    assert "decisions.json" in str(caught.value)


def test_unknown_ways_are_refused(data: Dataset) -> None:
    """A typing mistake is no silent choice."""
    with pytest.raises(ValueError, match="undecided must be one of"):
        data.apply_review(exported(), undecided="kept")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="conflicts must be one of"):
        data.apply_review(exported(), conflicts="last")  # type: ignore[arg-type]


# Several reviewers


def test_agreement_is_measured(tmp_path: Path) -> None:
    """Share and Cohen's kappa of the textbook table 20, 5, 10, 15: 0.7 and 0.4."""
    data = Dataset.from_records(many(52))
    row_ids = ids(data, tmp_path)
    pairs = [("keep", "keep")] * 20 + [("keep", "drop")] * 5 + [("drop", "keep")] * 10
    pairs += [("drop", "drop")] * 15
    one, other = (
        exported(
            *(decided(row_id, both[side]) for row_id, both in zip(row_ids, pairs, strict=False)),
            decided(row_ids[50 + side], "keep"),
            reviewer=name,
        )
        for side, name in enumerate(["Ann", "Bob"])
    )

    review = data.apply_review([one, other], conflicts="first")

    (agreement,) = review.agreement
    assert (agreement.rows, agreement.agreed, agreement.share) == (50, 35, 0.7)
    assert agreement.kappa == pytest.approx(0.4)
    assert len(review.conflicts) == 15
    assert len(review.dropped) == 25
    assert "Ann and Bob" in str(review)
    assert json.loads(json.dumps(review.to_dict()))["agreement"][0]["share"] == 0.7


@pytest.mark.parametrize(
    ("pairs", "kappa"),
    [
        ([("keep", "keep")] * 3, None),
        ([], None),
        ([("keep", "keep"), ("drop", "drop")], 1.0),
        ([("keep", "drop"), ("drop", "keep")], -1.0),
        ([("keep", "keep"), ("keep", "drop")], 0.0),
    ],
)
def test_kappa_at_its_ends(
    data: Dataset, tmp_path: Path, pairs: list[tuple[str, str]], kappa: float | None
) -> None:
    """Complete agreement, complete difference, chance, and nothing to tell."""
    row_ids = ids(data, tmp_path)
    files = [
        exported(*(decided(row_ids[n], both[side]) for n, both in enumerate(pairs)))
        for side in (0, 1)
    ]

    (agreement,) = data.apply_review(files, conflicts="keep").agreement

    assert agreement.kappa == kappa
    assert agreement.reviewers == ("reviewer 1", "reviewer 2")


def test_conflicts_are_listed_and_resolved_as_asked(data: Dataset, tmp_path: Path) -> None:
    """Other decisions, and other corrections of one row, are conflicts."""
    first, second, third, *_ = ids(data, tmp_path)

    def better(text: str) -> Row:
        return chat(user("Question 1"), answer(text))[0]

    ann = exported(
        decided(first, "drop"),
        decided(second, "fix", row=better("A")),
        decided(third, "fix"),
        reviewer="Ann",
    )
    bob = exported(
        decided(first, "keep"),
        decided(second, "fix", row=better("B")),
        decided(third, "fix", row=chat(user("Question 2"), answer("C"))[0]),
        reviewer="Bob",
    )

    with pytest.raises(DatasetError, match="differ on 2 rows: lines 1, 2") as caught:
        data.apply_review([ann, bob])
    assert caught.value.problems[0].decisions == (("Ann", "drop"), ("Bob", "keep"))
    kept = data.apply_review([ann, bob], conflicts="keep")
    assert (kept.kept, kept.fixed) == ((0, 1), (2,))
    assert data.apply_review([ann, bob], conflicts="drop").dropped == (0, 1)
    led = data.apply_review([ann, bob], conflicts="first")
    assert (led.dropped, led.fixed) == ((0,), (1, 2))
    assert led.dataset[0].messages[1].content == "A"


def test_files_of_one_reviewer_are_taken_together(data: Dataset, tmp_path: Path) -> None:
    """The later decision counts, in whatever order the files are given."""
    first, second, *_ = ids(data, tmp_path)
    early = exported(
        decided(first, "keep", time="2026-11-25T10:00:00Z"),
        decided(second, "keep", time="2026-11-25T10:00:00Z"),
        reviewer="Ann",
    )
    late = exported(decided(first, "drop", time="2026-11-25T12:00:00+01:00"), reviewer="Ann")

    for files in ([early, late], [late, early]):
        review = data.apply_review(files)
        assert (review.kept, review.dropped, review.agreement) == ((1,), (0,), ())


def test_preference_rows_are_corrected_in_place(tmp_path: Path) -> None:
    """The format of the rows decides what a sound correction is."""
    data = Dataset.from_records(pair())
    row = pair(preferred_output=[answer("It left today.")])[0]
    given = exported(decided(ids(data, tmp_path)[0], "fix", row=row))

    assert list(data.apply_review(given).dataset.records()) == [row]
