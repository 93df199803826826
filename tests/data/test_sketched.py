"""Among many rows, sketches propose who may be alike and the rules decide."""

from __future__ import annotations

import json
import os
import pickle
import random
import subprocess
import sys
import time
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune import Dataset
from gpt4o_tune.data import _words
from gpt4o_tune.data._sketch import Sketches
from gpt4o_tune.data._sketched import SketchedCorpus
from gpt4o_tune.data.similarity import EXACT_ROWS, clusters, overlap, prompt_text, straddling

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]

_LETTERS = random.Random(0)  # no secret
VOCABULARY = sorted(
    {"".join(_LETTERS.choices("abcdefghijklmnoprstuvwz", k=2 + word % 9)) for word in range(3_000)},
    key=lambda word: (len(word), word),
)


def chat(user: str, answer: str = "fine", *, system: str | None = None) -> Row:
    """Make a chat row."""
    head = [{"role": "system", "content": system}] if system else []
    said = [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]
    return {"messages": head + said}


def text(draw: random.Random, words: int) -> str:
    """Draw a text whose words are as unevenly common as those of a language."""
    return " ".join(VOCABULARY[int(len(VOCABULARY) * draw.random() ** 3)] for _ in range(words))


def changed(said: str, draw: random.Random, *, every: int) -> str:
    """Change one word of so many."""
    words = said.split(" ")
    for place in range(draw.randrange(every), len(words), every):
        words[place] = str(draw.randrange(10**6))
    return " ".join(words)


def prompts(count: int, *, words: tuple[int, int], seed: int = 0) -> list[str]:
    """Draw texts of some lengths."""
    draw = random.Random(seed)  # no secret
    return [text(draw, draw.randint(*words)) for _ in range(count)]


def jaccard(one: str, two: str) -> float:
    """Return the Jaccard index of word 3-grams."""
    runs = [
        set(zip(words, words[1:], words[2:], strict=False)) for words in (one.split(), two.split())
    ]
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1])


def many(rows: list[Row]) -> list[tuple[int, ...]]:
    """Cluster rows as if they were many."""
    return clusters(rows, near=True, exact_rows=0)


LETTERS = st.sampled_from("abcde")
SHORT = st.lists(LETTERS, max_size=6).map(" ".join)
LONG = st.lists(LETTERS, min_size=8, max_size=14).map(" ".join)
ROWS = st.lists(st.builds(chat, SHORT | LONG, SHORT | LONG, system=st.none() | SHORT), max_size=14)


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_nothing_is_joined_that_the_rules_keep_apart(rows: list[Row]) -> None:
    """Every cluster lies within one of the search that finds everything."""
    whole = {row: group[0] for group in clusters(rows, near=True) for row in group}
    for group in many(rows):
        assert len({whole.get(row, -row) for row in group}) == 1


@settings(max_examples=40, deadline=None)
@given(ROWS, ROWS)
def test_kinds_are_those_of_the_search_that_finds_everything(
    rows: list[Row], others: list[Row]
) -> None:
    """What is found to overlap does, and equal prompts are always found."""
    found = overlap(rows, others, exact_rows=0)
    certain = overlap(rows, others)
    assert set(found.rows) <= set(certain.rows)
    for row, kind in certain.kind.items():
        if kind == "exact":
            assert (found.kind[row], found.matches[row]) == (kind, certain.matches[row])


