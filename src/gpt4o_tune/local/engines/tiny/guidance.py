"""Which tokens may come next in an answer that has to keep a shape."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from gpt4o_tune.local.engines.tiny.tokenizer import END, TOOL_CALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gpt4o_tune.local.engines.protocol import AnswerShape
    from gpt4o_tune.local.grammar import Grammar, State

_REMEMBERED = 4096
"""Masks kept for each grammar, a byte a token each."""


class _Branch:
    """The tokens that begin with the same bytes."""

    __slots__ = ("branches", "tokens")

    def __init__(self) -> None:
        self.branches: dict[int, _Branch] = {}
        self.tokens: list[int] = []
        """Tokens that are these bytes and no more."""


class Vocabulary:
    """The texts of all tokens, and the masks over them; safe to use from several threads.

    Args:
        texts: The bytes of each token, empty for those that have no text.
    """

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._texts = texts
        self._masks: WeakKeyDictionary[Grammar, dict[State, NDArray[np.bool_]]] = (
            WeakKeyDictionary()
        )
        self._root = _Branch()
        for token, text in enumerate(texts):
            branch = self._root
            for byte in text:
                branch = branch.branches.setdefault(byte, _Branch())
            if text:
                branch.tokens.append(token)
        self.written = np.array([bool(text) for text in texts])
        """Which tokens have a text."""

    def text(self, token: int) -> bytes:
        """The bytes of a token."""
        return self._texts[token]

    def tokens(self, text: bytes) -> Sequence[int]:
        """The tokens with exactly this text."""
        branch: _Branch | None = self._root
        for byte in text:
            branch = branch.branches.get(byte)
            if branch is None:
                return ()
        return branch.tokens

    def mask(self, grammar: Grammar, state: State) -> NDArray[np.bool_]:
        """Which tokens may follow in a state of the grammar; the end is left to the caller."""
        masks = self._masks.setdefault(grammar, {})
        mask = masks.get(state)
        if mask is None:
            if len(masks) >= _REMEMBERED:
                masks.clear()
            mask = masks[state] = self._compute(grammar, state)
        return mask

    def _compute(self, grammar: Grammar, state: State) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._texts), dtype=np.bool_)
        pending = [(self._root, state)]
        while pending:
            branch, reached = pending.pop()
            mask[branch.tokens] = True
            for byte, below in branch.branches.items():
                after = grammar.step(reached, byte)
                if after is not None:
                    pending.append((below, after))
        return mask


class Guidance:
    """Follows one answer through its shape."""

    def __init__(self, vocabulary: Vocabulary, shape: AnswerShape) -> None:
        self._vocabulary = vocabulary
        self._shape = shape
        self._grammar = shape.text
        self._state = shape.text and shape.text.start
        self._has_begun = False
        self._in_calls = False

    def allowed(self) -> NDArray[np.bool_]:
        """Which tokens may come next."""
        if self._grammar is None or self._state is None:
            mask = self._vocabulary.written.copy()
            mask[END] = True
        else:
            mask = self._vocabulary.mask(self._grammar, self._state).copy()
            mask[END] = self._state.is_complete
        mask[TOOL_CALL] = self._may_begin_calls()
        if self._shape.kind == "calls" and not self._in_calls:
            mask[:TOOL_CALL] = mask[TOOL_CALL + 1 :] = False
        return mask

    def take(self, token: int) -> None:
        """Note that a token was drawn."""
        self._has_begun = True
        if token == TOOL_CALL:
            self._in_calls = True
            self._grammar = self._shape.calls
            self._state = self._shape.calls and self._shape.calls.start
        elif self._grammar is not None and self._state is not None:
            self._state = self._grammar.read(self._state, self._vocabulary.text(token))

    def _may_begin_calls(self) -> bool:
        if self._in_calls or self._shape.kind == "text":
            return False
        return self._shape.text is None or not self._has_begun
