"""Several candidates, several graders, groups, pages and recommendations, on answers that are there."""

from __future__ import annotations

import asyncio
import html.parser
import json
import random

import pytest

from gpt4o_tune import DatasetError, ExactMatch, JsonMatch
from gpt4o_tune.evaluation import (
    Answer,
    Evaluation,
    Regex,
    ScoreModel,
    evaluate_answers,
    evaluate_answers_async,
    holm,
    recommend,
    standing,
)

BASE, PROMPT, TUNED = "base", "base + prompt", "ft:tuned"


def rows(count: int) -> list[dict[str, object]]:
    """Rows of customers who ask three times each."""
    return [
        {
            "messages": [
                {"role": "user", "content": f"Order {number}?"},
                {"role": "assistant", "content": "yes"},
            ],
            "customer": number // 3,
        }
        for number in range(count)
    ]


def answers(share: float, count: int, *, usd: float | None = 0.001, seed: int = 0) -> list[Answer]:
    """So many right answers, in places that the seed draws."""
    draw = random.Random(seed)
    right = set(draw.sample(range(count), round(share * count)))
    return [
        Answer(text="yes" if row in right else "no!", usd=usd, latency_seconds=row + 1.0)
        for row in range(count)
    ]


def evaluation(
    shares: dict[str, float], *, count: int = 120, usd: dict[str, float] | None = None
) -> Evaluation:
    """Judge by exact match and by form."""
    given = {
        name: answers(share, count, usd=(usd or {}).get(name, 0.001), seed=place)
        for place, (name, share) in enumerate(shares.items())
    }
    return evaluate_answers(rows(count), given, [ExactMatch(), Regex("^[a-z]+$")])


def test_graders_share_one_adjustment() -> None:
    """P values are adjusted by Holm over every candidate and every grader together."""
    found = evaluation({BASE: 0.5, PROMPT: 0.62, TUNED: 0.7})

    each = [x for c in found.comparisons.values() for x in c.differences.values()]
    assert len(each) == 4
    assert [x.p_adjusted for x in each] == pytest.approx(holm([x.p for x in each]))
    assert "(adjusted for 4 comparisons)" in found.verdict
    assert found.lead.grader == "exact match"
    assert set(found.disagreements) == {"exact match", "regex"}


def test_too_few_rows_are_said_plainly() -> None:
    """Where no difference is shown and only a large one could be, a warning says how many rows it takes."""
    found = evaluation({BASE: 0.6, TUNED: 0.65}, count=60)

    assert any("n=60 is too small for fine distinctions" in each for each in found.warnings)
    assert any("A true difference of 10 points takes about" in each for each in found.warnings)


def test_every_result_has_an_effect_size_and_percentiles() -> None:
    """Cohen's h for shares, the standardised difference for scores, p50, p90 and p99 of latency."""
    found = evaluation({BASE: 0.5, TUNED: 0.75}, count=100)
    scored = evaluate_answers(
        [
            {
                "messages": [
                    {"role": "user", "content": f"{n}"},
                    {"role": "assistant", "content": '{"a": 1, "b": 2}'},
                ]
            }
            for n in range(40)
        ],
        {
            "x": [Answer(text='{"a": 1, "b": 0}' if n % 2 else "{}") for n in range(40)],
            "y": [Answer(text='{"a": 1, "b": 2}' if n % 3 else "{}") for n in range(40)],
        },
        [JsonMatch()],
        measure="score",
    )

    assert found.lead.differences[TUNED].effect_size == pytest.approx(0.5236, abs=1e-3)
    result = found.candidates[TUNED]
    assert (result.p50_latency_seconds, result.p90_latency_seconds) == (50, 90)
    assert result.p99_latency_seconds == 99
    difference = scored.lead.differences["y"]
    assert difference.effect_size == pytest.approx(1.0372, abs=1e-3)
    assert 0 < (difference.smallest_detectable or 0) < 0.5


