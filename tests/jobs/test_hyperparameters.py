"""Settings are checked before anything is sent."""

from __future__ import annotations

import pytest

from gpt4o_tune import Hyperparameters


@pytest.mark.parametrize(
    "values",
    [
        {"n_epochs": 0},
        {"n_epochs": 51},
        {"n_epochs": 2.5},
        {"n_epochs": True},
        {"n_epochs": "many"},
        {"batch_size": 0},
        {"batch_size": 257},
        {"learning_rate_multiplier": 0},
        {"learning_rate_multiplier": -1.0},
        {"learning_rate_multiplier": float("nan")},
        {"beta": 2.1},
        {"epochs": 3},
    ],
)
def test_a_value_out_of_range_is_refused_by_name(values: dict[str, object]) -> None:
    """The error names the setting and its range."""
    with pytest.raises(ValueError, match=next(iter(values))):
        Hyperparameters.of(values)


@pytest.mark.parametrize(
    "values",
    [
        {"n_epochs": 1, "batch_size": 1},
        {"n_epochs": 50, "batch_size": 256, "learning_rate_multiplier": 1e-6},
        {"learning_rate_multiplier": 2},
    ],
)
def test_the_edges_of_the_ranges_are_accepted(values: dict[str, object]) -> None:
    """What the API takes is sent as given, and nothing else."""
    assert Hyperparameters.of(values).request("supervised") == values


def test_automatic_settings_are_not_sent() -> None:
    """The service chooses what the user does not."""
    assert Hyperparameters().request("supervised") == {}
    assert Hyperparameters.of(None) == Hyperparameters(n_epochs="auto")


def test_beta_belongs_to_preference_training() -> None:
    """A setting of another method is a mistake, not something to drop."""
    assert Hyperparameters(beta=0.1).request("dpo") == {"beta": 0.1}
    with pytest.raises(ValueError, match="dpo"):
        Hyperparameters(beta=0.1).request("supervised")
