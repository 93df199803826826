"""Cost estimates agree with OpenAI's published examples and say what they rest on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.catalog import Model, load
from gpt4o_tune.data.cost import auto_epochs, estimate
from gpt4o_tune.data.tokens import RowTokens, TokenReport


def report(model: Model, *per_row: int) -> TokenReport:
    """Make a report of rows with so many tokens."""
    return TokenReport.of([RowTokens(tokens, tokens // 2, 0) for tokens in per_row], model=model)


@pytest.mark.parametrize(
    ("name", "usd"), [("gpt-4o-mini-2024-07-18", 0.90), ("gpt-3.5-turbo-0125", 2.40)]
)
def test_published_examples(name: str, usd: float) -> None:
    """100,000 tokens for 3 epochs cost what OpenAI's guide says."""
    model = load().get(name)
    cost = estimate(report(model, *[1_000] * 100), model=model, provider="openai", epochs=3)
    assert cost.usd == pytest.approx(usd)
    assert cost.tokens == 300_000
    assert cost.epochs == 3
    assert f"${usd:.2f} = 300,000 tokens (100,000 x 3 epochs)" in str(cost)


@pytest.mark.parametrize(
    ("rows", "epochs"),
    [
        (1, 25),
        (4, 25),
        (5, 20),
        (10, 10),
        (33, 3),
        (34, 3),
        (8_333, 3),
        (8_334, 2),
        (25_000, 1),
        (10**6, 1),
    ],
)
def test_auto_epochs_follow_the_notebook(rows: int, epochs: int) -> None:
    """Small files get more epochs and large ones fewer; 10 rows give 10, as in the guide."""
    assert auto_epochs(rows) == epochs


@given(st.integers(min_value=0, max_value=10**7))
def test_auto_epochs_are_within_bounds(rows: int) -> None:
    """The rule never leaves 1 to 25 epochs."""
    assert 1 <= auto_epochs(rows) <= 25


def test_tokens_beyond_the_training_context_are_not_billed() -> None:
    """A row counts up to 65,536 tokens; the rest is cut off and the basis says so."""
    model = load().get("gpt-4o")
    cost = estimate(report(model, 70_000, 100), model=model, provider="openai", epochs=2)
    assert cost.tokens == 2 * (65_536 + 100)
    assert "65,536" in cost.basis


def test_auto_is_labelled_an_estimate() -> None:
    """With `auto` the number of epochs is a guess, and the basis says whose."""
    model = load().get("gpt-4o")
    guessed = estimate(report(model, *[50] * 10), model=model, provider="openai", epochs="auto")
    given_ = estimate(report(model, *[50] * 10), model=model, provider="openai", epochs=10)
    assert guessed.tokens == given_.tokens
    assert "'auto'" in guessed.basis
    assert "'auto'" not in given_.basis


def test_local_costs_nothing() -> None:
    """On own hardware there is no price per token."""
    model = load().get("gpt-4o")
    cost = estimate(report(model, 100), model=model, provider="local", epochs=1)
    assert cost.usd == 0
    assert str(cost).startswith("$0.00 = ")
    assert "Own hardware" in cost.basis


def test_unknown_price_is_none_and_never_zero() -> None:
    """A compatible service has its own prices: none is made up."""
    model = load().get("gpt-4o")
    cost = estimate(report(model, 100), model=model, provider="compatible", epochs=1)
    assert cost.usd is None
    assert cost.tokens == 100
    assert str(cost).startswith("no price known")


def test_azure_hosting_is_named_beside_the_training_price() -> None:
    """Azure bills a deployment by the hour, used or not."""
    model = load().get("gpt-4o")
    cost = estimate(report(model, 100), model=model, provider="azure", epochs=1)
    assert cost.hosting_usd_per_hour == 1.70
    assert "plus $1.70 per hour" in str(cost)


def test_training_by_the_hour_has_no_price_per_token() -> None:
    """Reinforcement training is billed by time, which tokens do not tell."""
    model = load().get("o4-mini-2025-04-16")
    cost = estimate(report(model, 100), model=model, provider="openai", epochs=1)
    assert cost.usd is None
    assert "per hour of training" in cost.basis


@pytest.mark.parametrize("epochs", [0, -1, 51, 2.0, True, "3", None])
def test_epochs_out_of_range_are_refused(epochs: object) -> None:
    """Epochs are `auto` or a whole number from 1 to 50."""
    model = load().get("gpt-4o")
    with pytest.raises(ValueError, match="from 1 to 50"):
        estimate(report(model, 100), model=model, provider="openai", epochs=epochs)  # type: ignore[arg-type]  # the fault under test


def test_report_of_another_model_is_refused() -> None:
    """Counts of one model cannot be priced as those of another."""
    mini, large = load().get("gpt-4o-mini"), load().get("gpt-4o")
    with pytest.raises(ValueError, match="gpt-4o-mini"):
        estimate(report(mini, 100), model=large, provider="openai", epochs=1)


def test_estimate_is_plain_data() -> None:
    """The estimate can be written as JSON, with the date of its price."""
    model = load().get("gpt-4o")
    cost = estimate(report(model, 1_000_000), model=model, provider="openai", epochs=1)
    written = json.loads(json.dumps(cost.to_dict()))
    assert written["usd"] == pytest.approx(25 * 65_536 / 1_000_000)
    assert written["as_of"] == cost.as_of.isoformat()


def test_negative_rows_are_refused() -> None:
    """There is no dataset with fewer than 0 rows."""
    with pytest.raises(ValueError, match="0 or more"):
        auto_epochs(-1)
