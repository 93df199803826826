"""What every training method shares: weights, optimizer, the order of rows, and the saved state.

Every random draw comes from a generator seeded by (seed, purpose, step or epoch), so that a run
resumed at any step draws what the undisturbed run drew and ends with the same weights, bit by bit.
That holds for one number of BLAS threads: set OPENBLAS_NUM_THREADS=1 before numpy is imported.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from gpt4o_tune.local.engines.protocol import Checkpoint, Saved
from gpt4o_tune.local.engines.tiny import storage
from gpt4o_tune.local.engines.tiny.network import Network, named
from gpt4o_tune.local.engines.tiny.optimizer import Adam
from gpt4o_tune.local.engines.tiny.settings import (
    LAST_LEARNING_RATE,
    LEARNING_RATE,
    WARM_UP,
    resolve,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gpt4o_tune.local.engines.protocol import ResolvedHyperparameters, Step, TrainingSpec
    from gpt4o_tune.local.engines.tiny.model import TinyModel


class Purpose(IntEnum):
    """Keeps the random draws of one run apart."""

    WEIGHTS = 0
    ORDER = 1
    DROPOUT = 2
    VALIDATION = 3
    ANSWERS = 4


@dataclass(slots=True)
class Run:
    """One training run in memory."""

    spec: TrainingSpec
    hyperparameters: ResolvedHyperparameters
    model: TinyModel
    rows: int
    """Number of training rows."""
    network: Network
    gradient: NDArray[np.float32]
    """Filled by the network; `descend` uses it up."""
    adam: Adam

    @classmethod
    def start(cls, spec: TrainingSpec, model: TinyModel, rows: int) -> Run:
        """Begin a run over a number of rows with the weights of a model, which it changes."""
        gradient = np.zeros_like(model.weights)
        return cls(
            spec=spec,
            hyperparameters=resolve(spec.hyperparameters, rows, spec.method),
            model=model,
            rows=rows,
            network=Network(
                model.shape, named(model.shape, model.weights), named(model.shape, gradient)
            ),
            gradient=gradient,
            adam=Adam.start(model.weights),
        )

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one pass over the rows."""
        return -(-self.rows // self.hyperparameters.batch_size)

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.steps_per_epoch * self.hyperparameters.n_epochs

    @property
    def next_step(self) -> int:
        """Number of the step to take, from 1."""
        return self.adam.steps + 1

    def is_milestone(self, step: int) -> bool:
        """Say whether the model is evaluated in full, and kept, after a step."""
        interval = self.hyperparameters.eval_interval or self.steps_per_epoch
        return step % interval == 0 or step == self.total_steps

    def epoch_of(self, step: int) -> int:
        """Number of the epoch that a step belongs to, from 1."""
        return (step - 1) // self.steps_per_epoch + 1

    def picked(self) -> list[int]:
        """Draw the rows of the next step."""
        epoch, index = divmod(self.adam.steps, self.steps_per_epoch)
        size = self.hyperparameters.batch_size
        order = self.rng(Purpose.ORDER, epoch).permutation(self.rows)
        return [int(row) for row in order[index * size : (index + 1) * size]]

    def sampled(self, rows: int, step: int) -> list[int]:
        """Draw the validation rows that are measured at a step, a batch of them."""
        size = min(self.hyperparameters.batch_size, rows)
        rng = self.rng(Purpose.VALIDATION, step)
        return [int(row) for row in rng.choice(rows, size=size, replace=False)]

    def descend(self, scale: int) -> None:
        """Take an optimizer step with the gradient divided by a scale, and empty the gradient."""
        self.gradient /= max(scale, 1)
        self.adam.step(self.gradient, learning_rate=self._learning_rate())
        self.gradient.fill(0)

    def _learning_rate(self) -> float:
        """Give the rate of the next step: a linear rise, then a linear fall."""
        progress = self.next_step / self.total_steps
        rise = min(1.0, progress / WARM_UP)
        fall = min(1.0, (1 - progress) / (1 - WARM_UP))
        share = rise * (LAST_LEARNING_RATE + (1 - LAST_LEARNING_RATE) * fall)
        rate = LEARNING_RATE[self.spec.method]
        return rate * self.hyperparameters.learning_rate_multiplier * share

    def write_checkpoint(self, step: Step) -> Checkpoint:
        """Write the model as it is after a step."""
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
        """Continue from the saved state, if there is one.

        Raises:
            ValueError: The output folder holds the state of another run.
        """
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
            {
                "method": self.spec.method,
                "seed": self.spec.seed,
                "checksum": checksum,
                **asdict(self.hyperparameters),
            }
        )

    def rng(self, purpose: Purpose, number: int) -> np.random.Generator:
        """Give the generator of a purpose at a step or epoch."""
        return np.random.default_rng([*seed_of(self.spec, purpose), number])


def seed_of(spec: TrainingSpec, purpose: Purpose) -> Sequence[int]:
    """Seed the draws of a purpose."""
    return [spec.seed % 2**64, int(purpose)]


def read_rows(path: Path | None) -> list[dict[str, object]]:
    """Read the rows of a file; no file has none."""
    if path is None:
        return []
    with path.open(encoding="utf-8-sig") as file:
        return [json.loads(line) for line in file if line.strip()]
