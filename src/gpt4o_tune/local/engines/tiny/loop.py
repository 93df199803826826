"""The training loop that all methods share: steps, models on disk, and a state to resume from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gpt4o_tune.local.engines.protocol import Resolved
from gpt4o_tune.local.engines.tiny.settings import SAVE_EVERY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune.local.engines.protocol import Step, Update
    from gpt4o_tune.local.engines.tiny.run import Run


class TrainingMethod(Protocol):
    """What a training method adds to a run."""

    @property
    def run(self) -> Run:
        """The run that it trains in."""
        ...

    def get_ready(self) -> Iterator[Update]:
        """Do what comes before the first step, and again after each interruption."""
        ...

    def step(self) -> Step:
        """Take the next optimizer step and measure it."""
        ...


def pursue(method: TrainingMethod, *, keeps_models: bool = True) -> Iterator[Update]:
    """Train to the end, from the saved state where there is one.

    Args:
        method: What to train; its run holds the last weights at the end.
        keeps_models: Write a checkpoint at each milestone.

    Raises:
        ValueError: The output folder holds the state of another run.
    """
    run = method.run
    yield Resolved(
        hyperparameters=run.hyperparameters,
        total_steps=run.total_steps,
        parameters=run.model.shape.parameters,
    )
    yield from method.get_ready()
    run.restore()
    while run.adam.steps < run.total_steps:
        step = method.step()
        yield step
        is_kept = keeps_models and run.is_milestone(step.step)
        if is_kept:
            yield run.write_checkpoint(step)
        if is_kept or step.step % SAVE_EVERY == 0 or step.step == run.total_steps:
            yield run.save()
