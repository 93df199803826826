"""The cost table prices the same rows everywhere, says what it rests on, and makes nothing up."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gpt4o_tune.catalog import load
from gpt4o_tune.data import CostTable, Dataset
from gpt4o_tune.errors import DatasetError, ProviderError
from tests.data.cases import answer, chat, many, pair, user
from tests.data.test_tokens import image, png

if TYPE_CHECKING:
    from gpt4o_tune.data.cost_table import CostRow

TODAY = dt.date(2026, 11, 23)


def row_of(costs: CostTable, model: str, provider: str = "openai") -> CostRow:
    """Return the one row of a model at a provider."""
    (found,) = [row for row in costs.rows if (row.model, row.provider) == (model, provider)]
    return found


def reason(costs: CostTable, model: str, provider: str = "openai") -> str:
    """Return why a model is left out."""
    (found,) = [left for left in costs.left_out if (left.model, left.provider) == (model, provider)]
    return found.reason


def test_every_figure_follows_from_tokens_and_prices() -> None:
    """Training, calls and total are the products that they claim to be."""
    data = Dataset.from_records(many(50))
    costs = data.costs(epochs=4, calls_per_month=20_000, months=3, on=TODAY)
    mini = row_of(costs, "gpt-4o-mini-2024-07-18")
    tokens = data.tokens(model="gpt-4o-mini")

    assert mini.training == data.cost(model="gpt-4o-mini", epochs=4)
    assert mini.training.usd == pytest.approx(tokens.total * 4 * 3.00 / 1e6)
    read, written = (tokens.total - tokens.trained) / 50, tokens.trained / 50
    assert (mini.input_tokens, mini.output_tokens) == (read, written)
    assert mini.usd_per_1000_calls == pytest.approx((read * 0.30 + written * 1.20) / 1000)
    assert mini.inference_usd_per_month == pytest.approx(mini.usd_per_1000_calls * 20)
    assert mini.hosting_usd_per_month == 0
    assert mini.total_usd == pytest.approx(mini.training.usd + 3 * mini.inference_usd_per_month)
    assert mini.at_least_usd == mini.total_usd


def test_each_model_counts_with_its_own_tokenizer() -> None:
    """GPT-3.5 and GPT-4o cut the same text differently, in the bill and in calls."""
    data = Dataset.from_records(chat(user("Größenwahn, naïveté"), answer("Žluťoučký kůň")))
    costs = data.costs(epochs=1, on=TODAY)

    for row in costs.rows:
        assert row.training.tokens == data.tokens(model=row.model).total
        assert row.output_tokens == data.tokens(model=row.model).trained
    older, newer = (row_of(costs, name) for name in ("gpt-3.5-turbo-0125", "gpt-4o-2024-08-06"))
    assert older.training.tokens > newer.training.tokens


def test_every_model_that_takes_jobs_is_in_the_table_or_left_out_with_a_reason() -> None:
    """No trainable model is passed over in silence; those that take jobs come first."""
    costs = Dataset.from_records(many()).costs(on=TODAY)
    shown = {(row.model, row.provider) for row in costs.rows}
    named = {(left.model, left.provider) for left in costs.left_out}

    for provider in ("openai", "azure"):
        takers = load().trainable(provider, on=TODAY)
        assert {(model.name, provider) for model in takers} <= shown
        offered = {m.name for m in load().models if (o := m.offer(provider)) and o.methods}
        assert {(name, provider) for name in offered} <= shown | named
    assert not shown & named
    states = [row.is_open for row in costs.rows]
    assert states == sorted(states, reverse=True)


def test_models_that_ended_stand_for_comparison() -> None:
    """GPT-3.5 is shown with its price and end date, marked, below what can still be trained."""
    costs = Dataset.from_records(many()).costs(calls_per_month=1_000, on=TODAY)
    old = row_of(costs, "gpt-3.5-turbo-0125")

    assert not old.is_open
    assert old.serving_ends == dt.date(2026, 10, 23)
    assert old.total_usd is not None
    text = str(costs)
    assert text.index("gpt-4o-2024-08-06") < text.index("takes no new jobs") < text.index("gpt-3.5")
    assert '<tr class="ended"><td>gpt-3.5-turbo-0125</td>' in costs.to_html()
    assert '<tr class="ended"><td>gpt-4o-2024' not in costs.to_html()


def test_the_day_decides_what_is_open() -> None:
    """After OpenAI's last day for new jobs, the same model is a comparison only."""
    data = Dataset.from_records(many())

    for day, is_open in ((dt.date(2027, 1, 6), True), (dt.date(2027, 1, 7), False)):
        assert row_of(data.costs(on=day), "gpt-4o-2024-08-06").is_open is is_open


