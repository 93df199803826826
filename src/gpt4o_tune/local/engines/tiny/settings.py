"""Settings of a run: the engine's own constants, and what it chooses where the job says `"auto"`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gpt4o_tune.local.engines.protocol import ResolvedHyperparameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.catalog import Method
    from gpt4o_tune.local.engines.protocol import Hyperparameters

LEARNING_RATE: Mapping[Method, float] = {"supervised": 2e-3, "dpo": 1e-4, "reinforcement": 2e-4}
"""What a learning rate multiplier of 1 stands for. Preferences and rewards say less than answers do, and
would undo at a higher rate what the start can do."""
WARM_UP = 0.1
"""Share of the steps in which the learning rate rises from 0."""
LAST_LEARNING_RATE = 0.1
"""Share of the learning rate that is left at the last step."""
DROPOUT = 0.2
AUTO_STEPS: Mapping[Method, int] = {"supervised": 800, "dpo": 120, "reinforcement": 100}
"""Steps that `n_epochs="auto"` aims at; 800 are about what a few hundred rows need to be learnt."""
AUTO_EPOCHS: Mapping[Method, tuple[int, int]] = {
    "supervised": (3, 40),
    "dpo": (1, 10),
    "reinforcement": (1, 10),
}
AUTO_BATCH = (2, 32)
AUTO_STEPS_PER_EPOCH = 32
"""Fewest steps per epoch that `batch_size="auto"` leaves, down to its smallest batch."""
AUTO_BETA = 0.5
ANSWERS = 8
"""Answers for each prompt that a compute multiplier of 1 stands for."""
SAVE_EVERY = 20
"""Steps between two resume states."""


def resolve(
    asked: Hyperparameters, rows: int, method: Method = "supervised"
) -> ResolvedHyperparameters:
    """Choose what the job left to `"auto"`; explicit values stand."""
    batch_size = asked.batch_size
    if batch_size == "auto":
        doublings = max(1, rows // AUTO_STEPS_PER_EPOCH).bit_length() - 1
        batch_size = min(max(2**doublings, AUTO_BATCH[0]), AUTO_BATCH[1])
    n_epochs = asked.n_epochs
    steps_per_epoch = -(-rows // batch_size)
    if n_epochs == "auto":
        fewest, most = AUTO_EPOCHS[method]
        n_epochs = min(max(-(-AUTO_STEPS[method] // steps_per_epoch), fewest), most)
    multiplier = asked.learning_rate_multiplier
    chosen = ResolvedHyperparameters(
        n_epochs=n_epochs,
        batch_size=batch_size,
        learning_rate_multiplier=1.0 if multiplier == "auto" else float(multiplier),
    )
    if method == "dpo":
        return replace(chosen, beta=AUTO_BETA if asked.beta == "auto" else float(asked.beta))
    if method == "reinforcement":
        compute, interval = asked.compute_multiplier, asked.eval_interval
        return replace(
            chosen,
            compute_multiplier=1.0 if compute == "auto" else float(compute),
            eval_interval=steps_per_epoch if interval == "auto" else interval,
            eval_samples=1 if asked.eval_samples == "auto" else asked.eval_samples,
        )
    return chosen
