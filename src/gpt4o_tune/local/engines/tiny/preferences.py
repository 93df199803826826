"""Direct preference optimization (Rafailov et al., arXiv:2305.18290): prefer one answer to another.

The margin of a pair is how much more than at the start the model favours the preferred answer, in nats:
the log-probability of the preferred answer less that of the other one, less the same difference at the
start. The loss of a pair is -ln sigmoid(beta times margin). Its gradient is that of the two answers'
tokens with weights of opposite sign, so supervised training's backward pass serves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, cast

import numpy as np

from gpt4o_tune.local.engines.protocol import (
    Hyperparameters,
    Note,
    Saved,
    Step,
    TrainingSpec,
)
from gpt4o_tune.local.engines.tiny import storage
from gpt4o_tune.local.engines.tiny.loop import pursue
from gpt4o_tune.local.engines.tiny.model import TinyModel
from gpt4o_tune.local.engines.tiny.rendering import Turn, render
from gpt4o_tune.local.engines.tiny.run import Run, read_rows
from gpt4o_tune.local.engines.tiny.supervised import Supervised
from gpt4o_tune.local.engines.tiny.windows import Window, batch_of, cut_windows, grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gpt4o_tune.local.engines.protocol import Message, Update
    from gpt4o_tune.local.engines.tiny.network import Network

WARM_UP_STEPS = 300
"""Supervised steps before the first preference where no trained model is there to start from."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one prompt, each cut into windows."""

    preferred: list[Window]
    other: list[Window]

    @property
    def windows(self) -> list[Window]:
        """Windows of both answers, the preferred one's first."""
        return [*self.preferred, *self.other]


