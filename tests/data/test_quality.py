"""A profile measures what it says, a screening finds what it should, a card shows both and nothing raw."""

from __future__ import annotations

import csv
import datetime
import json
import math
import pickle
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune import Dataset
from gpt4o_tune.data.quality.distribution import Distribution
from gpt4o_tune.data.quality.language import UNKNOWN, detect
from gpt4o_tune.data.quality.pairs import sign_test
from gpt4o_tune.data.quality.refusals import is_refusal
from gpt4o_tune.errors import DatasetError, DatasetNotFoundError
from tests.rows import SYSTEM, routing_rows, row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROMPTS = [
    f"Please explain how the {part} of a {thing} works, and what I should do when it fails on me"
    for part in ("lid", "lamp", "motor", "handle", "filter", "switch")
    for thing in ("kettle", "mower", "toaster", "drill", "heater")
]
ANSWERS = [
    f"The {word} is what you should look at first; it wears out after {years} years of use"
    for word in ("seal", "cable", "spring", "bearing", "fuse", "belt")
    for years in (2, 3, 5, 7, 9)
]


def prose(**changes: str) -> list[dict[str, object]]:
    """Make 30 rows of free text, all alike in kind; numbered answers may be replaced."""
    return [
        row(prompt, changes.get(f"a{number}", answer))
        for number, (prompt, answer) in enumerate(zip(PROMPTS, ANSWERS, strict=True))
    ]


def pair(preferred: str, rejected: str) -> dict[str, object]:
    """Make a preference row."""
    return {
        "input": {"messages": [{"role": "user", "content": "How do I reset it?"}]},
        "preferred_output": [{"role": "assistant", "content": preferred}],
        "non_preferred_output": [{"role": "assistant", "content": rejected}],
    }


def codes(data: Dataset) -> dict[str, tuple[int, ...]]:
    """Return the rows of each finding."""
    return {finding.code: finding.rows for finding in data.profile().findings}


# Numbers


@given(st.lists(st.integers(min_value=0, max_value=5_000), max_size=200))
def test_a_distribution_loses_no_value(values: list[int]) -> None:
    """Every value lies in exactly one bin, bins touch, and quantiles are values that occur."""
    found = Distribution.of(values)

    assert sum(each.count for each in found.bins) == found.count == len(values)
    assert found.total == sum(values)
    assert all(a.high + 1 == b.low for a, b in zip(found.bins, found.bins[1:], strict=False))
    for each in found.bins:
        assert each.count == sum(each.low <= value <= each.high for value in values)
    if values:
        assert found.median == sorted(values)[math.ceil(len(values) / 2) - 1]
        assert (found.min, found.max) == (min(values), max(values))


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0, max_value=3_000), st.integers(min_value=0, max_value=3_000))
def test_the_sign_test_equals_scipys_binomial_test(more: int, fewer: int) -> None:
    """The p-value is that of an exact two-sided binomial test against one half."""
    stats = pytest.importorskip("scipy.stats")

    expected = stats.binomtest(more, more + fewer).pvalue if more + fewer else 1.0
    assert sign_test(more, fewer) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_lengths_are_those_of_the_token_report() -> None:
    """Token distributions add up to what `tokens` counts."""
    data = Dataset.from_records(prose())
    lengths, tokens = data.profile().lengths, data.tokens()

    assert lengths.tokens.total == tokens.total
    assert lengths.answer_tokens.total == tokens.trained
    assert lengths.prompt_tokens.total == tokens.total - tokens.trained
    assert lengths.prompt_words.median == 19
    assert lengths.messages.max == 3


