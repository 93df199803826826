"""The built-in engine learns preferences and from rewards, and is honest about both."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gpt4o_tune.local.engines import (
    Checkpoint,
    Hyperparameters,
    LanguageModel,
    Note,
    Resolved,
    Saved,
    Step,
    TrainingSpec,
)
from gpt4o_tune.local.engines.tiny import TinyEngine
from gpt4o_tune.local.engines.tiny.bag import SparseVector
from gpt4o_tune.local.engines.tiny.network import Network, Shape, initial_weights, named
from gpt4o_tune.local.engines.tiny.preferences import Pair, lean
from gpt4o_tune.local.engines.tiny.threads import one_blas_thread
from gpt4o_tune.local.engines.tiny.windows import Window
from gpt4o_tune.local.rewards import make_grading
from tests.local.house_voice import (
    ASKING,
    GRADER,
    UNSEEN,
    chat_rows,
    curt,
    preference_rows,
    questions,
    reward_rows,
    warm,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from gpt4o_tune.local.engines import Update
    from tests.local.house_voice import Row

SHAPE = Shape(vocabulary=23, slots=5, width=8, layers=2, heads=2)


def spec(
    folder: Path,
    method: str,
    rows: Iterable[Row],
    valid: Sequence[Row] = (),
    *,
    base: Path | None = None,
    **hyperparameters: float,
) -> TrainingSpec:
    """Write the rows to files and describe a run on them."""
    settings = {"n_epochs": 3, "batch_size": 6, **hyperparameters}
    return TrainingSpec(
        training_file=write(folder / "train.jsonl", rows),
        validation_file=write(folder / "valid.jsonl", valid) if valid else None,
        output_dir=folder / "out",
        hyperparameters=Hyperparameters(**settings),  # type: ignore[arg-type]  # as a job gives them
        seed=7,
        base_dir=base,
        method=method,  # type: ignore[arg-type]  # one of the three
        grading=make_grading(GRADER, has_json=False) if method == "reinforcement" else None,
    )


def steps_of(updates: Iterable[Update]) -> list[Step]:
    """Pick the steps."""
    return [update for update in updates if isinstance(update, Step)]


def share(directory: Path, way: Callable[[str], str]) -> float:
    """Share of answers to unseen questions, drawn, that are right and given in a way."""
    model: LanguageModel = TinyEngine().load(directory)
    right: list[bool] = []
    for number, (question, desk) in enumerate(questions(UNSEEN, ASKING[1])):
        tokens = model.generate([{"role": "user", "content": question}], seed=number)
        right.append("".join(token.text for token in tokens) == way(desk))
    return sum(right) / len(right)


def weights(output_dir: Path) -> bytes:
    """The bytes of the last saved weights."""
    with np.load(output_dir / "state.npz") as state:
        return state["weights"].tobytes()


def last_checkpoint(updates: Iterable[Update]) -> Checkpoint:
    """Train to the end and give the model."""
    return [update for update in updates if isinstance(update, Checkpoint)][-1]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Train with one BLAS thread, as the server's workers do."""
    with one_blas_thread():
        yield


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers either way."""
    folder = tmp_path_factory.mktemp("start")
    trained = TinyEngine().train(spec(folder, "supervised", chat_rows(), n_epochs=9))
    return last_checkpoint(trained).directory


def drawn_window(rng: np.random.Generator, length: int) -> Window:
    """A window of random tokens, the last four of which are an answer."""
    bag = SparseVector(slots=np.array([1], dtype=np.int32), values=np.ones(1, dtype=np.float32))
    tokens = rng.integers(0, SHAPE.vocabulary, length).astype(np.int32)
    return Window(tokens=tokens, start=length - 4, bag=bag)


@pytest.mark.parametrize("name", SHAPE.weights())
def test_the_gradient_of_preferences_is_the_slope_of_their_loss(name: str) -> None:
    """Signed token weights give what central differences of -ln sigmoid(beta margin) give."""
    rng = np.random.default_rng(1)
    pairs = [
        Pair(
            preferred=[drawn_window(rng, 7), drawn_window(rng, 9)],
            other=[drawn_window(rng, length)],
        )
        for length in (6, 8)
    ]
    vector = initial_weights(SHAPE, rng).astype(np.float64)
    gradient = np.zeros_like(vector)
    network = Network(SHAPE, named(SHAPE, vector), named(SHAPE, gradient))
    beta, reference = 0.3, np.array([0.5, -0.5])

    def loss() -> float:
        margins = lean(network, pairs)[0] - reference
        return float(np.logaddexp(0, -beta * margins).sum())

    leanings, learn = lean(network, pairs)
    learn(beta / (1 + np.exp(beta * (leanings - reference))))
    matrix = named(SHAPE, vector)[name]
    direction = rng.standard_normal(matrix.shape)
    matrix += 1e-6 * direction
    above = loss()
    matrix -= 2e-6 * direction
    slope = (above - loss()) / 2e-6
    assert slope == pytest.approx(
        float((named(SHAPE, gradient)[name] * direction).sum()), rel=1e-5, abs=1e-7
    )


def test_preferences_change_the_answers_and_keep_them_right(tmp_path: Path, start: Path) -> None:
    """The margin rises from nothing, on unseen pairs too, and unseen questions get the house voice."""
    assert 0.2 < share(start, warm) < 0.8
    assert share(start, warm) + share(start, curt) > 0.9
    run = spec(
        tmp_path,
        "dpo",
        preference_rows(*ASKING),
        preference_rows(UNSEEN),
        base=start,
        learning_rate_multiplier=2,
    )
    updates = [*TinyEngine().train(run)]
    first, *_, last = steps_of(updates)
    assert first.train_loss == pytest.approx(math.log(2))
    assert first.rewards["train_reward_margin"] == 0
    assert last.train_loss is not None
    assert last.train_loss < 0.5
    for part in ("train", "valid", "full_valid"):
        assert last.rewards[f"{part}_reward_margin"] > 0.5
        assert last.rewards[f"{part}_reward_accuracy"] == 1
    assert share(last_checkpoint(updates).directory, warm) > 0.9


def test_the_other_answers_can_be_preferred_as_well(tmp_path: Path, start: Path) -> None:
    """It is the preference that decides, not the answers."""
    rows = [
        {
            "input": row["input"],
            "preferred_output": row["non_preferred_output"],
            "non_preferred_output": row["preferred_output"],
        }
        for row in preference_rows(*ASKING)
    ]
    updates = TinyEngine().train(
        spec(tmp_path, "dpo", rows, base=start, learning_rate_multiplier=2)
    )
    assert share(last_checkpoint(updates).directory, curt) > 0.9


def test_preferences_without_a_start_first_learn_both_answers(tmp_path: Path) -> None:
    """The job's history says so; a run cut in the warm-up and in the preferences ends as an uncut one."""
    rows = preference_rows(ASKING[0])[:10]
    whole = spec(tmp_path / "whole", "dpo", rows, batch_size=2)
    updates = [*TinyEngine().train(whole)]
    assert isinstance(updates[0], Resolved)
    (note,) = (update for update in updates if isinstance(update, Note))
    assert "no pre-trained base" in note.text
    assert [step.step for step in steps_of(updates)] == [*range(1, 16)]
    assert updates.count(Saved(step=0)) > 5

    cut = spec(tmp_path / "cut", "dpo", rows, batch_size=2)
    training = TinyEngine().train(cut)
    assert any(update == Saved(step=0) for update in training)
    training.close()  # type: ignore[attr-defined]  # the engine gives a generator
    training = TinyEngine().train(cut)
    assert any(isinstance(update, Step) and update.step == 7 for update in training)
    training.close()  # type: ignore[attr-defined]
    assert steps_of(TinyEngine().train(cut))[0].step == 6
    assert weights(cut.output_dir) == weights(whole.output_dir)