@dataclass(slots=True)
class Preferences:
    """Learns which of two answers is the better one."""

    run: Run
    pairs: list[Pair]
    validation: list[Pair]
    warm_up: TrainingSpec | None
    """The supervised training before, where the run starts from an untrained base."""
    reference: NDArray[np.float64] = field(init=False)
    """Differences of log-probabilities at the start, one a pair."""
    validation_reference: NDArray[np.float64] = field(init=False)

    @classmethod
    def prepare(cls, spec: TrainingSpec) -> Preferences:
        """Read the pairs and the model to start from.

        Raises:
            ValueError: An output of a pair has no assistant message.
        """
        rows, validation = read_rows(spec.training_file), read_rows(spec.validation_file)
        if spec.base_dir is None:
            warm_up = _warm_up_spec(spec, rows)
            model = Supervised.prepare(warm_up).run.model
        else:
            warm_up, model = None, TinyModel.load(spec.base_dir)
        pairs = [_pair(model, row) for row in rows]
        if not all(pair.preferred and pair.other for pair in pairs):
            raise ValueError(
                f"{str(spec.training_file)!r} has an output without an assistant message"
            )
        return cls(
            run=Run.start(spec, model, len(pairs)),
            pairs=pairs,
            validation=[_pair(model, row) for row in validation],
            warm_up=warm_up,
        )

    def get_ready(self) -> Iterator[Update]:
        """Train the start where there is none, and measure what it prefers."""
        if self.warm_up is not None:
            yield Note(
                "warm-up",
                "This stand-in has no pre-trained base: before the preferences it first learns, by "
                "supervised training, to give either answer of each pair. Start from a fine-tuned model "
                "of this server (its ft: id as model) to leave that out.",
            )
            yield from self._warm_up(self.warm_up)
        self.reference = self._leanings(self.pairs)
        self.validation_reference = self._leanings(self.validation)

    def _warm_up(self, spec: TrainingSpec) -> Iterator[Update]:
        start = Supervised.prepare(spec)
        for update in pursue(start, keeps_models=False):
            if isinstance(update, Saved):
                yield Saved(step=0)
        self.run.model.weights[...] = start.run.model.weights

    def step(self) -> Step:
        """Take the next optimizer step and measure it."""
        run = self.run
        number, picked = run.next_step, run.picked()
        margins = self._descend(picked)
        step = Step(
            step=number,
            epoch=run.epoch_of(number),
            train_loss=self._loss(margins),
            rewards=self._rewards("train", margins),
        )
        return self._validated(step) if self.validation else step

    def _descend(self, picked: Sequence[int]) -> NDArray[np.float64]:
        """Learn from a batch of pairs and give their margins before."""
        pairs, reference = [self.pairs[row] for row in picked], self.reference[[*picked]]
        margins = np.zeros(len(pairs))
        for group in grouped([pair.windows for pair in pairs]):
            leanings, learn = lean(self.run.network, [pairs[index] for index in group])
            margins[group] = leanings - reference[group]
            learn(self._beta * _sigmoid(-self._beta * margins[group]))
        self.run.descend(len(pairs))
        return margins

    def _validated(self, step: Step) -> Step:
        sampled = self.run.sampled(len(self.validation), step.step)
        margins = self._margins(sampled)
        step = replace(
            step,
            valid_loss=self._loss(margins),
            rewards={**step.rewards, **self._rewards("valid", margins)},
        )
        if not self.run.is_milestone(step.step):
            return step
        margins = self._margins(range(len(self.validation)))
        return replace(
            step,
            full_valid_loss=self._loss(margins),
            rewards={**step.rewards, **self._rewards("full_valid", margins)},
        )

    def _margins(self, rows: Sequence[int]) -> NDArray[np.float64]:
        leanings = self._leanings([self.validation[row] for row in rows])
        return leanings - self.validation_reference[[*rows]]

    def _leanings(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        leanings = np.zeros(len(pairs))
        for group in grouped([pair.windows for pair in pairs]):
            leanings[group] = lean(self.run.network, [pairs[index] for index in group])[0]
        return leanings

    @property
    def _beta(self) -> float:
        return self.run.hyperparameters.beta or 0.0

    def _loss(self, margins: NDArray[np.float64]) -> float:
        return float(np.logaddexp(0, -self._beta * margins).mean())

    def _rewards(self, part: str, margins: NDArray[np.float64]) -> dict[str, float]:
        return {
            f"{part}_reward_margin": float(self._beta * margins.mean()),
            f"{part}_reward_accuracy": float((margins > 0).mean()),
        }


def lean(
    network: Network, pairs: Sequence[Pair]
) -> tuple[NDArray[np.float64], Callable[[NDArray[np.float64]], None]]:
    """Give how much the model leans to each preferred answer, in nats, and what makes it lean more.

    The function takes a pull for each pair and adds the gradient of the pulls times minus the leanings.
    """
    sizes = [len(side) for pair in pairs for side in (pair.preferred, pair.other)]
    batch = batch_of([*chain.from_iterable(pair.windows for pair in pairs)], network.shape.slots)
    # Which answer each target belongs to: 0 and 1 are those of the first pair.
    answers = np.repeat(np.arange(len(sizes)), sizes)[batch.rows]
    found, back = network.likelihoods(batch)
    sums: NDArray[np.float64] = np.zeros(len(sizes))
    np.add.at(sums, answers, found)
    sums = sums.reshape(-1, 2)

    def learn(pulls: NDArray[np.float64]) -> None:
        signed = np.stack([pulls, -pulls], axis=1).ravel()[answers]
        back(signed.astype(found.dtype))

    return sums[:, 0] - sums[:, 1], learn


def _pair(model: TinyModel, row: Mapping[str, object]) -> Pair:
    def turns(messages: Sequence[Message], *, are_learnt: bool) -> list[Turn]:
        return [
            replace(turn, trained=are_learnt and turn.role == "assistant")
            for turn in render(messages)
        ]

    prompt = turns(_prompt(row), are_learnt=False)

    def windows(key: str) -> list[Window]:
        output = turns(cast("Sequence[Message]", row[key]), are_learnt=True)
        return cut_windows(model.tokenizer, model.bag, [*prompt, *output])

    return Pair(preferred=windows("preferred_output"), other=windows("non_preferred_output"))


def _prompt(row: Mapping[str, object]) -> Sequence[Message]:
    return cast("Mapping[str, Sequence[Message]]", row["input"])["messages"]


def _warm_up_spec(spec: TrainingSpec, rows: Sequence[Mapping[str, object]]) -> TrainingSpec:
    """Describe the training on both answers of each pair, and write its rows."""
    folder = spec.output_dir / "warm-up"
    lines: list[str] = []
    for row in rows:
        prompt = [{**message, "weight": 0} for message in _prompt(row)]
        for key in ("preferred_output", "non_preferred_output"):
            output = [{**m, "weight": 1} for m in cast("Sequence[Message]", row[key])]
            lines.append(json.dumps({"messages": [*prompt, *output]}) + "\n")
    path: Path = folder / "training.jsonl"
    storage.write_bytes(path, "".join(lines).encode())
    batch_size = max(2, min(32, len(lines) // 32))
    steps_per_epoch = -(-len(lines) // batch_size)
    return replace(
        spec,
        method="supervised",
        training_file=path,
        validation_file=None,
        output_dir=folder,
        hyperparameters=Hyperparameters(
            n_epochs=max(1, WARM_UP_STEPS // steps_per_epoch), batch_size=batch_size
        ),
    )


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-np.logaddexp(0, -x))
