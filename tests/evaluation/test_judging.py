"""A model as judge: both orders, ties, leaning, and calibration against people."""

import asyncio
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.errors import GraderError
from gpt4o_tune.evaluation import (
    AnswerPair,
    LlmJudge,
    ModelRequest,
    Preferences,
    calibrate,
    confusion,
    grade_all,
    judge_pairs,
    judge_pairs_async,
)

JUDGE = LlmJudge(model="gpt-4o-2024-08-06", settings={"temperature": 0})


def shown(request: ModelRequest) -> tuple[str, str]:
    """Read the two answers out of a request, in the order in which they are shown."""
    text = str(request.messages[1]["content"])
    a, b = (
        text.split(f"[begin answer {mark}]\n")[1].split(f"\n[end answer {mark}]")[0]
        for mark in "AB"
    )
    return a, b


def prefers(better: Callable[[str, str], str]) -> Callable[[ModelRequest], str]:
    """Make an asker of a function that sees the two answers and says A, B or tie."""
    return lambda request: json.dumps({"reason": "why", "better": better(*shown(request))})


def longer(a: str, b: str) -> str:
    """A judge that does not care about the order."""
    return "tie" if len(a) == len(b) else "A" if len(a) > len(b) else "B"


words = st.text("x", max_size=3)


@given(st.lists(st.tuples(words, words), min_size=1, max_size=12))
def test_a_fair_judge_is_taken_at_its_word(pairs: list[tuple[str, str]]) -> None:
    """Where the order makes no difference, every verdict counts and nothing leans."""
    asked = [AnswerPair("q", first, second) for first, second in pairs]
    found = judge_pairs(JUDGE, asked, asker=prefers(longer), at_once=1)
    first = sum(len(a) > len(b) for a, b in pairs)
    second = sum(len(a) < len(b) for a, b in pairs)

    assert found.wins == (first, second)
    assert found.ties == len(pairs) - first - second
    assert (found.inconsistent, found.lean) == ((), 0)
    assert found.difference == pytest.approx((first - second) / len(pairs))


@pytest.mark.parametrize(("favourite", "lean"), [("A", 1), ("B", -1)])
def test_a_judge_that_goes_by_the_order_decides_nothing(favourite: str, lean: int) -> None:
    """Verdicts that change with the order are ties, are listed, and show which way the judge leans."""
    found = judge_pairs(
        JUDGE, [AnswerPair("q", "x", "y")] * 5, asker=prefers(lambda _a, _b: favourite)
    )

    assert (found.wins, found.ties, found.inconsistent) == ((0, 0), 5, (0, 1, 2, 3, 4))
    assert found.lean == lean
    assert found.p == 1
    assert "5 of 5 verdicts changed with the order" in str(found)
    assert "say more about the judge" in str(found)


def test_a_verdict_and_a_tie_make_a_tie() -> None:
    """Preferred in one order only is not preferred."""
    found = judge_pairs(
        JUDGE,
        [AnswerPair("q", "x", "y")],
        asker=prefers(lambda a, _: "A" if a == "x" else "tie"),
    )

    assert (found.ties, found.inconsistent, found.lean) == (1, (0,), 0.5)


def test_preferences_are_reported() -> None:
    """The verdict names who is ahead; figures, faults and reasons are all there."""

    def ask(request: ModelRequest) -> str:
        return "no idea" if "?" in shown(request) else prefers(longer)(request)

    pairs = [AnswerPair("q", "long", "x")] * 9 + [AnswerPair("q", "?", "x")]
    found = judge_pairs(JUDGE, pairs, asker=ask, names=("tuned", "base"))

    assert found.verdict == "tuned is preferred to base: 9 to 0 with 0 ties, p = 0.0039"
    assert found.judged == 9
    assert "was asked for JSON" in str(found.faults[9])
    assert "not judged, and left out: 1 pair" in str(found)
    assert found.pairs[0] is not None
    assert found.pairs[0].reasons == ("why", "why")
    assert json.loads(json.dumps(found.to_dict()))["wins"] == [9, 0]
    few = judge_pairs(JUDGE, pairs[:3], asker=ask)
    assert few.verdict.startswith("no preference between first and second can be shown: 3 to 0")


