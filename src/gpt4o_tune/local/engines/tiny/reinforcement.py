"""Reinforcement: draw answers, have them graded, and make the better ones of a prompt more likely.

The gradient is REINFORCE's (Williams, 1992) with the mean reward of a prompt's answers as baseline: a
token's weight is its answer's reward less that mean. A small penalty on the Kullback-Leibler divergence
from the start (the estimator `exp(d) - 1 - d` of Schulman's note, d being the start's log-probability
less the model's) keeps the model from unlearning how to answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from gpt4o_tune.local.engines.protocol import Step, UngradableError
from gpt4o_tune.local.engines.tiny.model import TinyModel
from gpt4o_tune.local.engines.tiny.network import Network, named
from gpt4o_tune.local.engines.tiny.rendering import render
from gpt4o_tune.local.engines.tiny.run import Purpose, Run, read_rows
from gpt4o_tune.local.engines.tiny.sampling import Answer, Prompt, draw
from gpt4o_tune.local.engines.tiny.settings import ANSWERS
from gpt4o_tune.local.engines.tiny.windows import batch_of, grouped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from gpt4o_tune.local.engines.protocol import Grading, Message, TrainingSpec, Update

CLOSENESS = 0.02
"""Weight of the divergence from the start, in rewards a nat."""
LARGEST_DRIFT = 5.0
"""Nats beyond which an unlikely token's divergence grows no further, as one token could rule a step."""
FEWEST_ANSWERS = 2
"""A single answer has nothing to be better than."""


@dataclass(frozen=True, slots=True)
class Question:
    """A row: the prompt to answer, and the fields that the grader reads."""

    prompt: Prompt
    row: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Graded answers to one prompt."""

    answers: list[Answer]
    rewards: list[float]
    ungradable: int
    """How many could not be graded; they count as worth 0."""

    @property
    def gains(self) -> NDArray[np.float32]:
        """How much better each answer is than they are on average."""
        rewards = np.array(self.rewards, dtype=np.float32)
        return rewards - rewards.mean()


@dataclass(slots=True)
class Reinforcement:
    """Learns from rewards."""

    run: Run
    questions: list[Question]
    validation: list[Question]
    grading: Grading
    start: Network
    """The model as it was at the beginning."""

    @classmethod
    def prepare(cls, spec: TrainingSpec) -> Reinforcement:
        """Read the prompts and the model to start from.

        Raises:
            ValueError: There is no model to start from, no grader or no validation file.
        """
        if spec.base_dir is None:
            raise ValueError(
                "reinforcement needs a model that already answers; train one by method 'supervised' first"
            )
        if spec.grading is None or spec.validation_file is None:
            raise ValueError("reinforcement needs a grader and a validation file")
        model = TinyModel.load(spec.base_dir)
        rows, validation = read_rows(spec.training_file), read_rows(spec.validation_file)
        return cls(
            run=Run.start(spec, model, len(rows)),
            questions=[_question(model, row) for row in rows],
            validation=[_question(model, row) for row in validation],
            grading=spec.grading,
            start=Network(model.shape, named(model.shape, model.weights.copy())),
        )

    def get_ready(self) -> Iterator[Update]:
        """There is nothing to do before the first step."""
        return iter(())

    def step(self) -> Step:
        """Take the next optimizer step and measure it."""
        run = self.run
        number = run.next_step
        rng = run.rng(Purpose.ANSWERS, number)
        count = max(FEWEST_ANSWERS, round(ANSWERS * (run.hyperparameters.compute_multiplier or 1)))
        picked = [self.questions[row] for row in run.picked()]
        outcomes = [self._ask(question, count, rng) for question in picked]
        self._descend(outcomes)
        step = Step(step=number, epoch=run.epoch_of(number), rewards=_measured("train", outcomes))
        return self._validated(step) if run.is_milestone(number) else step

    def _ask(self, question: Question, count: int, rng: np.random.Generator) -> Outcome:
        run = self.run
        answers = draw(run.model, run.network, question.prompt, count=count, rng=rng)
        rewards: list[float] = []
        ungradable = 0
        for answer in answers:
            try:
                rewards.append(self.grading.reward(answer.text, question.row))
            except UngradableError:
                rewards.append(0.0)
                ungradable += 1
        return Outcome(answers, rewards, ungradable)

    def _descend(self, outcomes: Sequence[Outcome]) -> None:
        answers = [answer for outcome in outcomes for answer in outcome.answers]
        windows = [answer.window for answer in answers]
        gains = np.concatenate([outcome.gains for outcome in outcomes])
        for group in grouped([(window,) for window in windows]):
            batch = batch_of([windows[index] for index in group], self.run.model.shape.slots)
            found, learn = self.run.network.likelihoods(batch)
            before, _ = self.start.likelihoods(batch)
            drift = np.minimum(before - found, LARGEST_DRIFT)
            learn(gains[group][batch.rows] + CLOSENESS * np.expm1(drift))
        self.run.descend(len(windows))

    def _validated(self, step: Step) -> Step:
        rng = self.run.rng(Purpose.VALIDATION, step.step)
        count = self.run.hyperparameters.eval_samples or 1
        outcomes = [self._ask(question, count, rng) for question in self.validation]
        return replace(step, rewards={**step.rewards, **_measured("valid", outcomes)})


def _question(model: TinyModel, row: Mapping[str, object]) -> Question:
    history = render(cast("Sequence[Message]", row["messages"]))
    return Question(prompt=Prompt.of(model, history), row=row)


def _measured(part: Literal["train", "valid"], outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Sum answers up under the names of the API."""
    rewards = [reward for outcome in outcomes for reward in outcome.rewards]
    tokens = [answer.tokens for outcome in outcomes for answer in outcome.answers]
    mean, ungradable = float(np.mean(rewards)), sum(outcome.ungradable for outcome in outcomes)
    measured = {f"{part}_reward_mean": mean, f"{part}_parse_error_mean": ungradable / len(rewards)}
    if part == "valid":
        return {**measured, "full_valid_mean_reward": mean}
    return {
        **measured,
        "train_mean_reward": mean,
        "completion_tokens_mean": float(np.mean(tokens)),
        # This model writes its answer and nothing before it.
        "reasoning_tokens_mean": 0.0,
    }