def test_errors_are_clustered_by_group() -> None:
    """Answers that agree within a customer give a wider interval and a larger p than rows alone."""
    count = 90
    base = [Answer(text="yes" if row // 3 % 2 else "no") for row in range(count)]
    tuned = [Answer(text="yes" if row // 3 % 4 else "no") for row in range(count)]
    groups = [row["customer"] for row in rows(count)]

    alone = evaluate_answers(rows(count), {BASE: base, TUNED: tuned}).lead
    grouped = evaluate_answers(rows(count), {BASE: base, TUNED: tuned}, groups=groups).lead

    for name in (BASE, TUNED):
        wide, narrow = grouped.candidates[name].interval, alone.candidates[name].interval
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    assert grouped.differences[TUNED].difference == alone.differences[TUNED].difference
    assert grouped.differences[TUNED].p > 100 * alone.differences[TUNED].p
    assert "errors clustered by 30 groups" in str(grouped)
    with pytest.raises(DatasetError, match="one group"):
        evaluate_answers(rows(9), {BASE: base[:9]}, groups=["a"] * 9)


def test_few_groups_draw_a_warning() -> None:
    """With fewer than ten groups the clustered errors are themselves rough."""
    found = evaluate_answers(
        rows(40), {BASE: answers(0.5, 40)}, groups=[row % 4 for row in range(40)]
    )

    assert any("4 groups only" in each for each in found.warnings)


def test_faults_are_refused_with_the_way_out() -> None:
    """Two graders of one name, a baseline that is none, no candidates, a judge that nobody asks."""
    given = {BASE: answers(0.5, 9)}
    judge = ScoreModel(name="j", model="m", input=[{"role": "user", "content": "?"}])

    with pytest.raises(ValueError, match="two graders are named"):
        evaluate_answers(rows(9), given, [ExactMatch(), ExactMatch(casefold=True)])
    with pytest.raises(ValueError, match="not among the candidates"):
        evaluate_answers(rows(9), given, baseline="other")
    with pytest.raises(ValueError, match="no candidates"):
        evaluate_answers(rows(9), {})
    with pytest.raises(ValueError, match="asks a model"):
        evaluate_answers(rows(9), given, [judge])


def test_a_judge_is_asked_on_both_faces() -> None:
    """A grader that asks a model gets an asker, asynchronous where the face is."""
    judge = ScoreModel(
        name="j", model="m", input=[{"role": "user", "content": "{{sample.output_text}}"}]
    )
    given = {BASE: answers(0.5, 9), TUNED: answers(1.0, 9)}

    def ask(request: object) -> str:
        return json.dumps({"score": 1.0 if "yes" in str(request) else 0.0, "reason": ""})

    async def ask_async(request: object) -> str:
        return ask(request)

    blocking = evaluate_answers(rows(9), given, [judge], asker=ask)
    suspending = asyncio.run(evaluate_answers_async(rows(9), given, [judge], asker=ask_async))

    assert blocking.to_dict() == suspending.to_dict()


class Page(html.parser.HTMLParser):
    """Collects what a page would load and whether its elements are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br", "rect", "line", "circle", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_escaped() -> None:
    """The page has its plots, loads nothing, closes its elements, and shows data as text."""
    nasty = '<script>alert("x")</script>'
    given = {BASE: answers(0.4, 60), nasty: [Answer(text=nasty, usd=0.1)] * 60}
    found = evaluate_answers(rows(60), given, [ExactMatch(), Regex("^[a-z]+$")])

    text = found.to_html()
    page = Page(text)

    assert page.loads == []
    assert page.open == []
    assert "<script>" not in text
    assert text.count("<svg") >= 5
    assert "No difference" not in text
    assert json.loads(json.dumps(found.to_dict()))["baseline"] == BASE
    assert found._repr_html_().startswith("<pre")


def test_the_text_fits_a_terminal() -> None:
    """No line is wider than 100 columns."""
    found = evaluation({"gpt-4o-2024-08-06": 0.5, "ft:gpt-4o-2024-08-06:acme:tickets:abc123": 0.8})

    assert max(map(len, str(found).splitlines())) <= 100
    assert "speed and cost of a call" in str(found)


def test_the_leader_and_its_ties() -> None:
    """Who cannot be told from the best is tied with it; who can is not."""
    found = standing(evaluation({BASE: 0.4, PROMPT: 0.86, TUNED: 0.9}).lead)

    assert found.ranked == (TUNED, PROMPT, BASE)
    assert found.tied == (TUNED, PROMPT)
    assert found.differences[BASE].outcome == "worse"


def test_where_nothing_is_shown_the_cheaper_wins() -> None:
    """A better estimate without proof is not paid for, and break-even says when it would repay."""
    found = evaluation(
        {BASE: 0.3, PROMPT: 0.85, TUNED: 0.9}, usd={BASE: 0.001, PROMPT: 0.004, TUNED: 0.002}
    )

    few = recommend(found, calls_per_month=1000, months=10, training_usd={TUNED: 100})
    many = recommend(found, calls_per_month=100_000, months=10, training_usd={TUNED: 100})

    assert (few.choice, many.choice) == (PROMPT, TUNED)
    assert "No measurable difference" in few.reasons[0]
    tuned = next(each for each in few.options if each.name == TUNED)
    assert tuned.break_even_calls == 50_000
    assert (tuned.verdict, tuned.fixed_usd) == ("as good, dearer", 100)
    assert "repaid by cheaper calls after 50,000 calls" in str(few).replace("\n", " ")
    assert many.option.total_usd == pytest.approx(100 + 0.002 * 1_000_000)


def test_hosting_counts_for_every_month() -> None:
    """Fixed costs are training and hosting; calls that are no cheaper never repay them."""
    found = evaluation({BASE: 0.85, TUNED: 0.9}, usd={BASE: 0.001, TUNED: 0.002})

    said = recommend(
        found,
        calls_per_month=10,
        months=3,
        training_usd={TUNED: 5},
        hosting_usd_per_month={TUNED: 20},
    )

    tuned = next(each for each in said.options if each.name == TUNED)
    assert (said.choice, tuned.fixed_usd, tuned.break_even_calls) == (BASE, 65, None)
    assert any("never repaid" in reason for reason in said.reasons)


def test_a_measurably_better_candidate_has_its_price() -> None:
    """Who is better is taken, and what each further right answer costs is said."""
    found = evaluation({BASE: 0.3, TUNED: 0.9}, usd={BASE: 0.001, TUNED: 0.002})

    said = recommend(found, calls_per_month=1000, months=1)

    assert said.choice == TUNED
    assert said.option.usd_per_extra_right == pytest.approx(0.001 / 0.6)
    assert any("whether that is worth it" in reason for reason in said.reasons)
    assert Page(said.to_html()).open == []
    assert json.loads(json.dumps(said.to_dict()))["choice"] == TUNED


def test_unknown_prices_are_not_taken_for_free() -> None:
    """A tied candidate without a price loses to one that has a price, and is named."""
    count = 120
    given = {BASE: answers(0.85, count), TUNED: answers(0.9, count, usd=None, seed=1)}
    found = evaluate_answers(rows(count), given)

    said = recommend(found, calls_per_month=1000)

    assert said.choice == BASE
    assert any("'ft:tuned' is not known" in reason for reason in said.reasons)


@pytest.mark.parametrize(
    "wrong",
    [
        {"calls_per_month": -1},
        {"calls_per_month": 1, "training_usd": {"other": 1}},
        {"calls_per_month": 1, "grader": "other"},
    ],
)
def test_a_recommendation_refuses_what_it_cannot_use(wrong: dict[str, object]) -> None:
    """Figures must be amounts, and names must be of candidates and graders."""
    with pytest.raises(ValueError, match=r"from 0|none of the"):
        recommend(evaluation({BASE: 0.5, TUNED: 0.6}), **wrong)  # type: ignore[arg-type]  # wrong on purpose