def test_both_faces_ask_the_same() -> None:
    """The asynchronous face gives what the blocking one gives."""
    pairs = [AnswerPair([{"role": "user", "content": "q"}], "aa", "b"), AnswerPair("q", "c", "d")]

    async def ask(request: ModelRequest) -> str:
        await asyncio.sleep(0)
        return prefers(longer)(request)

    async def found() -> Preferences:
        return await judge_pairs_async(JUDGE, pairs, asker=ask)

    assert asyncio.run(found()) == judge_pairs(JUDGE, pairs, asker=prefers(longer))


def test_a_judge_grades_against_the_reference_answer() -> None:
    """As a grader, the judge gives 1 for better than the reference, 0.5 for a tie, 0 for worse."""
    requests: list[ModelRequest] = []

    def ask(request: ModelRequest) -> str:
        requests.append(request)
        return prefers(longer)(request)

    row = {
        "messages": [
            {"role": "user", "content": "Where is it?"},
            {"role": "assistant", "content": "four"},
        ]
    }
    grading = grade_all(JUDGE, ["longer", "same", "x", "x"], [row, row, row, {}], asker=ask)

    assert grading.scores == (1, 0.5, 0)
    assert grading.faults[3].code == "no_reference"
    assert "Where is it?" in str(requests[0].messages)
    assert requests[0].to_dict()["temperature"] == 0


def test_useless_judges_are_errors() -> None:
    """No pairs, or no readable verdict at all, is refused with the reason."""
    with pytest.raises(ValueError, match="no pairs"):
        judge_pairs(JUDGE, [], asker=prefers(longer))
    with pytest.raises(GraderError, match=r"none of 1 pair: .* preferred 'C', which is none of"):
        judge_pairs(JUDGE, [AnswerPair("q", "a", "b")], asker=prefers(lambda _a, _b: "C"))


labels = st.sampled_from("abc")


@given(st.lists(st.tuples(labels, labels), min_size=2, max_size=40))
def test_kappa_agrees_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    """Kappa is scikit-learn's and lies in its interval; agreement is the share of equal labels."""
    metrics = pytest.importorskip("sklearn.metrics")
    judged, human = zip(*pairs, strict=True)
    if len({*judged, *human}) == 1:
        with pytest.raises(ValueError, match="every label is"):
            calibrate(judged, human)
        return
    found = calibrate(judged, human)

    assert found.kappa == pytest.approx(metrics.cohen_kappa_score(judged, human))
    assert found.agreement == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    assert found.kappa_interval.low <= found.kappa + 1e-12
    assert found.kappa <= found.kappa_interval.high + 1e-12
    assert found.matrix == confusion(judged, human)


def test_the_verdict_says_whether_to_trust() -> None:
    """Trust takes the whole interval; few labels decide nothing, even where all agree."""
    good = calibrate(["a", "b"] * 100, ["a", "b"] * 95 + ["b", "a"] * 5)
    poor = calibrate(["a", "b"] * 100, ["a", "b"] * 60 + ["b", "a"] * 40)
    few = calibrate(["a", "b"] * 3, ["a", "b"] * 3)

    assert (good.trusted, poor.trusted, few.trusted) == (True, False, None)
    assert good.verdict.startswith("The judge may be trusted: kappa 0.90 (95% CI")
    assert "Sharpen its prompt" in poor.verdict
    assert "cannot be told from 6 labels" in few.verdict
    assert calibrate(["a", "b"] * 3, ["a", "b"] * 3, trusted_from=0.1).trusted
    assert "agreement 0.95" in str(good)
    assert json.loads(json.dumps(good.to_dict()))["trusted"] is True


def test_results_show_in_notebooks() -> None:
    """Preferences and calibrations are HTML with what they hold escaped."""
    found = judge_pairs(
        JUDGE, [AnswerPair("q", "a", "b")], asker=prefers(longer), names=("<b>", "base")
    )

    assert "&lt;b&gt;" in found._repr_html_()
    assert "may be trusted" in calibrate(["a", "b"] * 90, ["a", "b"] * 90)._repr_html_()
