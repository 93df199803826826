"""Comparisons through the public API, on answers made up for the purpose."""

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.errors import DatasetError
from gpt4o_tune.evaluation import (
    Answer,
    Comparison,
    Grade,
    Grader,
    Item,
    JsonMatch,
    Sample,
    comparable,
    compare,
    mcnemar_exact,
    tango,
    wilson,
)


def rows(n: int, reference: str = "yes") -> list[dict[str, object]]:
    """Rows that differ in their question only."""
    return [
        {
            "messages": [
                {"role": "user", "content": f"question {number}"},
                {"role": "assistant", "content": reference},
            ]
        }
        for number in range(n)
    ]


def answers(marks: Sequence[object]) -> list[Answer]:
    """Right for a true mark, wrong for a false one, failed for None."""
    return [
        Answer(error="timed out") if mark is None else Answer(text="yes" if mark else "no")
        for mark in marks
    ]


def comparison(base: Sequence[object], custom: Sequence[object]) -> Comparison:
    """Compare two candidates given by their marks."""
    candidates = {"base": answers(base), "custom": answers(custom)}
    return compare(rows(len(base)), candidates, baseline="base")


@dataclass(frozen=True)
class Overlap:
    """What the data room reports about seen rows."""

    rows: tuple[int, ...] = ()
    kind: Mapping[int, str] = field(default_factory=dict[int, str])