# Languages and refusals


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Where is my parcel? It should have been here on Monday.", "en"),
        ("Wo ist mein Paket? Es hätte am Montag da sein sollen.", "de"),
        ("Où est mon colis ? Il devait arriver lundi et je n'ai rien reçu.", "fr"),
        ("¿Dónde está mi paquete? Tenía que llegar el lunes y no ha llegado.", "es"),
        ("Dov'è il mio pacco? Doveva arrivare lunedì ma non è arrivato.", "it"),
        ("Onde está a minha encomenda? Devia ter chegado na segunda e não chegou.", "pt"),
        ("Waar is mijn pakket? Het had maandag al bezorgd moeten zijn.", "nl"),
        ("Var är mitt paket? Det skulle ha kommit i måndags men jag har inte fått något.", "sv"),
        ("Gdzie jest moja paczka? Miała być w poniedziałek, ale nie przyszła.", "pl"),
        ("Kde je můj balík? Měl přijít v pondělí, ale ještě není tady.", "cs"),
        ("Hol van a csomagom? Hétfőn kellett volna megérkeznie, de még nincs itt.", "hu"),
        ("Paketim nerede? Pazartesi günü gelmesi gerekiyordu ama hâlâ gelmedi.", "tr"),
        ("Где моя посылка? Она должна была прийти в понедельник.", "ru"),
        ("Де моя посилка? Вона мала прийти в понеділок, але її ще немає.", "uk"),
        ("Πού είναι το δέμα μου; Έπρεπε να έρθει τη Δευτέρα.", "el"),
        ("איפה החבילה שלי? היא הייתה צריכה להגיע ביום שני.", "he"),
        ("أين طردي؟ كان من المفترض أن يصل يوم الاثنين.", "ar"),
        ("मेरा पार्सल कहाँ है? उसे सोमवार को आना था।", "hi"),
        ("พัสดุของฉันอยู่ที่ไหน ควรจะมาถึงวันจันทร์", "th"),
        ("荷物はどこですか。月曜日に届くはずでした。", "ja"),
        ("我的包裹在哪里？本来应该星期一到的。", "zh"),
        ("제 소포는 어디에 있나요? 월요일에 도착했어야 합니다.", "ko"),
        ("Gói hàng của tôi ở đâu? Lẽ ra nó phải đến hôm thứ hai.", "vi"),
        ("", UNKNOWN),
        ("x = {'a': 1, 'b': [2, 3]}", UNKNOWN),
        ("Fernvolt Cobb 1.7", UNKNOWN),
        ("https://example.com/where/is/the/thing 4711", UNKNOWN),
    ],
)
def test_languages_are_told_apart_or_left_unknown(text: str, code: str) -> None:
    """A sentence of everyday use is named; code, names and addresses are not."""
    assert detect(text) == code


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=300))
def test_any_text_has_a_language_or_none(text: str) -> None:
    """No text makes the detector fail; it answers with a code of two letters, or that it does not know."""
    code = detect(text)

    assert code == UNKNOWN or (len(code) == 2 and code.isalpha() and code.islower())


@pytest.mark.parametrize(
    "text",
    [
        "I\u2019m sorry, but I can\u2019t help with that.",
        "As an AI language model, I have no opinion.",
        "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
        "Je suis désolé, mais je ne peux pas répondre à cette question.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "Przykro mi, ale nie mogę w tym pomóc.",
        "К сожалению, я не могу помочь с этим.",
        "抱歉，我无法回答这个问题。",
        "申し訳ありませんが、そのご質問にはお答えできません。",
    ],
)
def test_refusals_are_found_in_many_languages(text: str) -> None:
    """What models say when they refuse is recognised."""
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry that the parcel came late. We will send a new one today.",
        "You can't return opened software, but I can offer a voucher.",
        "Leider ist das Paket verloren. Wir schicken heute ein neues.",
        "No, the kettle cannot be used without water.",
        "I can help with that. " + "It takes a minute. " * 20 + "I'm sorry, but I can't help.",
    ],
)
def test_an_apology_or_a_no_is_no_refusal(text: str) -> None:
    """Answers that regret something and still answer are not counted, nor late quotes."""
    assert not is_refusal(text)


# Findings


def test_sound_prose_has_no_finding() -> None:
    """Rows without a fault give none, once the templates of this test are no shared opening."""
    varied = [f"{start} {text}" for start, text in zip("abcdefghij" * 3, ANSWERS, strict=True)]
    data = Dataset.from_records(row(p, a) for p, a in zip(PROMPTS, varied, strict=True))

    assert [each.code for each in data.profile().findings] == []


