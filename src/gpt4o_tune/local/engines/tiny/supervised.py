"""Supervised training: raise the likelihood of the answers in the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, cast

from gpt4o_tune.local.engines.protocol import Step
from gpt4o_tune.local.engines.tiny.model import TinyModel
from gpt4o_tune.local.engines.tiny.network import Loss
from gpt4o_tune.local.engines.tiny.rendering import Turn, render
from gpt4o_tune.local.engines.tiny.run import Purpose, Run, read_rows, seed_of
from gpt4o_tune.local.engines.tiny.settings import DROPOUT
from gpt4o_tune.local.engines.tiny.windows import Window, batches, cut_windows, disturb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from gpt4o_tune.local.engines.protocol import TrainingSpec, Update


@dataclass(slots=True)
class Supervised:
    """Learns chat rows by heart, as well as dropout lets it."""

    run: Run
    rows: list[list[Window]]
    validation: list[list[Window]]

    @classmethod
    def prepare(cls, spec: TrainingSpec) -> Supervised:
        """Read the rows and the model to start from.

        Raises:
            ValueError: No message of the training file is to be learnt.
        """
        conversations = read_conversations(spec.training_file)
        if spec.base_dir is None:
            model = TinyModel.create(conversations, seed=seed_of(spec, Purpose.WEIGHTS))
        else:
            model = TinyModel.load(spec.base_dir)
        validation = read_conversations(spec.validation_file)
        rows = [cut_windows(model.tokenizer, model.bag, turns) for turns in conversations]
        if not any(rows):
            raise ValueError(
                f"{str(spec.training_file)!r} has no assistant message to learn; "
                "give at least one assistant message a weight other than 0"
            )
        return cls(
            run=Run.start(spec, model, len(rows)),
            rows=rows,
            validation=[cut_windows(model.tokenizer, model.bag, turns) for turns in validation],
        )

    def get_ready(self) -> Iterator[Update]:
        """There is nothing to do before the first step."""
        return iter(())

    def step(self) -> Step:
        """Take the next optimizer step and measure it."""
        run = self.run
        number = run.next_step
        loss, accuracy = _means(self._descend([self.rows[row] for row in run.picked()]))
        step = Step(
            step=number,
            epoch=run.epoch_of(number),
            train_loss=loss,
            train_mean_token_accuracy=accuracy,
        )
        return self._validated(step) if self.validation else step

    def _descend(self, rows: Sequence[Sequence[Window]]) -> Loss:
        run = self.run
        rng = run.rng(Purpose.DROPOUT, run.adam.steps)
        loss = Loss()
        for batch in batches([*chain.from_iterable(rows)], run.model.shape.slots):
            loss += run.network.train(disturb(batch, rng), dropout=DROPOUT, rng=rng)
        run.descend(loss.targets)
        return loss

    def _validated(self, step: Step) -> Step:
        sampled = self.run.sampled(len(self.validation), step.step)
        loss, accuracy = _means(self._evaluate([self.validation[row] for row in sampled]))
        step = replace(step, valid_loss=loss, valid_mean_token_accuracy=accuracy)
        if not self.run.is_milestone(step.step):
            return step
        loss, accuracy = _means(self._evaluate(self.validation))
        return replace(step, full_valid_loss=loss, full_valid_mean_token_accuracy=accuracy)

    def _evaluate(self, rows: Sequence[Sequence[Window]]) -> Loss:
        windows = [*chain.from_iterable(rows)]
        slots = self.run.model.shape.slots
        return sum(map(self.run.network.evaluate, batches(windows, slots)), Loss())


def read_conversations(path: Path | None) -> list[list[Turn]]:
    """Read chat rows as turns; no file has none."""
    return [
        render(cast("Sequence[Mapping[str, object]]", row["messages"])) for row in read_rows(path)
    ]


def _means(loss: Loss) -> tuple[float, float]:
    """Give loss and accuracy per target; 0 for a batch without any."""
    targets = max(loss.targets, 1)
    return loss.total / targets, loss.correct / targets