@dataclass(frozen=True)
class Length:
    """Scores by length and knows no right or wrong."""

    name: str = "length"

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Ten letters are perfect."""
        return Grade(min(1.0, len(sample.output_text) / 10), passed=None)


def test_a_clear_win_is_called_better() -> None:
    """52 of 60 against none is better, with the figures in the sentence."""
    found = comparison([False] * 60, [True] * 52 + [False] * 8)

    assert found.differences["custom"].outcome == "better"
    assert found.verdict == (
        "custom is better: 52 of 60 right against 0 of 60; difference +86.7 points"
        " (95% CI +75.4 to +93.1), p < 0.0001"
    )
    assert found.warnings == ()


def test_a_clear_loss_is_called_worse() -> None:
    """The same figures the other way round are a loss."""
    found = comparison([True] * 52 + [False] * 8, [False] * 60)

    assert found.verdict.startswith("custom is worse: 0 of 60 right against 52 of 60")


def test_few_rows_are_called_undecided_with_what_would_show() -> None:
    """Without proof the verdict says so, how much could have been seen, and how many rows it takes."""
    found = comparison([True] * 7 + [False] * 5, [True] * 8 + [False] * 4)

    assert found.differences["custom"].outcome == "undecided"
    assert "custom: no difference can be shown at n=12: 8 of 12 right against 7" in found.verdict
    assert "the smallest detectable is about 58 points" in found.verdict
    assert "12 rows are few" in found.warnings[0]
    assert "takes about 77 rows like these" in found.warnings[0]


def test_five_rows_can_show_nothing() -> None:
    """Where not even a sweep would be proof, the verdict says that instead of a figure."""
    found = comparison([False] * 5, [True] * 5)

    assert found.differences["custom"].smallest_detectable is None
    assert "so few rows cannot show any difference" in found.verdict
    assert "the interval leaves out 0, but the test is the stricter judge" in found.verdict


marks = st.sampled_from([True, False, None])


@given(st.lists(st.tuples(marks, marks), min_size=1, max_size=40))
def test_every_figure_follows_from_the_paired_marks(
    pairs: list[tuple[bool | None, bool | None]],
) -> None:
    """Counts, intervals and p values are those of the pairs; failures are wrong and never lost."""
    n, (base, custom) = len(pairs), tuple(zip(*pairs, strict=True))
    found = comparison(base, custom)
    difference, result = found.differences["custom"], found.candidates["custom"]
    wins = sum(bool(y) and not x for x, y in pairs)
    losses = sum(bool(x) and not y for x, y in pairs)

    assert (difference.wins, difference.losses) == (wins, losses)
    assert difference.ties == n - wins - losses
    assert difference.interval == tango(wins, losses, n)
    assert difference.p == difference.p_adjusted == mcnemar_exact(wins, losses)
    assert result.accuracy == sum(map(bool, custom)) / n
    assert result.interval == wilson(sum(map(bool, custom)), n)
    assert result.failed == tuple(row for row, mark in enumerate(custom) if mark is None)
    assert [each.row for each in found.disagreements] == [
        row for row, (x, y) in enumerate(pairs) if bool(x) != bool(y)
    ]
    assert (difference.outcome == "undecided") == (difference.p > 0.05)


@given(st.lists(st.tuples(marks, marks), min_size=1, max_size=12), st.text(min_size=1, max_size=90))
def test_text_fits_a_terminal(pairs: list[tuple[bool | None, bool | None]], name: str) -> None:
    """No line of the table is wider than 100 columns, whatever the names and figures."""
    name = f"c{name}".encode("ascii", "replace").decode()
    dear = Answer(
        text="yes", latency_seconds=9999, prompt_tokens=10**5, completion_tokens=10**4, usd=1.5
    )
    base, custom = zip(*pairs, strict=True)
    candidates = {"base": answers(base), name: answers(custom), "dear": [dear] * len(pairs)}

    text = str(compare(rows(len(pairs)), candidates, baseline="base"))

    assert max(map(len, text.split("\n"))) <= 100


def test_text_shows_only_what_is_known() -> None:
    """Columns without a figure are left out; one candidate alone has no verdict; names keep both ends."""
    name = "ft:gpt-4o-2024-08-06:acme:tickets:AbCdEf12:ckpt-step-70"
    timed = [Answer(text="yes", latency_seconds=12.4, prompt_tokens=80, completion_tokens=3)]

    bare = str(compare(rows(1), {"a": answers([True])}, baseline="a"))
    full = str(compare(rows(1), {name: timed}, baseline=name))

    assert "p95" not in bare
    assert "tokens" not in bare
    assert "graded differently" not in bare
    assert "12 s" in full
    assert "80 + 3" in full
    assert "$" not in full
    assert "ft:gpt-4o-20…ckpt-step-70" in full


def test_long_lists_of_failures_are_cut_in_text_only() -> None:
    """The text shows the first failures and counts the rest; `failures` has them all."""
    found = comparison([True] * 40, [None] * 7 + [True] * 33)

    assert len(found.failures["custom"]) == 7
    assert "row 4: timed out" in str(found)
    assert "row 5" not in str(found)
    assert "and 2 more (see .failures)" in str(found)


def test_disagreements_carry_the_answers() -> None:
    """A row on which the candidates part shows the reference, both answers and both grades."""
    found = comparison([True, True, None], [True, False, False])

    (only,) = found.disagreements
    assert (only.row, only.reference) == (1, "yes")
    assert {name: answer.text for name, answer in only.answers.items()} == {
        "base": "yes",
        "custom": "no",
    }
    assert only.grades["custom"].reason == "differs from the reference answer"


def test_failed_calls_are_listed() -> None:
    """Failures keep their row and error, and draw a warning."""
    found = comparison([True] * 40, [True] * 38 + [None, None])

    assert found.failures == {"custom": {38: "timed out", 39: "timed out"}}
    assert found.candidates["custom"].grades[38].reason == "no answer: timed out"
    assert found.warnings == (
        "2 of 40 calls to 'custom' failed and count as wrong; repeat them before you trust its"
        " figures.",
    )
    assert "row 38: timed out" in str(found)


def test_a_win_by_failures_alone_is_unmasked() -> None:
    """Where the outcome changes without the failed rows, a warning says so."""
    found = comparison([None] * 10 + [True] * 30, [True] * 40)

    assert found.differences["custom"].outcome == "better"
    assert (
        "hangs on failed calls: on the 30 rows without a failure the outcome is 'undecided'"
        in str(found.warnings)
    )


def test_failures_that_change_nothing_are_not_blamed() -> None:
    """A win that stands without the failed rows draws no such warning."""
    found = comparison([None] * 2 + [False] * 38, [True] * 40)

    assert "hangs on" not in str(found.warnings)


def test_several_candidates_are_held_to_a_stricter_level() -> None:
    """With three questions asked at once, Holm's adjustment decides and the sentence says so."""
    base, better = [False] * 40, [True] * 6 + [False] * 34
    candidates = {"base": answers(base), **{f"step {i}": answers(better) for i in range(3)}}

    found = compare(rows(40), candidates, baseline="base")

    assert found.differences["step 0"].p == pytest.approx(2 / 64)
    assert found.differences["step 0"].p_adjusted == pytest.approx(6 / 64)
    assert "p = 0.094 (adjusted for 3 comparisons)" in found.verdict
    assert list(found.differences) == ["step 0", "step 1", "step 2"]