@pytest.mark.parametrize(
    ("code", "change", "rows"),
    [
        ("refusals", {"a4": "I'm sorry, but I can't help with that."}, (4,)),
        ("outlier-repetition", {"a7": "again and again " * 60}, (7,)),
        ("outlier-symbols", {"a9": "}{}{}()()[[]]<><>==--++//**&&^^%%$$"}, (9,)),
        ("outlier-answer-length", {"a2": " ".join(f"word{n}" for n in range(900))}, (2,)),
        (
            "answer-language",
            {"a3": "Das Ventil ist kaputt, und ich kann es nicht mehr reparieren."},
            (3,),
        ),
    ],
)
def test_an_odd_answer_is_found_with_its_row(
    code: str, change: dict[str, str], rows: tuple[int, ...]
) -> None:
    """Each kind of odd answer is one finding that names the row."""
    assert code not in codes(Dataset.from_records(prose()))
    assert codes(Dataset.from_records(prose(**change)))[code] == rows


def test_outliers_can_be_selected_and_dropped() -> None:
    """Row numbers of a profile are those of the dataset, also of a part of a file."""
    data = Dataset.from_records([row("left out", "x"), *prose(a5="again and again " * 60)])[1:]
    outliers = data.profile().outliers

    assert [json.loads(data.raw(n))["messages"][1]["content"] for n in outliers.rows] == [
        PROMPTS[5]
    ]
    assert len(data.select(outliers.rows)) == 1
    assert len(data.drop(outliers.rows)) == 29


def test_a_second_kind_of_row_is_no_outlier() -> None:
    """Where many rows are much longer than the others, none of them stands apart."""
    long = " ".join(f"word{n}" for n in range(900))
    profile = Dataset.from_records(prose(**{f"a{n}": f"{n} {long}" for n in range(8)})).profile()

    assert profile.outliers.of("answer-length") == ()


def test_slips_of_a_system_prompt_are_found() -> None:
    """A prompt that differs by a character or a word is told; another prompt is not; none is counted."""
    rows = prose()
    for number, system in ((2, SYSTEM + " "), (5, SYSTEM.replace("Route", "Sort"))):
        rows[number] = row(PROMPTS[number], ANSWERS[number], system=system)
    rows[8] = row(PROMPTS[8], ANSWERS[8], system="You are a poet and speak in rhymes only, always.")
    rows[9] = row(PROMPTS[9], ANSWERS[9], system=None)
    instructions = Dataset.from_records(rows).profile().instructions

    assert {each.rows: (each.added, each.lacking) for each in instructions.variants} == {
        (2,): ((), ()),
        (5,): (("Sort",), ("Route",)),
    }
    assert instructions.missing == (9,)
    assert instructions.shares.distinct == 4
    found = codes(Dataset.from_records(rows))
    assert found["system-prompt-variants"] == (2, 5)
    assert found["no-system-prompt"] == (9,)


def test_one_opening_is_told_by_its_share() -> None:
    """Answers that mostly begin alike are a finding with the share and the rows."""
    data = Dataset.from_records(
        row(p, f"Sure! {a}" if n % 3 else f"{n} {a}")
        for n, (p, a) in enumerate(zip(PROMPTS, ANSWERS, strict=True))
    )
    finding = next(f for f in data.profile().findings if f.code == "one-opening")

    assert finding.message.startswith("67% of answers begin with 'sure")
    assert finding.rows == tuple(n for n in range(30) if n % 3)


def test_labels_are_found_in_short_answers_and_in_json() -> None:
    """Plain labels, fields of JSON answers and labels that the caller names are counted the same."""
    plain = Dataset.from_records(routing_rows())
    fields = Dataset.from_records(
        row(each["messages"][1]["content"], json.dumps({"team": each["messages"][2]["content"]}))  # type: ignore[index]
        for each in routing_rows()
    )
    counted = {"account": 18, "billing": 18, "delivery": 18}

    for data, name in ((plain, "answer"), (fields, "answer.team")):
        (labels,) = data.profile().labels
        assert labels.name == name
        assert {each.value: each.count for each in labels.shares.top} == counted
        assert labels.shares.entropy_bits == pytest.approx(math.log2(3))
        assert labels.shares.balance == pytest.approx(1)
    (given_labels,) = plain.profile(label=lambda each: len(each.messages)).labels
    assert [(each.value, each.count) for each in given_labels.shares.top] == [("3", 54)]
    assert Dataset.from_records(prose()).profile().labels == ()


