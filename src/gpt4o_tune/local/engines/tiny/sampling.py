"""Several answers to one prompt at a time, drawn from the model in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpt4o_tune.local.engines.tiny.tokenizer import END, TOOL_CALL
from gpt4o_tune.local.engines.tiny.windows import STRETCH, Window, prompt_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gpt4o_tune.local.engines.tiny.bag import SparseVector
    from gpt4o_tune.local.engines.tiny.model import TinyModel
    from gpt4o_tune.local.engines.tiny.network import KeysValues, Network
    from gpt4o_tune.local.engines.tiny.rendering import Turn

LONGEST_ANSWER = STRETCH
"""Tokens after which an answer in training is cut off, so that it fits one window."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation to answer, as the network reads it."""

    tokens: list[int]
    bag: SparseVector

    @classmethod
    def of(cls, model: TinyModel, history: Sequence[Turn]) -> Prompt:
        """Encode a conversation."""
        tokens = prompt_tokens(model.tokenizer, history)
        return cls(tokens=tokens, bag=model.bag.vector(history))


@dataclass(frozen=True, slots=True)
class Answer:
    """One drawn answer."""

    text: str
    """The text before any tool call."""
    window: Window
    """Prompt and answer, the answer to be learnt."""

    @property
    def tokens(self) -> int:
        """Tokens of the answer, its end included."""
        return len(self.window.tokens) - self.window.start


def draw(
    model: TinyModel, network: Network, prompt: Prompt, *, count: int, rng: np.random.Generator
) -> list[Answer]:
    """Draw a number of answers to a prompt, at temperature 1."""
    tokens = np.tile(np.array(prompt.tokens, dtype=np.int32), (count, 1))
    bag = np.zeros((count, model.shape.slots), dtype=np.float32)
    bag[:, prompt.bag.slots] = prompt.bag.values
    written = np.zeros((count, 0), dtype=np.int32)
    is_open = np.ones(count, dtype=np.bool_)
    barred = _barred(model)
    past: list[KeysValues] = []
    while written.shape[1] < LONGEST_ANSWER and is_open.any():
        logits = np.where(barred, -np.inf, network.extend(tokens, bag, past).astype(np.float64))
        # The largest of logits with Gumbel noise is a draw from their softmax.
        noisy = logits + rng.gumbel(size=logits.shape)
        tokens = noisy.argmax(axis=-1).astype(np.int32)[:, None]
        written = np.concatenate([written, tokens], axis=1)
        is_open &= tokens[:, 0] != END
    return [_answer(model, prompt, line) for line in written]


def _barred(model: TinyModel) -> NDArray[np.bool_]:
    """Mark the tokens that no answer holds: those without text, but for the two that have a meaning."""
    barred = ~np.array([bool(model.tokenizer.bytes_of(t)) for t in range(model.tokenizer.size)])
    barred[[END, TOOL_CALL]] = False
    return barred


def _answer(model: TinyModel, prompt: Prompt, written: NDArray[np.int32]) -> Answer:
    ends = np.flatnonzero(written == END)
    tokens = written[: ends[0] + 1] if len(ends) else written
    calls = np.flatnonzero(tokens == TOOL_CALL)
    spoken = tokens[: calls[0]] if len(calls) else tokens
    text = b"".join(model.tokenizer.bytes_of(int(token)) for token in spoken)
    return Answer(
        text=text.decode("utf-8", "replace"),
        window=Window(
            tokens=np.concatenate([np.array(prompt.tokens, dtype=np.int32), tokens]),
            start=len(prompt.tokens),
            bag=prompt.bag,
        ),
    )