def test_seen_rows_are_refused() -> None:
    """Rows that also stand in the training set are refused by number, with what to do."""
    seen = Overlap((1, 4), {1: "exact", 4: "near"})

    with pytest.raises(DatasetError, match=r"2 of 6 rows .* \(rows 1, 4\).* allow_seen=True"):
        compare(rows(6), {"base": answers([True] * 6)}, baseline="base", overlap=seen)


def test_seen_rows_allowed_label_the_result() -> None:
    """On request they are compared all the same, and the result says so for good."""
    seen = Overlap((4, 1), {1: "exact", 4: "near"})

    found = compare(
        rows(40), {"base": answers([True] * 40)}, baseline="base", overlap=seen, allow_seen=True
    )

    assert found.seen == {1: "exact", 4: "near"}
    assert "2 of 40 rows also stand in the training set (rows 1, 4)" in found.warnings[0]
    assert "training set" in str(found)
    assert found.to_dict()["seen"] == {"1": "exact", "4": "near"}


def test_no_overlap_needs_no_permission() -> None:
    """A report that found nothing changes nothing."""
    found = compare(rows(40), {"base": answers([True] * 40)}, baseline="base", overlap=Overlap())

    assert (found.seen, found.warnings, found.verdict) == ({}, (), "")


def test_rows_without_a_reference_are_refused_by_number() -> None:
    """All faults come at once, gathered by reason, before anything is graded."""
    broken = rows(4)
    broken[1] = {"messages": []}
    broken[3] = {"messages": [{"role": "user", "content": "q"}]}

    with pytest.raises(DatasetError) as caught:
        comparable(broken)

    message = str(caught.value)
    assert "2 rows cannot be compared" in message
    assert "row 1: it has no messages" in message
    assert "row 3: its last message is from 'user'" in message


def test_references_that_the_grader_cannot_read_are_found_before_paying() -> None:
    """The check that precedes the calls tries the grader on each reference answer."""
    mixed = [*rows(1, "{}"), *rows(2)]

    assert len(comparable(mixed)) == 3
    with pytest.raises(DatasetError, match=r"rows 1, 2: 'JSON match' cannot judge it"):
        comparable(mixed, grader=JsonMatch())
    with pytest.raises(DatasetError, match="rows 1, 2: 'JSON match'"):
        compare(mixed, {"a": answers([True] * 3)}, baseline="a", grader=JsonMatch())


def test_no_rows_are_refused() -> None:
    """Nothing to compare on is an error, not an empty table."""
    with pytest.raises(DatasetError, match="no rows"):
        compare([], {"a": []}, baseline="a")


def test_answers_must_fit() -> None:
    """A missing baseline and a wrong number of answers are named."""
    with pytest.raises(ValueError, match=r"'x' is not among the candidates: 'a'"):
        compare(rows(1), {"a": answers([True])}, baseline="x")
    with pytest.raises(ValueError, match="'a' has 1 answers for 2 rows"):
        compare(rows(2), {"a": answers([True])}, baseline="a")


@pytest.mark.parametrize("fields", [{}, {"text": "a", "error": "b"}])
def test_an_answer_is_a_text_or_an_error(fields: dict[str, str]) -> None:
    """Neither both nor none."""
    with pytest.raises(ValueError, match="either a text or an error"):
        Answer(**fields)


def test_latency_tokens_and_cost() -> None:
    """Failed calls count in the price per thousand, and do not blur latency and tokens."""
    given_answers = [
        Answer(text="yes", latency_seconds=i + 1, prompt_tokens=10, completion_tokens=2, usd=0.001)
        for i in range(19)
    ]
    failed = Answer(error="timed out", latency_seconds=600.0)

    result = compare(rows(20), {"a": [*given_answers, failed]}, baseline="a").candidates["a"]

    assert result.mean_latency_seconds == 10.0
    assert (result.p50_latency_seconds, result.p95_latency_seconds) == (10, 19)
    assert (result.prompt_tokens, result.completion_tokens) == (190, 38)
    assert result.usd == pytest.approx(0.019)
    assert result.usd_per_1000_calls == pytest.approx(0.95)
    assert result.usd_per_1000_right == pytest.approx(1.0)