def test_repeats_are_counted_exactly_and_nearly() -> None:
    """A repeated row is an exact repeat; one with a changed word a near one."""
    rows = [*prose(), prose()[3], row(PROMPTS[4].replace("explain", "say"), "Some other answer.")]
    # Prompts of one template are alike, so they get words of their own.
    for number, each in enumerate(rows[:30]):
        each["messages"][1]["content"] += f" k{number} l{number} m{number} n{number} o{number}"  # type: ignore[index]
    rows[30] = rows[3]
    diversity = Dataset.from_records(rows).profile().diversity

    assert diversity.exact_repeats == (30,)
    assert diversity.near_repeats is not None
    assert 30 in diversity.near_repeats
    assert 0 < diversity.distinct_1 < diversity.distinct_2 < diversity.distinct_3 <= 1


def test_length_bias_between_outputs_is_measured() -> None:
    """Where the longer output is preferred nearly always, the profile says so, with the exact test."""
    rows = [
        pair("Hold the button for ten seconds, " * (n % 4 + 2), f"No idea {n}") for n in range(40)
    ]
    rows += [pair("No.", "Hold the button for ten seconds and wait")] * 2
    rows += [pair("Same.", "Same.")]
    profile = Dataset.from_records(rows).profile()
    pairs = profile.pairs

    assert pairs is not None
    assert (pairs.preferred_longer, pairs.rejected_longer) == (40, 2)
    assert pairs.identical == (42,)
    assert pairs.p_value == sign_test(40, 2) < 1e-8
    assert pairs.mean_difference > 0
    found = {each.code: each.message for each in profile.findings}
    assert found["length-bias"].startswith("The preferred output is the longer one in 95% of pairs")
    assert "identical-pairs" in found


def test_balanced_outputs_have_no_length_bias() -> None:
    """Pairs that go both ways give no finding."""
    long, short = "Hold the button for ten seconds and wait", "Hold it"
    rows = [pair(long, short) if n % 2 else pair(short, long) for n in range(40)]

    assert "length-bias" not in codes(Dataset.from_records(rows))


def test_tools_images_and_weights_are_counted() -> None:
    """Rows that hold more than text are named."""
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    rows = prose()
    rows[1]["tools"] = [tool]
    rows[1]["messages"][2] = {"role": "assistant", "tool_calls": [call]}  # type: ignore[index]
    rows[2]["messages"][1]["content"] = [{"type": "text", "text": "Look"}, image]  # type: ignore[index]
    rows[3]["messages"][1:1] = [  # type: ignore[index]
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello", "weight": 0},
    ]
    features = Dataset.from_records(rows).profile().features

    assert (features.tools, features.calls) == ((1,), (1,))
    assert (features.images, features.ignored) == ((2,), (3,))


def test_a_profile_is_a_value() -> None:
    """The same rows give the same profile; it can be pickled, printed in 100 columns and written as JSON."""
    one, two = (Dataset.from_records(prose()).profile() for _ in range(2))

    assert one == two == pickle.loads(pickle.dumps(one))  # noqa: S301
    assert max(map(len, str(one).splitlines())) <= 100
    assert json.loads(json.dumps(one.to_dict()))["rows"] == 30


def test_rows_that_cannot_be_read_are_refused() -> None:
    """A profile of faulty rows, or of none, is an error that names the faults."""
    with pytest.raises(DatasetError, match="Cannot count tokens"):
        Dataset.from_records([{"messages": "no"}]).profile()
    with pytest.raises(DatasetError):
        Dataset.from_records([]).profile()
    with pytest.raises(DatasetError, match="has no key 'team'"):
        Dataset.from_records(prose()).profile(label="team")


# Screening

ITEM = "How many grams of sugar are there in seven litres of this lemonade if each has ninety?"


def screened_rows() -> list[dict[str, object]]:
    """Rows of which some hold the item: whole, changed, inside, in an answer, in part."""
    return [
        row(ITEM, "630"),
        row(ITEM.replace("ninety", "eighty"), "630"),
        row(f"Answer this for me, I beg you. {ITEM} Take your time and count twice.", "630"),
        row(
            "Give me a question for the exam of next week, please.",
            f"Here is one that fits your book. {ITEM} Good luck with it, all of you!",
        ),
        row("How many grams of sugar are there in seven litres", "?"),
        row("Where is my parcel and who has signed for it this morning?", "No idea."),
    ]


