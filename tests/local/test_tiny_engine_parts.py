"""The pieces of the built-in engine: gradients, the key-value cache, tokens, windows, settings."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune.local.engines import Hyperparameters, parse_tool_calls, render_tool_calls
from gpt4o_tune.local.engines.tiny.bag import Bag
from gpt4o_tune.local.engines.tiny.network import Network, Shape, initial_weights, named
from gpt4o_tune.local.engines.tiny.rendering import Turn, render
from gpt4o_tune.local.engines.tiny.settings import resolve
from gpt4o_tune.local.engines.tiny.tokenizer import Tokenizer
from gpt4o_tune.local.engines.tiny.windows import CONTEXT, STRETCH, Batch, cut_windows

SHAPE = Shape(vocabulary=23, slots=5, width=8, layers=2, heads=2)
CONVERSATION = [
    Turn(role="system", text="Answer with a label."),
    Turn(role="user", text="where is my parcel?"),
    Turn(role="assistant", text="order_status", trained=True),
]


def some_batch(rng: np.random.Generator) -> Batch:
    """Make three windows of seven tokens with four targets."""
    return Batch(
        tokens=rng.integers(0, SHAPE.vocabulary, (3, 7)).astype(np.int32),
        bag=rng.random((3, SHAPE.slots)).astype(np.float32),
        rows=np.array([0, 0, 1, 2], dtype=np.int32),
        places=np.array([4, 5, 6, 3], dtype=np.int32),
        targets=np.array([1, 2, 3, 4], dtype=np.int32),
        prompt=np.ones((3, 7), dtype=np.bool_),
    )


@pytest.mark.parametrize("name", SHAPE.weights())
def test_the_gradient_is_the_slope_of_the_loss(name: str) -> None:
    """The hand-written backward pass agrees with central differences, in double precision."""
    rng = np.random.default_rng(1)
    batch = some_batch(rng)
    vector = initial_weights(SHAPE, rng).astype(np.float64)
    gradient = np.zeros_like(vector)
    network = Network(SHAPE, named(SHAPE, vector), named(SHAPE, gradient))

    def loss() -> float:
        return network.train(batch, dropout=0.3, rng=np.random.default_rng(2)).total

    loss()
    analytic = named(SHAPE, gradient)[name].copy()
    matrix = named(SHAPE, vector)[name]
    direction = rng.standard_normal(matrix.shape)
    matrix += 1e-6 * direction
    above = loss()
    matrix -= 2e-6 * direction
    slope = (above - loss()) / 2e-6
    assert slope == pytest.approx(float((analytic * direction).sum()), rel=1e-5)


def test_reading_token_by_token_equals_reading_at_once() -> None:
    """The key-value cache changes the time that an answer takes, not the answer."""
    rng = np.random.default_rng(1)
    batch = some_batch(rng)
    network = Network(SHAPE, named(SHAPE, initial_weights(SHAPE, rng)))
    whole = network.extend(batch.tokens, batch.bag, [])
    past: list[tuple[np.ndarray, np.ndarray]] = []
    for place in range(batch.tokens.shape[1]):
        last = network.extend(batch.tokens[:, place : place + 1], batch.bag, past)
    np.testing.assert_allclose(last, whole, rtol=1e-4, atol=1e-5)


def test_a_token_never_sees_those_after_it() -> None:
    """Changing the last token leaves the losses of earlier places alone."""
    rng = np.random.default_rng(1)
    batch = some_batch(rng)
    network = Network(SHAPE, named(SHAPE, initial_weights(SHAPE, rng)))
    keep = batch.places < 6
    early = Batch(
        tokens=batch.tokens,
        bag=batch.bag,
        rows=batch.rows[keep],
        places=batch.places[keep],
        targets=batch.targets[keep],
        prompt=batch.prompt,
    )
    before = network.evaluate(early).total
    early.tokens[:, 6] += 1
    early.tokens[:, 6] %= SHAPE.vocabulary
    assert network.evaluate(early).total == before


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_tokens_give_back_any_text(text: str) -> None:
    """Encoding loses nothing, whatever the training rows were."""
    tokenizer = Tokenizer.learn([CONVERSATION])
    pieces = [tokenizer.bytes_of(token) for token in tokenizer.encode(text)]
    assert b"".join(pieces).decode() == text


def test_a_shared_instruction_is_one_token() -> None:
    """A system prompt that rows share costs one token and its end, however long it is."""
    turn = Turn(role="system", text="Be brief. " * 100)
    tokenizer = Tokenizer.learn([[turn, *CONVERSATION[1:]]] * 2)
    assert len(tokenizer.encode_turn(turn)) == 3
    assert len(Tokenizer.learn([[turn]]).encode_turn(turn)) > 3


@settings(max_examples=25, deadline=None)
@given(replies=st.lists(st.tuples(st.integers(0, 900), st.sampled_from([0, 1, None])), max_size=4))
def test_windows_cover_each_trained_token_once(replies: list[tuple[int, int | None]]) -> None:
    """Every token of a trained reply, its end included, is a target once; others never are."""
    messages: list[dict[str, object]] = []
    for words, weight in replies:
        messages.append({"role": "user", "content": "go on"})
        messages.append({"role": "assistant", "content": "so " * words, "weight": weight})
    turns = render(messages)
    tokenizer, bag = Tokenizer.learn([turns]), Bag.learn([])
    windows = cut_windows(tokenizer, bag, turns)
    counted = [token for window in windows for token in window.tokens[window.start :].tolist()]
    expected = [
        token
        for turn, (_, weight) in zip(turns[1::2], replies, strict=True)
        if weight != 0
        for token in tokenizer.encode_body(turn)
    ]
    assert counted == expected
    assert all(len(window.tokens) <= CONTEXT + STRETCH for window in windows)


@given(rows=st.integers(1, 2_000_000))
def test_auto_settings_stay_in_bounds(rows: int) -> None:
    """Epochs chosen by the engine lie between 3 and 40 and give enough steps to learn."""
    chosen = resolve(Hyperparameters(), rows)
    assert 3 <= chosen.n_epochs <= 40
    assert 1 <= chosen.batch_size <= 64
    if rows >= 10:
        assert -(-rows // chosen.batch_size) * chosen.n_epochs >= 200


def test_explicit_settings_stand() -> None:
    """What the job asks for is what runs, wise or not."""
    chosen = resolve(Hyperparameters(1, 500, 0.1), 30)
    assert (chosen.n_epochs, chosen.batch_size, chosen.learning_rate_multiplier) == (1, 500, 0.1)


def test_an_unshared_history_weighs_as_much_as_a_long_one() -> None:
    """Each group of features has length 1, so a long history does not drown the latest message."""
    history = [Turn(role="user", text="old words " * 300), Turn(role="assistant", text="yes")]
    latest = Turn(role="user", text="a parcel")
    bag = Bag.learn([[latest], [latest], [*history, latest], [*history, latest], []])
    both = bag.vector([*history, latest])
    alone = bag.vector([latest])
    shared = np.isin(both.slots, alone.slots)
    np.testing.assert_allclose(
        np.linalg.norm(both.values[shared]), np.linalg.norm(alone.values), rtol=1e-5
    )


NAMES = st.text(alphabet="abcdefgh_", min_size=1, max_size=12)
ARGUMENTS = st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers(), max_size=3)


@given(calls=st.lists(st.tuples(NAMES, ARGUMENTS), max_size=3))
def test_tool_calls_read_back_as_written(calls: list[tuple[str, dict[str, object]]]) -> None:
    """Names and arguments survive the way through text."""
    message = {
        "tool_calls": [
            {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for name, arguments in calls
        ]
    }
    read = parse_tool_calls(render_tool_calls(message))
    assert [(call.name, json.loads(call.arguments)) for call in read] == calls


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("plain", "plain"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        ([{"type": "image_url", "image_url": {"url": "x"}}], "[image]"),
        ([{"type": "input_audio", "input_audio": {}}], "[audio]"),
    ],
)
def test_content_becomes_text(content: object, text: str) -> None:
    """Text parts are joined and every other part leaves a marker."""
    assert render([{"role": "user", "content": content}])[0].text == text


OVERLAPPING = """
from contextlib import ExitStack

import numpy
import threadpoolctl
from gpt4o_tune.local.engines.tiny.threads import one_blas_thread

def told():
    print(*[lib["num_threads"] for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"])

with threadpoolctl.threadpool_limits(2, user_api="blas"):
    told()
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(one_blas_thread())
        second.enter_context(one_blas_thread())
        told()
        first.close()
        told()
    told()
"""


def test_blas_gets_its_threads_back_when_the_last_answer_ends() -> None:
    """Answers that overlap hold BLAS to one thread together and leave the process as it was.

    In a process of its own: OpenBLAS takes no new limit in a thread that has multiplied already.
    """
    done = subprocess.run(
        [sys.executable, "-c", OVERLAPPING], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["2", "1", "1", "2"]
