"""Answers from a tiny model, token by token."""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import TYPE_CHECKING

import numpy as np

from gpt4o_tune.local.engines.protocol import GeneratedToken, Message
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
        writable = [bool(model.tokenizer.bytes_of(t)) for t in range(model.tokenizer.size)]
        self._barred = ~np.array(writable)
        self._barred[[END, TOOL_CALL]] = False

    def generate(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int = 256,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int | None = None,
        top_logprobs: int = 0,
    ) -> Iterator[GeneratedToken]:
        """Answer a conversation; see `LanguageModel.generate`.

        Raises:
            ValueError: `max_tokens` is below 1.
        """
        if max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {max_tokens!r}")
        rng = np.random.default_rng(None if seed is None else seed % 2**64)
        decoder = getincrementaldecoder("utf-8")("replace")
        in_calls = False
        for count, (token, logprobs) in enumerate(
            self._tokens(render(messages), temperature, top_p, rng), start=1
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
        self, history: Sequence[Turn], temperature: float, top_p: float, rng: np.random.Generator
    ) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield tokens without end, each with the log-probabilities it was chosen from."""
        vector = self._model.bag.vector(history)
        bag = np.zeros((1, self._model.shape.slots), dtype=np.float32)
        bag[0, vector.slots] = vector.values
        barred = self._barred.copy()
        past: list[KeysValues] = []
        unread = prompt_tokens(self._model.tokenizer, history)
        while True:
            with one_blas_thread():
                logits = self._network.extend(np.array([unread], dtype=np.int32), bag, past)[0]
            logprobs = _log_softmax(np.where(barred, -np.inf, logits))
            token = _choose(logprobs, temperature, top_p, rng)
            yield token, logprobs
            barred[TOOL_CALL] |= token == TOOL_CALL
            past[:] = [(k[:, :, -_REMEMBERED:], v[:, :, -_REMEMBERED:]) for k, v in past]
            unread = [token]

    def _top(self, logprobs: NDArray[np.float64], count: int) -> tuple[tuple[str, float], ...]:
        best = np.argsort(-logprobs, kind="stable")[:count]
        texts = (self._model.tokenizer.bytes_of(int(t)).decode("utf-8", "replace") for t in best)
        return tuple((text, float(logprobs[t])) for text, t in zip(texts, best, strict=True))


def _choose(
    logprobs: NDArray[np.float64], temperature: float, top_p: float, rng: np.random.Generator
) -> int:
    if temperature <= 0:
        return int(logprobs.argmax())
    shares = np.exp(_log_softmax(logprobs / temperature))
    order = np.argsort(-shares, kind="stable")
    before = np.cumsum(shares[order]) - shares[order]
    kept = order[(before < top_p) | (np.arange(len(order)) == 0)]
    return int(rng.choice(kept, p=shares[kept] / shares[kept].sum()))


def _log_softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    shifted = scores.astype(np.float64) - float(scores.max())
    return shifted - np.log(np.exp(shifted).sum())