def test_screening_finds_items_wherever_they_stand() -> None:
    """Equal, nearly equal and contained items are found in prompts and answers, with the direction."""
    data = Dataset.from_records(screened_rows())
    report = data.screen(
        {"maths": [ITEM, "What is the capital of the country that lies north of Spain?"]}
    )
    (maths,) = report.benchmarks

    assert [(hit.row, hit.role, hit.kind, hit.direction) for hit in maths.hits] == [
        (0, "user", "exact", "same"),
        (1, "user", "near", "same"),
        (2, "user", "contained", "row-holds-item"),
        (3, "assistant", "contained", "row-holds-item"),
        (4, "user", "contained", "item-holds-row"),
    ]
    assert report.rows == maths.rows == (0, 1, 2, 3, 4)
    assert maths.found_items == 1
    assert data.drop(report.rows).raw(0) == data.raw(5)
    assert "row 3, assistant: contained (the row holds the item)" in str(report)
    assert json.loads(json.dumps(report.to_dict()))["rows"] == [0, 1, 2, 3, 4]


def test_short_items_are_found_only_as_whole_user_messages() -> None:
    """An item of fewer than 8 words tells nothing by its parts, nor as an answer."""
    data = Dataset.from_records(
        [
            row("Is it  RAINING, today?", "yes"),
            row("Is it raining today or is that the washing machine again?", "yes"),
            row("Ask me something about the weather of this fine day.", "Is it raining today?"),
        ]
    )
    report = data.screen({"weather": ["Is it raining today?"]})

    assert report.rows == (0,)
    assert report.benchmarks[0].short_items == 1
    assert "1 item of fewer than 8 words" in str(report)


def test_a_text_that_many_rows_share_is_found_in_each() -> None:
    """An item inside the system prompt makes every row with that prompt a hit."""
    system = f"You tutor children in maths. A typical question is this one. {ITEM}"
    data = Dataset.from_records([row(p, "yes", system=system) for p in PROMPTS[:4]] + prose()[5:])

    assert data.screen({"maths": [ITEM]}).rows == (0, 1, 2, 3)


def write_jsonl(path: Path, records: list[object]) -> Path:
    """Write records one a line."""
    path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    return path


def write_json(path: Path, records: list[object]) -> Path:
    """Write records as the list inside an object."""
    path.write_text(json.dumps({"name": "x", "data": records}), encoding="utf-8")
    return path


