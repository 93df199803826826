"""Similarity finds exactly the pairs that its rules name, however it searches."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune.data.similarity import (
    OverlapReport,
    clusters,
    exact_key,
    overlap,
    prompt_text,
    row_text,
    straddling,
)

Row = dict[str, Any]

BASE = "I ordered a blue kettle three weeks ago and the parcel has still not arrived at my door"
OTHER = "Please cancel the subscription of my late father and send the confirmation to this address"


def chat(user: str, answer: str = "fine", *, system: str | None = None) -> Row:
    """Make a chat row."""
    head = [{"role": "system", "content": system}] if system else []
    said = [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]
    return {"messages": head + said}


def fillers(count: int, *, words: int = 12, seed: int = 1) -> list[Row]:
    """Rows that are like nothing else."""
    draw = random.Random(seed)  # no secret
    return [
        chat(" ".join(f"w{draw.randrange(10**6)}" for _ in range(words)), f"a{number}")
        for number in range(count)
    ]


# The reference: the rules of the module's docstring over all pairs, with plain sets of words.

Shingle = tuple[str, ...]


def series(text: str) -> list[Shingle]:
    """Cut a normalised text into runs of three words."""
    words = text.split()
    if len(words) < 3:
        return [tuple(words)] if words else []
    return [tuple(words[start : start + 3]) for start in range(len(words) - 2)]


def common(texts: list[list[Shingle]], limit: float) -> set[Shingle]:
    """Return the shingles of more texts than the limit."""
    counts = Counter(shingle for text in texts for shingle in set(text))
    return {shingle for shingle, count in counts.items() if count > limit}


def stock_limit(count: int) -> float:
    """Return how many rows may share what is no stock phrase."""
    return max(3, min(10, count / 2))


def template_limit(count: int) -> float:
    """Return how many prompts may share what is no template."""
    return max(count / 10, stock_limit(count))


def jaccard(one: set[Shingle], two: set[Shingle]) -> float:
    """Return the Jaccard index."""
    return len(one & two) / len(one | two) if one | two else 0.0


class Reference:
    """The rules, applied pair by pair."""

    def __init__(self, rows: list[Row]) -> None:
        systems = [prompt_text(chat(system_of(row))) for row in rows]
        users = [prompt_text(row) for row in rows]
        contexts = {pair: series(pair[1]) for pair in zip(systems, users, strict=True)}
        template = common(list(contexts.values()), template_limit(len(contexts)))
        self.prompts = [
            series(f"{system} {user}") if set(series(user)) <= template else series(user)
            for system, user in zip(systems, users, strict=True)
        ]
        self.wholes = [series(row_text(row)) for row in rows]
        distinct = {tuple(prompt): prompt for prompt in self.prompts}
        template = common(list(distinct.values()), template_limit(len(distinct)))
        apart = {
            (tuple(prompt), tuple(whole)): whole
            for prompt, whole in zip(self.prompts, self.wholes, strict=True)
        }
        stock = common(list(apart.values()), stock_limit(len(apart)))
        self.telling_prompts = [set(prompt) - template for prompt in self.prompts]
        self.telling_wholes = [set(whole) - stock for whole in self.wholes]
        self.exact = [exact_key(row) for row in rows]

    def kind(self, one: int, two: int, threshold: float) -> str | None:
        """Say how two rows are alike."""
        prompts = self.prompts[one], self.prompts[two]
        if self.exact[one] == self.exact[two] or (prompts[0] and prompts[0] == prompts[1]):
            return "exact"
        telling = self.telling_prompts[one], self.telling_prompts[two]
        alike = jaccard(*telling) if telling[0] or telling[1] else float(prompts[0] == prompts[1])
        whole = jaccard(self.telling_wholes[one], self.telling_wholes[two])
        if telling[0] and alike >= threshold:
            return "near"
        if whole >= threshold and alike >= threshold / 2:
            return "near"
        return "contained" if self.holds(one, two) or self.holds(two, one) else None

    def holds(self, needle: int, hay: int) -> bool:
        """Tell whether one prompt stands whole inside the other."""
        short, long = self.prompts[needle], self.prompts[hay]
        return (
            6 <= len(short) < len(long)
            and bool(self.telling_prompts[needle])
            and any(
                long[start : start + len(short)] == short
                for start in range(len(long) - len(short) + 1)
            )
        )

    def clusters(self, threshold: float) -> list[tuple[int, ...]]:
        """Join every pair that is alike."""
        groups = [{row} for row in range(len(self.prompts))]
        for one, two in combinations(range(len(groups)), 2):
            if groups[one] is not groups[two] and self.kind(one, two, threshold):
                groups[one] |= groups[two]
                for row in groups[two]:
                    groups[row] = groups[one]
        return sorted({tuple(sorted(group)) for group in groups if len(group) > 1})


def system_of(row: Row) -> str:
    """Return the instructions of a row."""
    first = row["messages"][0]
    return first["content"] if first["role"] == "system" else ""


LETTERS = st.sampled_from("abcde")
SHORT = st.lists(LETTERS, max_size=6).map(" ".join)
LONG = st.lists(LETTERS, min_size=8, max_size=14).map(" ".join)
ROWS = st.lists(st.builds(chat, SHORT | LONG, SHORT | LONG, system=st.none() | SHORT), max_size=14)
THRESHOLDS = st.sampled_from([0.3, 0.5, 0.7, 0.9, 1.0])


@settings(max_examples=200, deadline=None)
@given(ROWS, THRESHOLDS)
def test_clusters_equal_those_of_all_pairs(rows: list[Row], threshold: float) -> None:
    """The search finds every pair that the rules name and no other."""
    assert clusters(rows, near=True, threshold=threshold) == Reference(rows).clusters(threshold)


@settings(max_examples=120, deadline=None)
@given(ROWS, ROWS, THRESHOLDS)
def test_overlap_equals_that_of_all_pairs(
    rows: list[Row], others: list[Row], threshold: float
) -> None:
    """Every row that is like one of the others is reported, by its strongest kind and a true match."""
    reference = Reference([*rows, *others])
    report = overlap(rows, others, threshold=threshold)
    for row in range(len(rows)):
        kinds = {
            reference.kind(row, len(rows) + other, threshold) for other in range(len(others))
        } - {None}
        expected = next((kind for kind in ("exact", "near", "contained") if kind in kinds), None)
        assert report.kind.get(row) == expected
        if expected:
            assert reference.kind(row, len(rows) + report.matches[row], threshold) == expected


@settings(max_examples=60, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(rows: list[Row], draw: random.Random) -> None:
    """Shuffled rows form the same clusters."""
    order = list(range(len(rows)))
    draw.shuffle(order)
    found = clusters([rows[row] for row in order], near=True)
    renamed = sorted(tuple(sorted(order[row] for row in group)) for group in found)
    assert renamed == clusters(rows, near=True)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(min_value=0, max_value=2**14))
def test_what_is_clustered_apart_does_not_straddle(rows: list[Row], bits: int) -> None:
    """If no cluster is divided, no row of one part is like a row of another."""
    part = {row: bits >> row & 1 for row in range(len(rows))}
    for group in clusters(rows, near=True):
        part |= dict.fromkeys(group, bits >> group[0] & 1)
    assert straddling(rows, [part[row] for row in range(len(rows))]).rows == ()


def test_result_is_the_same_in_every_process() -> None:
    """String hashing, which Python randomises, has no influence on clusters or on matches."""
    code = (
        "import json, random; from gpt4o_tune.data.similarity import clusters, overlap; "
        "d = random.Random(5); w = 'abcd'; "
        "rows = [{'messages': [{'role': 'user', 'content': ' '.join(d.choices(w, k=9))}]} "
        "for _ in range(60)]; o = overlap(rows[:30], rows[30:], threshold=0.3); "
        "print(json.dumps([clusters(rows, near=True, threshold=0.3), o.to_dict()]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert json.loads(outputs.pop())[0]


def test_spelling_does_not_tell_rows_apart() -> None:
    """Case, width, spacing and prose marks are ignored; symbols that carry meaning are not."""
    assert prompt_text(chat("  Hello,\n\tWORLD!  “Fine”…")) == "hello world fine"
    assert (
        prompt_text(chat("\uff26\uff35\uff2c\uff2c\u3000\uff57\uff49\uff44\uff54\uff48"))
        == "full width"
    )
    assert prompt_text(chat("12 + 30")) != prompt_text(chat("12 - 30"))
    assert prompt_text(chat("👍")) != prompt_text(chat("👎"))


def test_row_text_leaves_instructions_out() -> None:
    """The text that is compared is what user and assistant say."""
    assert row_text(chat("One.", "Two.", system="Never.")) == "one two"


def test_changed_word_is_a_near_duplicate() -> None:
    """One changed word in a sentence of 18 leaves the rows alike; another sentence is not."""
    rows = [chat(BASE), chat(OTHER), chat(BASE.replace("three", "two"), "other answer")]
    assert clusters(rows, near=True, threshold=0.6) == [(0, 2)]
    assert clusters(rows, near=False) == []


def test_same_prompt_with_another_answer_is_exact() -> None:
    """A question that was trained on must not come back with another answer."""
    report = overlap([chat(BASE, "yes")], [chat(OTHER), chat(BASE.upper() + "!", "no")])
    assert report.kind == {0: "exact"}
    assert report.matches == {0: 1}


def test_shared_system_prompt_makes_nothing_alike() -> None:
    """Rows with one long system prompt in common are as different as their questions."""
    system = "You are the support agent of a shop. " * 40
    rows = [chat(row["messages"][0]["content"], system=system) for row in fillers(30)]
    assert clusters(rows, near=True) == []


def test_shared_label_makes_nothing_alike() -> None:
    """Short questions with one long label in common are as different as the questions."""
    label = '{"category": "delivery", "priority": "high", "language": "en", "team": "north"}'
    rows = [
        chat(" ".join(row["messages"][0]["content"].split()[:6]), label) for row in fillers(200)
    ]
    assert clusters(rows, near=True) == []


def test_template_does_not_swallow_the_dataset() -> None:
    """Rows made from one template are compared by what fills it, and near copies are still found."""
    template = (
        "Classify the sentiment of the following review as good or bad and say nothing else: "
    )
    rows = [
        chat(template + row["messages"][0]["content"], "good") for row in fillers(100, words=20)
    ]
    content = rows[0]["messages"][0]["content"]
    rows.append(chat(content.rsplit(" ", 1)[0] + " changed", "good"))
    assert clusters(rows, near=True) == [(0, 100)]


def test_prompts_of_nothing_but_template_are_compared_with_their_instructions() -> None:
    """Where the document stands in the system message, that is what tells rows apart."""
    documents = [row["messages"][0]["content"] for row in fillers(40, words=30)]
    rows = [chat("Summarise this, please.", system=document) for document in documents]
    assert clusters(rows, near=True) == []
    rows.append(chat("Summarise this, please.", "again", system=documents[7]))
    assert clusters(rows, near=True) == [(7, 40)]


def test_growing_conversations_belong_together() -> None:
    """A conversation that was cut into rows turn by turn is one cluster."""
    first = chat(BASE, "Sorry to hear that.")
    second = {"messages": [*first["messages"], *chat(OTHER, "Done.")["messages"]]}
    assert clusters([first, *fillers(5), second], near=True) == [(0, 6)]
    assert overlap([first], [second]).kind == {0: "contained"}
    assert overlap([second], [first]).kind == {0: "contained"}


def test_short_prompts_do_not_count_as_contained() -> None:
    """A greeting inside a longer message says nothing."""
    report = overlap([chat("thank you very much")], [chat(f"{BASE} thank you very much indeed")])
    assert report.rows == ()


def test_scripts_without_spaces_are_compared_by_character() -> None:
    """Chinese, Japanese and Thai texts are near-duplicates although they have no words to split at."""
    text = "我三个星期前订购了一个蓝色的水壶但是包裹到现在还没有送到我家门口请帮我查一下"
    rows = [
        chat(text),
        chat(text.replace("蓝", "红")),
        chat("我想取消我的订阅并把确认信寄到这个地址谢谢"),
    ]
    assert clusters(rows, near=True) == [(0, 1)]


def test_different_images_are_never_alike() -> None:
    """The same question about another picture is another row; about the same picture it is not."""

    def look(url: str) -> Row:
        parts = [
            {"type": "text", "text": BASE},
            {"type": "image_url", "image_url": {"url": url}},
        ]
        return {"messages": [{"role": "user", "content": parts}, chat("", "A cat.")["messages"][1]]}

    assert clusters([look("https://x.org/1"), look("https://x.org/2")], near=True) == []
    assert clusters([look("https://x.org/1"), look("https://x.org/1")], near=True) == [(0, 1)]


def test_exact_clusters_need_equal_messages() -> None:
    """Without `near`, key order and fields outside the messages do not matter, and all else does."""
    row = chat(BASE)
    turned = {"id": 7, "messages": [dict(reversed(message.items())) for message in row["messages"]]}
    assert clusters([row, chat(BASE + "."), turned], near=False) == [(0, 2)]


def test_preference_rows_are_compared() -> None:
    """Preference rows with the same input are alike whatever their outputs."""

    def preference(text: str, good: str) -> Row:
        return {
            "input": {"messages": [{"role": "user", "content": text}]},
            "preferred_output": [{"role": "assistant", "content": good}],
            "non_preferred_output": [{"role": "assistant", "content": "bad"}],
        }

    rows = [preference(BASE, "one"), preference(OTHER, "two"), preference(BASE, "three")]
    assert clusters(rows, near=True) == [(0, 2)]
    assert clusters(rows, near=False) == []


def test_report_reads_well() -> None:
    """Text and plain data name the rows, their kind and their match."""
    report = overlap([chat(BASE), chat(OTHER)], [chat("x"), chat(OTHER)])
    assert str(report).splitlines()[0].startswith("1 of 2 rows against 2 overlap")
    assert "exact     1 row: 1 = 1" in str(report)
    assert json.loads(json.dumps(report.to_dict()))["rows"] == [
        {"row": 1, "kind": "exact", "match": 1}
    ]
    assert report._repr_html_().startswith("<pre")
    assert str(overlap([chat(BASE)], [])).startswith("no overlap")
    assert isinstance(report, OverlapReport)
    assert len(report) == 1


@pytest.mark.parametrize("threshold", [0, -0.1, 1.1, float("nan")])
def test_threshold_out_of_range_is_refused(threshold: float) -> None:
    """A threshold is above 0 and at most 1."""
    for call in (
        lambda: clusters([], near=True, threshold=threshold),
        lambda: overlap([], [], threshold=threshold),
        lambda: straddling([], [], threshold=threshold),
    ):
        with pytest.raises(ValueError, match="threshold"):
            call()


def test_families_and_stock_answers_take_no_quadratic_time() -> None:
    """Two thousand rows with a stock answer, and two thousand variants of one prompt, are quick."""
    stock = " ".join(row["messages"][0]["content"] for row in fillers(5))
    canned = [chat(row["messages"][0]["content"], stock) for row in fillers(2_000, words=8)]
    long = " ".join(row["messages"][0]["content"] for row in fillers(4, seed=2))
    start = time.process_time()
    assert clusters(canned, near=True) == []
    family = [chat(f"{long} {number // 2}", str(number)) for number in range(18)]
    assert len(clusters([*canned, *family], near=True)) == 1
    assert time.process_time() - start < 4
