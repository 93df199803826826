"""The training loop: from chat rows on disk to checkpoints on disk, repeatable and resumable.

Every random draw comes from a generator seeded by (seed, purpose, step or epoch), so that a run
resumed at any step draws what the undisturbed run drew and ends with the same weights, bit by bit.
That holds for one number of BLAS threads: set OPENBLAS_NUM_THREADS=1 before numpy is imported.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from gpt4o_tune.local.engines.protocol import (
    Checkpoint,
    Hyperparameters,
    Resolved,
    ResolvedHyperparameters,
    Saved,
    Step,
    TrainingSpec,
    Update,
)
from gpt4o_tune.local.engines.tiny import storage
from gpt4o_tune.local.engines.tiny.model import TinyModel
from gpt4o_tune.local.engines.tiny.network import Loss, Network, named
from gpt4o_tune.local.engines.tiny.optimizer import Adam
from gpt4o_tune.local.engines.tiny.rendering import Turn, render
from gpt4o_tune.local.engines.tiny.windows import Window, batches, cut_windows, disturb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LEARNING_RATE = 2e-3
"""What a learning rate multiplier of 1 stands for."""
WARM_UP = 0.1
"""Share of the steps in which the learning rate rises from 0."""
LAST_LEARNING_RATE = 0.1
"""Share of the learning rate that is left at the last step."""
DROPOUT = 0.2
AUTO_STEPS = 800
"""Steps that `n_epochs="auto"` aims at; about what a few hundred rows need to be learnt."""
AUTO_EPOCHS = (3, 40)
AUTO_BATCH = (2, 32)
AUTO_STEPS_PER_EPOCH = 32
"""Fewest steps per epoch that `batch_size="auto"` leaves, down to its smallest batch."""
SAVE_EVERY = 20
"""Steps between two resume states."""


class _Purpose(IntEnum):
    """Keeps the random draws of one run apart."""

    WEIGHTS = 0
    ORDER = 1
    DROPOUT = 2
    VALIDATION = 3


def resolve(asked: Hyperparameters, rows: int) -> ResolvedHyperparameters:
    """Choose what the job left to `"auto"`; explicit values stand."""
    batch_size = asked.batch_size
    if batch_size == "auto":
        doublings = max(1, rows // AUTO_STEPS_PER_EPOCH).bit_length() - 1
        batch_size = min(max(2**doublings, AUTO_BATCH[0]), AUTO_BATCH[1])
    n_epochs = asked.n_epochs
    if n_epochs == "auto":
        steps_per_epoch = -(-rows // batch_size)
        n_epochs = min(max(-(-AUTO_STEPS // steps_per_epoch), AUTO_EPOCHS[0]), AUTO_EPOCHS[1])
    multiplier = asked.learning_rate_multiplier
    return ResolvedHyperparameters(
        n_epochs=n_epochs,
        batch_size=batch_size,
        learning_rate_multiplier=1.0 if multiplier == "auto" else float(multiplier),
    )


def train(spec: TrainingSpec) -> Iterator[Update]:
    """Train as `TrainingEngine.train` describes.

    Raises:
        ValueError: No message of the training file is to be learnt, or the output folder holds the
            state of another run.
    """
    run = _Run.prepare(spec)
    yield Resolved(
        hyperparameters=run.hyperparameters,
        total_steps=run.total_steps,
        parameters=run.model.shape.parameters,
    )
    run.restore()
    while run.adam.steps < run.total_steps:
        step = run.step()
        yield step
        if step.step % run.steps_per_epoch == 0:
            yield run.write_checkpoint(step)
        if step.step % run.steps_per_epoch == 0 or step.step % SAVE_EVERY == 0:
            yield run.save()


@dataclass(slots=True)
class _Run:
    """One training run in memory."""

    spec: TrainingSpec
    hyperparameters: ResolvedHyperparameters
    model: TinyModel
    rows: list[list[Window]]
    validation: list[list[Window]]
    network: Network
    gradient: NDArray[np.float32]
    adam: Adam

    @classmethod
    def prepare(cls, spec: TrainingSpec) -> _Run:
        conversations = _read(spec.training_file)
        if spec.base_dir is None:
            model = TinyModel.create(conversations, seed=_seed(spec, _Purpose.WEIGHTS))
        else:
            model = TinyModel.load(spec.base_dir)
        validation = _read(spec.validation_file) if spec.validation_file else []
        rows = [cut_windows(model.tokenizer, model.bag, turns) for turns in conversations]
        if not any(rows):
            raise ValueError(
                f"{str(spec.training_file)!r} has no assistant message to learn; "
                "give at least one assistant message a weight other than 0"
            )
        gradient = np.zeros_like(model.weights)
        return cls(
            spec=spec,
            hyperparameters=resolve(spec.hyperparameters, len(rows)),
            model=model,
            rows=rows,
            validation=[cut_windows(model.tokenizer, model.bag, turns) for turns in validation],
            network=Network(
                model.shape, named(model.shape, model.weights), named(model.shape, gradient)
            ),
            gradient=gradient,
            adam=Adam.start(model.weights),
        )

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.rows) // self.hyperparameters.batch_size)

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.hyperparameters.n_epochs

    def step(self) -> Step:
        """Take the next optimizer step and measure it."""
        number = self.adam.steps + 1
        epoch, index = divmod(number - 1, self.steps_per_epoch)
        size = self.hyperparameters.batch_size
        order = self._rng(_Purpose.ORDER, epoch).permutation(len(self.rows))
        picked = [self.rows[int(row)] for row in order[index * size : (index + 1) * size]]
        train_loss = self._descend(list(chain.from_iterable(picked)))
        loss, accuracy = _means(train_loss)
        step = Step(
            step=number, epoch=epoch + 1, train_loss=loss, train_mean_token_accuracy=accuracy
        )
        return self._validated(step) if self.validation else step

    def _descend(self, windows: Sequence[Window]) -> Loss:
        rng = self._rng(_Purpose.DROPOUT, self.adam.steps)
        self.gradient.fill(0)
        loss = Loss()
        for batch in batches(windows, self.model.shape.slots):
            loss += self.network.train(disturb(batch, rng), dropout=DROPOUT, rng=rng)
        self.gradient /= max(loss.targets, 1)
        self.adam.step(self.gradient, learning_rate=self._learning_rate())
        return loss

    def _learning_rate(self) -> float:
        """Give the rate of the next step: a linear rise, then a linear fall."""
        progress = (self.adam.steps + 1) / self.total_steps
        rise = min(1.0, progress / WARM_UP)
        fall = min(1.0, (1 - progress) / (1 - WARM_UP))
        share = rise * (LAST_LEARNING_RATE + (1 - LAST_LEARNING_RATE) * fall)
        return LEARNING_RATE * self.hyperparameters.learning_rate_multiplier * share

    def _validated(self, step: Step) -> Step:
        size = min(self.hyperparameters.batch_size, len(self.validation))
        rng = self._rng(_Purpose.VALIDATION, step.step)
        sampled = rng.choice(len(self.validation), size=size, replace=False)
        loss, accuracy = _means(self._evaluate([self.validation[int(row)] for row in sampled]))
        step = replace(step, valid_loss=loss, valid_mean_token_accuracy=accuracy)
        if step.step % self.steps_per_epoch:
            return step
        loss, accuracy = _means(self._evaluate(self.validation))
        return replace(step, full_valid_loss=loss, full_valid_mean_token_accuracy=accuracy)

    def _evaluate(self, rows: Sequence[Sequence[Window]]) -> Loss:
        windows = list(chain.from_iterable(rows))
        return sum(map(self.network.evaluate, batches(windows, self.model.shape.slots)), Loss())

    def write_checkpoint(self, step: Step) -> Checkpoint:
        directory = self.spec.output_dir / "checkpoints" / f"step-{step.step}"
        self.model.save(directory)
        return Checkpoint(step=step.step, epoch=step.epoch, directory=directory, metrics=step)

    def save(self) -> Saved:
        """Write the state that `restore` continues from."""
        adam = self.adam
        storage.write_arrays(
            self._state_path,
            {
                "run": np.array(self._identity()),
                "steps": np.array(adam.steps),
                "weights": adam.weights,
                "mean": adam.mean,
                "square": adam.square,
            },
        )
        return Saved(step=adam.steps)

    def restore(self) -> None:
        """Continue from the saved state, if there is one."""
        if not self._state_path.exists():
            return
        state = storage.read_arrays(self._state_path)
        if str(state["run"]) != self._identity():
            raise ValueError(
                f"{str(self.spec.output_dir)!r} holds the state of another run; "
                "train into an empty folder"
            )
        self.adam.steps = int(state["steps"])
        for name in ("weights", "mean", "square"):
            getattr(self.adam, name)[...] = state[name]

    @property
    def _state_path(self) -> Path:
        return self.spec.output_dir / "state.npz"

    def _identity(self) -> str:
        """Describe all that a resumed run must share with the interrupted one."""
        checksum = crc32(self.spec.training_file.read_bytes())
        return json.dumps(
            {"seed": self.spec.seed, "checksum": checksum, **asdict(self.hyperparameters)}
        )

    def _rng(self, purpose: _Purpose, number: int) -> np.random.Generator:
        return np.random.default_rng([*_seed(self.spec, purpose), number])


def _seed(spec: TrainingSpec, purpose: _Purpose) -> list[int]:
    return [spec.seed % 2**64, int(purpose)]


def _means(loss: Loss) -> tuple[float, float]:
    """Give loss and accuracy per target; 0 for a batch without any."""
    targets = max(loss.targets, 1)
    return loss.total / targets, loss.correct / targets


def _read(path: Path) -> list[list[Turn]]:
    with path.open(encoding="utf-8-sig") as file:
        return [render(json.loads(line)["messages"]) for line in file if line.strip()]