@pytest.fixture(scope="module")
def rewarded(tmp_path_factory: pytest.TempPathFactory, start: Path) -> tuple[Path, list[Update]]:
    """A finished run of rewards for the house voice, with its folder."""
    folder = tmp_path_factory.mktemp("rewarded")
    run = reward_spec(folder, start)
    return run.output_dir, [*TinyEngine().train(run)]


def reward_spec(folder: Path, start: Path) -> TrainingSpec:
    """Rewards for the house voice; 18 steps, evaluated after each five and at the end."""
    return spec(
        folder,
        "reinforcement",
        reward_rows(*ASKING),
        reward_rows(UNSEEN),
        base=start,
        learning_rate_multiplier=3,
        compute_multiplier=0.5,
        eval_interval=5,
        eval_samples=2,
    )


def test_rewards_change_the_answers(rewarded: tuple[Path, list[Update]]) -> None:
    """The mean reward rises, on unseen questions too, and the rewarded answers become more likely."""
    _, updates = rewarded
    steps = steps_of(updates)
    rewards = [step.rewards["train_mean_reward"] for step in steps]
    assert np.mean(rewards[-4:]) > np.mean(rewards[:4]) + 0.2
    measured = [s.step for s in steps if "full_valid_mean_reward" in s.rewards]
    assert measured == [5, 10, 15, 18]
    assert steps[-1].rewards["full_valid_mean_reward"] > 0.8
    assert {step.train_loss for step in steps} == {None}
    assert steps[0].rewards["completion_tokens_mean"] > 1
    assert share(last_checkpoint(updates).directory, warm) > 0.8


def test_rewards_resume_bit_by_bit(
    tmp_path: Path, start: Path, rewarded: tuple[Path, list[Update]]
) -> None:
    """Answers are drawn by step, so a run that was cut draws what the uncut one drew."""
    cut = reward_spec(tmp_path, start)
    training = TinyEngine().train(cut)
    assert any(isinstance(update, Step) and update.step == 12 for update in training)
    training.close()  # type: ignore[attr-defined]  # the engine gives a generator
    rest = steps_of(TinyEngine().train(cut))
    assert rest == steps_of(rewarded[1])[10:]
    assert weights(cut.output_dir) == weights(rewarded[0])


def test_rewards_need_a_model_that_answers(tmp_path: Path) -> None:
    """From random weights no answer would ever earn anything; the error says what to do."""
    rows = reward_rows(ASKING[0])
    with pytest.raises(ValueError, match="'supervised' first"):
        list(TinyEngine().train(spec(tmp_path, "reinforcement", rows, rows)))
