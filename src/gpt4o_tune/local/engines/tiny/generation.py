"""Answers from a tiny model, token by token."""

from __future__ import annotations

from codecs import getincrementaldecoder
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpt4o_tune.local.engines.protocol import (
    UNCHANGED,
    Adjustments,
    AnswerShape,
    GeneratedToken,
    Message,
)
from gpt4o_tune.local.engines.tiny.guidance import Guidance, Vocabulary
from gpt4o_tune.local.engines.tiny.network import KeysValues, Network, named
from gpt4o_tune.local.engines.tiny.rendering import Turn, render
from gpt4o_tune.local.engines.tiny.threads import one_blas_thread
from gpt4o_tune.local.engines.tiny.tokenizer import END, TOOL_CALL
from gpt4o_tune.local.engines.tiny.windows import CONTEXT, STRETCH, prompt_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from gpt4o_tune.local.engines.tiny.model import TinyModel

_REMEMBERED = CONTEXT + STRETCH - 1
"""Tokens that attention looks back on: the most that it saw in training."""


class TinyLanguageModel:
    """Generates from a trained model; safe to use from several threads."""

    def __init__(self, model: TinyModel) -> None:
        self._model = model
        self._network = Network(model.shape, named(model.shape, model.weights))
        self._vocabulary = Vocabulary(
            [model.tokenizer.bytes_of(token) for token in range(model.tokenizer.size)]
        )

    def generate(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int = 256,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int | None = None,
        top_logprobs: int = 0,
        shape: AnswerShape | None = None,
        adjustments: Adjustments = UNCHANGED,
    ) -> Iterator[GeneratedToken]:
        """Answer a conversation; see `LanguageModel.generate`.

        Raises:
            ValueError: `max_tokens` is below 1.
        """
        if max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {max_tokens!r}")
        draw = _Draw(
            temperature, top_p, np.random.default_rng(None if seed is None else seed % 2**64)
        )
        scores = _Scores(self._vocabulary, shape or AnswerShape(), adjustments)
        decoder = getincrementaldecoder("utf-8")("replace")
        in_calls = False
        for count, (token, logprobs) in enumerate(
            self._tokens(render(messages), scores, draw), start=1
        ):
            in_calls = in_calls or token == TOOL_CALL
            reason = "stop" if token == END else "length" if count == max_tokens else None
            yield GeneratedToken(
                text=decoder.decode(self._model.tokenizer.bytes_of(token), final=bool(reason)),
                logprob=float(logprobs[token]),
                top=self._top(logprobs, top_logprobs),
                is_tool_call=in_calls,
                finish_reason=reason,
            )
            if reason:
                return

    def _tokens(
        self, history: Sequence[Turn], scores: _Scores, draw: _Draw
    ) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield tokens without end, each with the log-probabilities it was chosen from."""
        vector = self._model.bag.vector(history)
        bag = np.zeros((1, self._model.shape.slots), dtype=np.float32)
        bag[0, vector.slots] = vector.values
        past: list[KeysValues] = []
        unread = prompt_tokens(self._model.tokenizer, history)
        while True:
            with one_blas_thread():
                logits = self._network.extend(np.array([unread], dtype=np.int32), bag, past)[0]
            logprobs = _log_softmax(scores.adjusted(logits))
            token = draw(logprobs)
            yield token, logprobs
            scores.take(token)
            past[:] = [(k[:, :, -_REMEMBERED:], v[:, :, -_REMEMBERED:]) for k, v in past]
            unread = [token]

    def _top(self, logprobs: NDArray[np.float64], count: int) -> tuple[tuple[str, float], ...]:
        best = np.argsort(-logprobs, kind="stable")[:count]
        best = best[np.isfinite(logprobs[best])]
        texts = (self._model.tokenizer.bytes_of(int(t)).decode("utf-8", "replace") for t in best)
        return tuple((text, float(logprobs[t])) for text, t in zip(texts, best, strict=True))


class _Scores:
    """Turns the network's scores into those that one answer's next token is drawn by."""

    def __init__(
        self, vocabulary: Vocabulary, shape: AnswerShape, adjustments: Adjustments
    ) -> None:
        self._guidance = Guidance(vocabulary, shape)
        self._adjustments = adjustments
        self._counts = np.zeros(len(vocabulary.written))
        self._bias = np.zeros(len(vocabulary.written))
        for text, bias in adjustments.bias.items():
            self._bias[vocabulary.tokens(text)] += bias

    def adjusted(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        penalty = self._adjustments.frequency_penalty * self._counts
        penalty += self._adjustments.presence_penalty * (self._counts > 0)
        return np.where(self._guidance.allowed(), logits - penalty + self._bias, -np.inf)

    def take(self, token: int) -> None:
        self._counts[token] += 1
        self._guidance.take(token)


@dataclass(frozen=True, slots=True)
class _Draw:
    """Chooses a token by its probability."""

    temperature: float
    top_p: float
    rng: np.random.Generator

    def __call__(self, logprobs: NDArray[np.float64]) -> int:
        if self.temperature <= 0:
            return int(logprobs.argmax())
        shares = np.exp(_log_softmax(logprobs / self.temperature))
        order = np.argsort(-shares, kind="stable")
        before = np.cumsum(shares[order]) - shares[order]
        kept = order[(before < self.top_p) | (np.arange(len(order)) == 0)]
        return int(self.rng.choice(kept, p=shares[kept] / shares[kept].sum()))


def _log_softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    shifted = scores.astype(np.float64) - float(scores.max())
    return shifted - np.log(np.exp(shifted).sum())