def test_unknown_prices_are_unknown_and_sums_with_them_lower_bounds() -> None:
    """Azure's price of calls was not found: no total is made up, what is known is a bound."""
    costs = Dataset.from_records(many()).costs(calls_per_month=1_000, on=TODAY)
    azure = row_of(costs, "gpt-4o-2024-08-06", "azure")

    assert azure.hosting_usd_per_month == pytest.approx(1.70 * 730)
    assert azure.inference_usd_per_month is None
    assert azure.usd_per_1000_calls is None
    assert azure.total_usd is None
    assert azure.training.usd is not None
    assert azure.at_least_usd == pytest.approx(azure.training.usd + 1.70 * 730)
    assert "≥ $1,241" in str(costs)
    assert "unknown" in str(costs)
    free = row_of(costs, "gpt-oss-20b", "azure")
    assert (free.training.usd, free.total_usd, free.at_least_usd) == (None, None, None)
    assert "No source gives a price: gpt-oss-20b (azure)" in str(costs).replace("\n  ", " ")


def test_without_calls_an_unknown_price_of_calls_does_not_matter() -> None:
    """No calls cost nothing; the price of a thousand is shown all the same where it is known."""
    costs = Dataset.from_records(many()).costs(hosting_hours=10, on=TODAY)
    azure = row_of(costs, "gpt-4o-2024-08-06", "azure")

    assert azure.total_usd == pytest.approx((azure.training.usd or 0) + 17.0)
    assert azure.usd_per_1000_calls is None
    assert row_of(costs, "gpt-4o-2024-08-06").usd_per_1000_calls is not None


def test_tokens_per_call_can_be_given() -> None:
    """Given sizes hold for all models, in place of the means of the rows."""
    costs = Dataset.from_records(many()).costs(input_tokens=1_000, output_tokens=100, on=TODAY)

    for name, usd in (("gpt-4o-2024-08-06", 3.75 + 1.50), ("gpt-3.5-turbo-0125", 3.00 + 0.60)):
        assert row_of(costs, name).usd_per_1000_calls == pytest.approx(usd)
    assert "1,000 tokens read and 100 written, as given" in str(costs)


def test_rows_too_long_are_counted_and_their_end_is_not_billed() -> None:
    """How many rows are cut depends on the model's training context."""
    data = Dataset.from_records([*many(), *chat(user("word " * 20_000), answer())])
    costs = data.costs(epochs=1, on=TODAY)
    short, long = (row_of(costs, name) for name in ("gpt-3.5-turbo-0125", "gpt-4o-2024-08-06"))

    assert (short.rows_cut, long.rows_cut) == (1, 0)
    assert short.training.tokens < long.training.tokens - 3_000
    assert re.search(r"gpt-3.5-turbo-0125 +[\d,]+\*", str(costs))
    assert not re.search(r"gpt-4o-2024-08-06 +[\d,]+\*", str(costs))


def test_rows_of_another_format_leave_models_out_with_the_reason() -> None:
    """Preference rows need DPO, reinforcement rows a reinforcement model; chats no older base."""
    preferences = Dataset.from_records(pair()).costs(on=TODAY)
    assert row_of(preferences, "gpt-4o-2024-08-06").output_tokens == pytest.approx(
        Dataset.from_records(pair()).tokens().trained / 2
    )
    assert "need dpo training" in reason(preferences, "gpt-3.5-turbo-0125")
    assert "need dpo training" in reason(preferences, "gpt-4o-mini-2024-07-18", "azure")
    assert "prompt and completion" in reason(
        Dataset.from_records(many()).costs(on=TODAY), "davinci-002"
    )
    graded = [{"messages": [user("2+2")], "answer": "4"}]
    reinforcement = Dataset.from_records(graded).costs(calls_per_month=1, on=TODAY)
    (open_one,) = [row for row in reinforcement.rows if row.is_open and row.at_least_usd]
    assert (open_one.model, open_one.training.usd) == ("o4-mini-2025-04-16", None)
    assert open_one.output_tokens is None
    assert "give output_tokens" in str(reinforcement)