def test_unknown_prices_stay_unknown() -> None:
    """One call without a price leaves the total unknown rather than too low."""
    mixed = [Answer(text="yes", usd=0.1), Answer(text="yes")]

    result = compare(rows(2), {"a": mixed}, baseline="a").candidates["a"]

    assert result.usd is None
    assert result.usd_per_1000_calls is None
    assert result.mean_latency_seconds is None
    assert result.prompt_tokens is None


def degrees(long: int) -> dict[str, list[Answer]]:
    """Answers of many lengths; those of b are longer by `long` letters."""
    words = [Answer(text="x" * (i % 7)) for i in range(40)]
    return {"a": words, "b": [Answer(text="x" * (i % 7 + long)) for i in range(40)]}


def test_a_grader_of_degrees_is_compared_by_mean_score() -> None:
    """Without yes or no the mean scores are compared, by t interval and sign flip."""
    found = compare(rows(40), degrees(3), baseline="a", grader=Length())

    difference = found.differences["b"]
    assert (found.measure, difference.outcome, difference.smallest_detectable) == (
        "score",
        "better",
        None,
    )
    assert difference.difference == pytest.approx(0.3)
    assert difference.p < 0.001
    assert found.candidates["b"].accuracy is None
    assert "b is better: mean score 0.588 against 0.287; difference +0.300" in found.verdict
    assert "mean score (95% CI)" in str(found)


def test_equal_mean_scores_are_undecided() -> None:
    """No difference in any row is p = 1; equal scores keep a width, equal differences draw a warning."""
    found = compare(rows(40), degrees(0), baseline="a", grader=Length())
    flat = compare(rows(40), {"a": [Answer(text="xx")] * 40}, baseline="a", grader=Length())

    assert found.differences["b"].p == 1.0
    assert "'b' and 'a' are equally far apart in every row" in found.warnings[0]
    assert flat.candidates["a"].interval.low < 0.15
    assert flat.candidates["a"].interval.high > 0.3


def test_shares_need_a_yes_or_no() -> None:
    """Asking for accuracy from a grader of degrees is refused with the way out."""
    with pytest.raises(ValueError, match="measure='score'"):
        compare(rows(40), degrees(1), baseline="a", grader=Length(), measure="accuracy")


def test_partial_scores_can_be_compared_on_request() -> None:
    """A grader that knows both is compared by share, or by score where that is asked for."""
    half = [Answer(text='{"a": 1, "b": 0}')] * 40
    none = [Answer(text="{}")] * 40
    wanted = rows(40, '{"a": 1, "b": 2}')
    candidates = {"none": none, "half": half}

    by_share = compare(wanted, candidates, baseline="none", grader=JsonMatch())
    by_score = compare(wanted, candidates, baseline="none", grader=JsonMatch(), measure="score")

    assert by_share.differences["half"].difference == 0.0
    assert by_score.differences["half"].difference == 0.5
    assert by_score.differences["half"].outcome == "better"


@pytest.mark.parametrize("grader", [None, Length()])
def test_a_comparison_is_a_value(grader: Grader | None) -> None:
    """It repeats exactly, survives pickling, and its dictionary is strict JSON."""
    candidates = {"base": answers([False, True] * 6), "custom": answers([True, None] * 6)}

    found = compare(rows(12), candidates, baseline="base", grader=grader)

    assert found == compare(rows(12), candidates, baseline="base", grader=grader)
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - our own bytes
    plain = found.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == json.loads(json.dumps(plain))
    assert plain["rows"] == 12
    assert str(plain["differences"]).count("verdict") == 1


def test_html_shows_the_same_text_escaped() -> None:
    """A notebook shows the text rendering; a name with markup in it stays text."""
    found = compare(rows(1), {"<b>": answers([True])}, baseline="<b>")

    assert "&lt;b&gt;" in found._repr_html_()
    assert "<b>" not in found._repr_html_()


def test_interval_level_is_passed_through() -> None:
    """Another confidence shows in every interval and in the level of the test."""
    candidates = {"base": answers([False] * 40), "custom": answers([True] * 6 + [False] * 34)}

    at_95 = compare(rows(40), candidates, baseline="base").differences["custom"]
    at_99 = compare(rows(40), candidates, baseline="base", confidence=0.99).differences["custom"]

    assert (at_95.outcome, at_99.outcome) == ("better", "undecided")
    assert at_99.interval.confidence == 0.99
    assert "99% CI" in at_99.verdict