@settings(max_examples=30, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(rows: list[Row], draw: random.Random) -> None:
    """Shuffled rows form the same clusters."""
    order = list(range(len(rows)))
    draw.shuffle(order)
    found = many([rows[row] for row in order])
    assert sorted(tuple(sorted(order[row] for row in group)) for group in found) == many(rows)


@pytest.mark.parametrize(("words", "pairs"), [((12, 40), 600), ((60, 200), 200)])
def test_near_duplicates_are_found(words: tuple[int, int], pairs: int) -> None:
    """Of hundreds of pairs that reach the threshold, 99 of 100 and more are found, whatever their answers."""
    draw = random.Random(2)  # no secret
    texts = prompts(pairs, words=words)
    copies = [changed(said, draw, every=draw.randrange(12, 60)) for said in texts]
    rows = [chat(said, text(draw, 8)) for said in (*texts, *copies)]
    near = [
        number
        for number, (one, two) in enumerate(zip(texts, copies, strict=True))
        if jaccard(one, two) >= 0.7
    ]
    assert len(near) > pairs / 2

    found = set(many(rows))

    missed = [number for number in near if (number, number + pairs) not in found]
    assert len(missed) <= len(near) / 100
    assert len(found) <= len(near)


def test_clusters_equal_those_of_the_search_that_finds_everything() -> None:
    """Families, growing conversations and strangers fall into the same clusters either way."""
    draw = random.Random(3)  # no secret
    rows = [chat(said) for said in prompts(160, words=(20, 90), seed=4)]
    for number in range(0, 160, 8):
        said = rows[number]["messages"][0]["content"]
        rows += [chat(changed(said, draw, every=40), text(draw, 5)) for _ in range(2)]
        rows.append(
            {"messages": [*rows[number + 1]["messages"], *chat(text(draw, 30))["messages"]]}
        )
    assert many(rows) == clusters(rows, near=True)


def test_result_is_the_same_in_every_process() -> None:
    """String hashing, which Python randomises, has no influence."""
    code = (
        "import random; from gpt4o_tune.data.similarity import clusters; d = random.Random(5); "
        "rows = [{'messages': [{'role': 'user', 'content': ' '.join(d.choices('abcd', k=9))}]} "
        "for _ in range(300)]; print(clusters(rows, near=True, exact_rows=0))"
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
    assert "(" in outputs.pop()


def test_result_is_the_same_in_several_processes(tmp_path: Path) -> None:
    """Thousands of pairs from a file, judged by several processes, give what one process finds."""
    draw = random.Random(8)  # no secret
    rows = [
        chat(changed(said, draw, every=14 + member), "fine")
        for said in prompts(700, words=(24, 32), seed=8)
        for member in range(8)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = Dataset.from_jsonl(path).duplicates()
    assert found == Dataset.from_records(rows).duplicates()
    assert len(found) > 100


def test_spelling_does_not_hide_equal_prompts() -> None:
    """Case, width, spacing, symbols set apart and prose marks do not keep equal prompts apart."""
    said = prompts(40, words=(15, 15))
    rows = [chat(one) for one in said]
    rows += [
        chat(f"  {said[3].upper()}!"),
        chat("“" + said[5].replace(" ", "\n\u00a0") + "”…", "no"),
    ]
    rows += [
        chat("2+2 is what in base 3, and what in base 4"),
        chat("2 + 2 is what, in base 3 and what in base 4?"),
    ]
    assert many(rows) == [(3, 40), (5, 41), (42, 43)]


def test_templates_do_not_swallow_the_dataset() -> None:
    """Six hundred rows from three templates are compared by what fills these."""
    draw = random.Random(6)  # no secret
    templates = prompts(3, words=(80, 80), seed=7)
    filled = prompts(600, words=(12, 30), seed=8)
    rows = [chat(f"{draw.choice(templates)} {said}", "good") for said in filled]
    rows.append(chat(rows[9]["messages"][0]["content"].rsplit(" ", 1)[0] + " changed", "bad"))
    assert many(rows) == [(9, 600)]


def test_prompts_of_nothing_but_template_are_compared_with_their_instructions() -> None:
    """Where the document stands in the system message, that is what tells rows apart."""
    documents = prompts(60, words=(30, 60))
    rows = [chat("Summarise this, please.", system=document) for document in documents]
    rows.append(chat("Summarise this, please.", "again", system=documents[7] + " indeed"))
    assert many(rows) == [(7, 60)]


def test_growing_conversations_belong_together() -> None:
    """A conversation that was cut into rows turn by turn is one cluster, however short its beginning."""
    turns = prompts(8, words=(9, 12))
    rows: list[Row] = []
    messages: list[object] = []
    for number, said in enumerate(turns):
        messages += chat(said, f"answer {number}")["messages"]
        rows.append({"messages": list(messages)})
    strangers = [chat(said) for said in prompts(50, words=(9, 90), seed=5)]
    assert many([*strangers, *rows]) == [tuple(range(50, 58))]
    report = overlap(rows[:1], [*strangers, rows[7]], exact_rows=0)
    assert (report.kind, report.matches) == ({0: "contained"}, {0: 50})


def test_prompt_inside_a_message_is_found() -> None:
    """A question of some length that stands in the middle of a longer message is contained."""
    said = prompts(60, words=(40, 60))
    around = prompts(60, words=(100, 200), seed=9)
    rows = [chat(one) for one in said]
    others = [chat(f"{one} {two} {one[::-1]}") for one, two in zip(around, said, strict=True)]
    report = overlap(rows, others, exact_rows=0)
    assert len(report) >= 58
    assert all(kind == "contained" for kind in report.kind.values())
    assert all(row == match for row, match in report.matches.items())


SCRIPTS = {
    "Chinese": ("".join(map(chr, range(0x4E00, 0x4E00 + 900))), ""),
    "Thai": ("".join(map(chr, range(0x0E01, 0x0E2F))), ""),
    "Cyrillic": ("абвгдежзийклмнопрстуфхцчшщыьэюя", " "),
    "Arabic": ("ابتثجحخدذرزسشصضطظعغفقكلمنهوي", " "),
    "Hindi": ("अआइईउऊएऐओऔकखगघचछजझटठडढतथदधनपफबभमयरलवशषसह", " "),
    "Korean": ("".join(map(chr, range(0xAC00, 0xAC00 + 900))), " "),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_is_compared(script: str) -> None:
    """Near-duplicates are found in scripts with and without spaces."""
    letters, space = SCRIPTS[script]
    draw = random.Random(script)  # no secret
    said = [
        [("".join(draw.choices(letters, k=draw.randint(3, 7)))) for _ in range(40)]
        for _ in range(60)
    ]
    copies = [[*words[:12], *words[14:]] for words in said]
    rows = [chat(space.join(words)) for words in (*said, *copies)]
    assert many(rows) == [(number, number + 60) for number in range(60)]


def test_different_images_are_never_alike() -> None:
    """The same question about another picture is another row; about the same picture it is not."""

    def look(said: str, url: str) -> Row:
        parts = [{"type": "text", "text": said}, {"type": "image_url", "image_url": {"url": url}}]
        return {"messages": [{"role": "user", "content": parts}, chat("", "A cat.")["messages"][1]]}

    said, other = prompts(2, words=(30, 30))
    rows = [look(said, f"https://x.org/{number}") for number in range(40)]
    rows.append(look(said + " please", "https://x.org/3"))
    rows.append(look("", "https://x.org/50"))
    rows.append(look("", "https://x.org/50"))
    rows.append(chat(other))
    assert many(rows) == [(3, 40), (41, 42)]


def test_preference_rows_and_labels() -> None:
    """Preference rows are alike by their input; one-word prompts only if they are the same."""

    def preference(said: str, good: str) -> Row:
        return {
            "input": {"messages": [{"role": "user", "content": said}]},
            "preferred_output": [{"role": "assistant", "content": good}],
            "non_preferred_output": [{"role": "assistant", "content": "bad"}],
        }

    one, two = prompts(2, words=(30, 40))
    assert many([preference(one, "x"), preference(two, "y"), preference(one + " now", "z")]) == [
        (0, 2)
    ]
    labels = [chat(word, "the same answer") for word in VOCABULARY[5:200]]
    assert many([*labels, chat(VOCABULARY[9].upper(), "other")]) == [(4, 195)]


def test_rows_without_a_prompt_are_compared_by_their_answers() -> None:
    """Rows of nothing but an answer are alike if the answers are."""
    said = prompts(30, words=(30, 40))
    rows: list[Row] = [{"messages": [{"role": "assistant", "content": one}]} for one in said]
    rows.append({"messages": [{"role": "assistant", "content": said[4] + " indeed"}]})
    assert many(rows) == [(4, 30)]


def test_extremes_take_no_time() -> None:
    """Equal rows, empty prompts, a family of variants and a row of a megabyte cost no more than others."""
    start = time.process_time()
    said = prompts(1, words=(60, 60))[0]
    assert many([chat(said)] * 1_000) == [tuple(range(1_000))]
    assert many([chat("", "fine")] * 1_000) == [tuple(range(1_000))]
    assert many([chat("", str(number)) for number in range(1_000)]) == []
    strangers = [chat(one) for one in prompts(1_500, words=(5, 20))]
    family = [chat(f"{said} {number}") for number in range(120)]
    assert len(many([*strangers, *family])[-1]) == 120
    long = " ".join(map(str, range(150_000)))
    assert many([chat(long), *strangers[:20], chat(long + " end")]) == [(0, 21)]
    assert time.process_time() - start < 10


def test_held_out_rows_are_looked_up_among_the_others() -> None:
    """The proof finds planted leaks by itself and says where they come from."""
    said = prompts(300, words=(30, 60))
    rows = [chat(one) for one in said]
    rows += [chat(said[7] + " thanks", "x"), chat(said[9].title(), "y")]
    parts = [0] * 300 + [1, 2]
    report = straddling(rows, parts, exact_rows=0)
    assert report.kind == {300: "near", 301: "exact"}
    assert report.matches == {300: 7, 301: 9}


def test_split_of_many_rows_is_proved_and_repeatable() -> None:
    """Thousands of rows with copies are split apart from their copies, the same in any order."""
    draw = random.Random(4)  # no secret
    rows = [chat(one) for one in prompts(EXACT_ROWS, words=(8, 20))]
    rows += [chat(row["messages"][0]["content"] + " thanks", "other") for row in rows[:500]]
    data = Dataset.from_records(rows)
    split = data.split(validation=0.2, seed=3)
    assert split.leakage.rows == ()
    assert len(split.validation) == 900
    order = list(range(len(rows)))
    draw.shuffle(order)
    again = data.select(order).split(validation=0.2, seed=3)
    assert sorted(again.validation.lines) == sorted(split.validation.lines)


def test_split_can_look_at_equal_rows_alone() -> None:
    """Without `near`, equal rows stay together, similar ones may part, and the proof says so."""
    said = prompts(40, words=(15, 15))
    data = Dataset.from_records([chat(f"{one} {end}") for end in ("", "a", "a") for one in said])
    split = data.split(validation=0.3, seed=1, near=False)
    held_out = set(split.validation.lines)
    assert all((line + 40 in held_out) == (line + 80 in held_out) for line in range(1, 41))
    assert split.leakage.rows == ()
    assert "same messages" in str(split.leakage)
    assert any((line in held_out) != (line + 40 in held_out) for line in range(1, 41))


def test_sketches_are_put_together_and_travel() -> None:
    """Sketches made in parts, in another process or for some rows alone are those of one pass."""
    rows = [chat(one) for one in prompts(30, words=(3, 90))]
    rows.append({"messages": [*rows[2]["messages"], *rows[3]["messages"]]})
    whole = Sketches.of(rows)
    joined = Sketches.of(rows[:11])
    joined.extend(pickle.loads(pickle.dumps(Sketches.of(rows[11:]))))  # noqa: S301  # our own
    assert joined == whole
    assert whole.take([30, 2, 2]) == Sketches.of([rows[30], rows[2], rows[2]])
    corpus = SketchedCorpus(rows, sketches=joined)
    assert corpus.groups(threshold=0.7).several() == [(2, 3, 30)]


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_cut_into_words_as_all_text(said: str) -> None:
    """The short way for ASCII gives the words that the way for all text gives."""
    assert prompt_text(chat(said)).split(" ") == (_words._WORD.findall(said.casefold()) or [""])


def test_pairs_of_a_few_rows_need_no_sketches() -> None:
    """All pairs of three rows are compared the same either way."""
    one, two, three = prompts(3, words=(20, 20))
    rows = [chat(one), chat(two), chat(three), chat(one + " a"), chat(two + " b")]
    for some in combinations(rows, 3):
        assert many(list(some)) == clusters(list(some), near=True)