def test_rows_with_images_leave_out_models_that_train_on_none() -> None:
    """One image is enough, in whatever way JSON writes it; image tokens are billed."""
    seen = user([image(png(512, 512), "high")])
    data = Dataset.from_records(chat(seen, answer("A cat.")))
    costs = data.costs(epochs=1, on=TODAY)

    assert [row.model for row in costs.rows if row.provider == "openai"] == ["gpt-4o-2024-08-06"]
    assert row_of(costs, "gpt-4o-2024-08-06").training.tokens == data.tokens().total
    assert "some rows show an image" in reason(costs, "gpt-4.1-mini-2025-04-14")


def test_an_image_behind_escapes_is_seen(tmp_path: Any) -> None:
    """JSON may escape any letter of a key."""
    path = tmp_path / "rows.jsonl"
    text = json.dumps(chat(user([image(png(8, 8))]), answer())[0])
    path.write_text(text.replace("image_url", "\\u0069mage_url") + "\n")
    costs = Dataset.from_jsonl(path).costs(on=TODAY)

    assert "some rows show an image" in reason(costs, "gpt-4.1-2025-04-14")
    plain = Dataset.from_records(chat(user("image_url"), answer("caf\u00e9"))).costs(on=TODAY)
    assert row_of(plain, "gpt-4.1-2025-04-14").is_open


def test_an_end_within_the_time_is_marked() -> None:
    """A total over months that the service will not serve says so."""
    costs = Dataset.from_records(many()).costs(calls_per_month=1_000, months=6, on=TODAY)

    assert "2027-01-14†" in str(costs)
    assert "2027-10-01†" not in str(costs)
    assert "† Switched off before the time is over" in str(costs)


def test_the_table_fits_a_terminal_and_is_plain_data() -> None:
    """At most 100 columns; every row of the dict names tokens, sources and dates."""
    costs = Dataset.from_records(many(500)).costs(calls_per_month=10**7, months=12, on=TODAY)

    assert max(map(len, str(costs).splitlines())) <= 100
    written = json.loads(json.dumps(costs.to_dict()))
    assert written["on"] == "2026-11-23"
    for row in written["rows"]:
        assert {"tokens", "epochs", "training", "hosting", "inference", "sources"} <= set(
            row["basis"]
        )
        assert row["as_of"] in row["basis"]["sources"]
    assert costs._repr_html_() in costs.to_html()
    assert not re.search(r"(src|href)=|@import|url\(", costs.to_html())


def test_places_can_be_chosen() -> None:
    """Only the providers asked for are looked at, also by their objects' kind."""
    data = Dataset.from_records(many())

    assert {row.provider for row in data.costs(providers=["azure"], on=TODAY).rows} == {"azure"}
    local = data.costs(providers=["local"], on=TODAY)
    assert {row.training.usd for row in local.rows} == {0.0}
    assert data.costs(providers=["compatible"], on=TODAY).rows == ()
    assert "no calls" in str(data.costs(providers=["compatible"], on=TODAY))
    with pytest.raises(ProviderError, match="openia"):
        data.costs(providers=["openia"])  # type: ignore[list-item]  # the fault under test


@pytest.mark.parametrize(
    "figures",
    [
        {"calls_per_month": -1},
        {"months": 0},
        {"months": float("inf")},
        {"hosting_hours": float("nan")},
        {"input_tokens": -5},
        {"epochs": 0},
    ],
)
def test_figures_out_of_range_are_refused(figures: dict[str, Any]) -> None:
    """Negative, infinite and missing amounts give no table."""
    with pytest.raises(ValueError, match=re.escape(next(iter(figures)))):
        Dataset.from_records(many()).costs(**figures)


def test_without_rows_there_is_nothing_to_price() -> None:
    """An empty dataset is refused as everywhere."""
    with pytest.raises(DatasetError):
        Dataset.from_records([]).costs()


def test_the_page_shows_what_its_examples_print(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The examples of the reference page run, and its tables are their output."""
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    page = (root / "docs/reference/tokens-and-cost.md").read_text("utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "tokens-and-cost.md", "exec"), names)  # noqa: S102  # our own page

    printed = capsys.readouterr().out
    shown = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    assert len(shown) == 2
    for text in shown:
        assert text in printed
