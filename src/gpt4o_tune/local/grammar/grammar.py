"""Reading text byte by byte against a grammar: what may follow, and whether it may end here.

The reader keeps all ways in which the text so far can be understood, each as a stack of what must
still come. Stacks and states are interned, so that an engine can remember by state which of its
tokens may follow.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.local.grammar.nodes import (
    Either,
    FreeText,
    Joined,
    Node,
    OneOf,
    Repeated,
    Rule,
    heights,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEEPEST = 100
"""Rules within rules; what nests deeper is cut off, as Python's own JSON reader would do later."""
_REMEMBERED = 20_000


class _Frame:
    """What must come next, and what after it."""

    __slots__ = ("depth", "node", "rest")

    def __init__(self, node: Node, rest: _Frame | None, depth: int) -> None:
        self.node = node
        self.rest = rest
        self.depth = depth


class _Waiting(NamedTuple):
    """A way to go on: this byte, then the rest."""

    byte: OneOf
    rest: _Frame | None


class State:
    """Where a text stands in its grammar; equal places are the same object."""

    __slots__ = ("followers", "is_complete", "waiting")

    def __init__(self, waiting: frozenset[_Waiting], *, is_complete: bool) -> None:
        self.waiting = waiting
        self.is_complete = is_complete
        """Whether the text may end here."""
        self.followers: dict[int, State | None] = {}
        """The states after the bytes that were tried so far."""


class Grammar:
    """The texts that an answer may be. Safe to use from several threads.

    Args:
        root: What the whole text must match.
        rules: What the names in `Rule` stand for.

    Raises:
        ValueError: No text matches.
    """

    def __init__(self, root: Node, rules: Mapping[str, Node] | None = None) -> None:
        self._root = root
        self._rules = dict(rules or {})
        self._heights = heights(root, self._rules)
        if self._heights[root] > _DEEPEST:
            raise ValueError("no text matches this grammar")
        self._frames: dict[tuple[Node, _Frame | None, int], _Frame] = {}
        self._states: dict[tuple[frozenset[_Waiting], bool], State] = {}
        self.start = self._state([_Frame(root, None, 0)])

    def step(self, state: State, byte: int) -> State | None:
        """Read one more byte; None where it may not follow."""
        followers = state.followers
        if byte not in followers:
            rests = [way.rest for way in state.waiting if byte in way.byte.allowed]
            followers[byte] = self._state(rests) if rests else None
        return followers[byte]

    def read(self, state: State, text: bytes) -> State | None:
        """Read further bytes; None where they may not follow."""
        for byte in text:
            after = self.step(state, byte)
            if after is None:
                return None
            state = after
        return state

    def example(self, words: str) -> str:
        """Write a short text that matches, with `words` wherever a string is free."""
        return self._written(self._root, json.dumps(words, ensure_ascii=False)[1:-1])

    def _state(self, stacks: list[_Frame | None]) -> State:
        waiting: set[_Waiting] = set()
        seen: set[_Frame | None] = set()
        pending = stacks
        is_complete = False
        while pending:
            frame = pending.pop()
            if frame is None:
                is_complete = True
            elif frame not in seen:
                seen.add(frame)
                if isinstance(frame.node, OneOf):
                    waiting.add(_Waiting(frame.node, frame.rest))
                else:
                    pending += self._opened(frame)
        key = (frozenset(waiting), is_complete)
        if len(self._states) > _REMEMBERED:
            # Readers keep the states that they stand in; the start leads to all others.
            self._states, self._frames = {}, {}
            self.start.followers = {}
        return self._states.setdefault(key, State(key[0], is_complete=is_complete))

    def _opened(self, frame: _Frame) -> list[_Frame | None]:
        """Replace a frame by what it is made of, without the ways that would nest too deep."""
        rest, depth = frame.rest, frame.depth
        match frame.node:
            case Joined():
                for part in reversed(frame.node.parts):
                    rest = self._frame(part, rest, depth)
                return [rest]
            case Either():
                return [
                    self._frame(option, rest, depth)
                    for option in frame.node.options
                    if depth + self._heights[option] <= _DEEPEST
                ]
            case Repeated():
                part = frame.node.part
                if depth + self._heights[part] > _DEEPEST:
                    return [rest]
                return [rest, self._frame(part, self._frame(frame.node, rest, depth), depth)]
            case Rule():
                return [self._frame(self._rules[frame.node.name], rest, depth + 1)]
            case FreeText():
                return [self._frame(frame.node.content, rest, depth)]
            case OneOf():
                return [frame]

    def _frame(self, node: Node, rest: _Frame | None, depth: int) -> _Frame:
        return self._frames.setdefault((node, rest, depth), _Frame(node, rest, depth))

    def _written(self, node: Node, words: str) -> str:
        match node:
            case OneOf():
                return chr(min(node.allowed))
            case Joined():
                if all(isinstance(part, OneOf) for part in node.parts):
                    return _text_of(node)
                return "".join(self._written(part, words) for part in node.parts)
            case Either():
                best = min(node.options, key=lambda option: self._heights.get(option, math.inf))
                return self._written(best, words)
            case Repeated():
                return ""
            case Rule():
                return self._written(self._rules[node.name], words)
            case FreeText():
                return words


def _text_of(node: Joined) -> str:
    parts = (part for part in node.parts if isinstance(part, OneOf))
    return bytes(min(part.allowed) for part in parts).decode()