def write_csv(path: Path, records: list[object]) -> Path:
    """Write records as a table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "Question"])
        writer.writeheader()
        writer.writerows({"id": n, "Question": r["question"]} for n, r in enumerate(records))  # type: ignore[index]
    return path


def write_txt(path: Path, records: list[object]) -> Path:
    """Write records as lines."""
    path.write_text("\n".join(r["question"] for r in records), encoding="utf-8")  # type: ignore[index]
    return path


@pytest.mark.parametrize(
    ("name", "write"),
    [("b.jsonl", write_jsonl), ("b.json", write_json), ("b.csv", write_csv), ("b.txt", write_txt)],
)
def test_benchmark_files_of_every_kind_are_read(
    name: str, write: Callable[[Path, list[object]], Path], tmp_path: Path
) -> None:
    """The same items are found whatever the file."""
    path = write(tmp_path / name, [{"question": ITEM}, {"question": "And another one?"}])
    report = Dataset.from_records(screened_rows()).screen({"a": path, "b": str(path), "c": [path]})

    assert [each.rows for each in report.benchmarks] == [(0, 1, 2, 3, 4)] * 3
    assert [each.items for each in report.benchmarks] == [2, 2, 2]


def test_a_benchmark_may_be_a_dataset_or_records() -> None:
    """Datasets give their user messages; records the field that is named."""
    data = Dataset.from_records(screened_rows())
    report = data.screen({"set": Dataset.from_records([row(ITEM, "630")])})
    named = data.screen({"set": [{"question": "Nothing", "stem": ITEM}]}, fields=["stem"])

    assert report.rows == named.rows == (0, 1, 2, 3, 4)


def test_what_cannot_be_screened_says_why(tmp_path: Path) -> None:
    """A missing file, a record without a text and an unknown kind of file are clear errors."""
    data = Dataset.from_records(screened_rows())
    (tmp_path / "b.xlsx").write_bytes(b"PK")
    (tmp_path / "b.jsonl").write_text("{oops\n")

    with pytest.raises(DatasetNotFoundError, match="There is no file"):
        data.screen({"x": tmp_path / "none.jsonl"})
    with pytest.raises(DatasetError, match=r"Its keys: 'stem'\. Name the fields"):
        data.screen({"x": [{"stem": ITEM}]})
    with pytest.raises(DatasetError, match="Read it yourself"):
        data.screen({"x": tmp_path / "b.xlsx"})
    with pytest.raises(DatasetError, match=r"line 1 of .* is not JSON"):
        data.screen({"x": tmp_path / "b.jsonl"})
    with pytest.raises(ValueError, match="no benchmark is given"):
        data.screen({})


# Cards


class Page(HTMLParser):
    """Collects the tags and the visible text of a page, and refuses tags that do not match."""

    VOID = frozenset({"meta"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "style")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


DAY = datetime.date(2026, 11, 25)
NASTY = '<script>alert("x")</script> & </details></main> <img src=x onerror=alert(1)>'


def test_a_card_is_one_page_that_escapes_what_the_data_says(tmp_path: Path) -> None:
    """Markup in rows, labels, prompts and titles is shown as text; nothing is loaded from elsewhere."""
    rows = [row(f"{NASTY} {p}", NASTY, system=NASTY) for p in PROMPTS]
    path = tmp_path / "card.html"
    card = Dataset.from_records(rows).card(path, title=NASTY, date=DAY)
    page = Page(path.read_text("utf-8"))

    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.links == []
    assert page.text.count(NASTY) >= 3
    assert path.read_text("utf-8") == card.to_html()
    assert re.search(r"(?<!\\)<", card.to_markdown()) is None


def test_a_card_tells_where_the_rows_come_from_and_what_is_in_them() -> None:
    """Fingerprint, tokens, cost, checks, leakage and findings stand on the page and in the Markdown."""
    data = Dataset.from_records([*prose(a4="I'm sorry, but I can't help with that."), prose()[0]])
    card = data.card(
        title="Repairs",
        split=data.split(seed=1),
        screening=data.screen({"ours": [PROMPTS[7]]}),
        date=DAY,
    )
    page = Page(card.to_html())

    for text in (page.text, card.to_markdown()):
        assert data.fingerprint in text
        assert "2026-11-25" in text
        assert f"{data.tokens().total:,}" in text
        assert "taught to refuse" in text
        assert "duplicate-row" in text
        assert "ours" in text
    assert card.split is not None
    assert card.split.train + card.split.validation == 31
    assert "Held-out rows that are like a row of another part: 0." in page.text
    assert page.tags.count("svg") > 8
    assert json.loads(json.dumps(card.to_dict()))["fingerprint"] == data.fingerprint


def test_a_card_shows_sample_rows_only_where_asked() -> None:
    """Samples are drawn by seed; with none, and in Markdown, no row of the data is shown."""
    data = Dataset.from_records(prose())
    cards = [data.card(date=DAY, samples=2, seed=seed) for seed in (1, 1, 2)]

    assert cards[0] == cards[1]
    assert cards[0].samples != cards[2].samples
    assert len(cards[0].samples) == 2
    shown = PROMPTS[cards[0].samples[0].row]
    assert shown in cards[0].to_html()
    assert shown not in cards[0].to_markdown()
    assert shown not in data.card(date=DAY, samples=0).to_html()
    with pytest.raises(ValueError, match="samples must be 0 or more"):
        data.card(samples=-1)


def test_a_card_of_preferences_has_their_plot() -> None:
    """The lengths of both outputs are drawn against each other."""
    rows = [pair("Hold the button for ten seconds " * (n + 1), "No idea") for n in range(12)]
    page = Page(Dataset.from_records(rows).card(date=DAY).to_html())

    assert page.tags.count("circle") == 12
    assert "Longer preferred, of unequal pairs" in page.text


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A card is not lost silently."""
    with pytest.raises(DatasetNotFoundError, match="does not exist"):
        Dataset.from_records(prose()).card(tmp_path / "none" / "card.html")
