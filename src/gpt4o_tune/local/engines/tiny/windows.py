"""Training windows: each stretch of a reply to learn, with the tokens before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gpt4o_tune.local.engines.tiny.tokenizer import FIRST_BYTE, UNKNOWN, Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from gpt4o_tune.local.engines.tiny.bag import Bag, SparseVector
    from gpt4o_tune.local.engines.tiny.rendering import Turn

CONTEXT = 128
"""Most tokens before the stretch that the model sees."""
STRETCH = 128
"""Most tokens of a reply in one window; a longer reply becomes several windows."""
BATCH_TOKENS = 4096
"""Most tokens, padding included, that go through the network at once; it bounds memory."""

WORD_DROPOUT = 0.3
"""Share of the words of a prompt that training hides from the transformer."""
BAG_DROPOUT = 0.3
"""Share of the features of a conversation that training hides from the bag."""


@dataclass(frozen=True, slots=True)
class Window:
    """One training example."""

    tokens: NDArray[np.int32]
    """Context and stretch."""
    start: int
    """Where the stretch begins: the first token that the loss counts."""
    bag: SparseVector


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows side by side, padded at their ends; shapes as in `network`."""

    tokens: NDArray[np.int32]
    """(B, T) inputs: each window without its last token."""
    bag: NDArray[np.float32]
    """(B, F)"""
    rows: NDArray[np.int32]
    """(N,) window of each target."""
    places: NDArray[np.int32]
    """(N,) input place that predicts each target."""
    targets: NDArray[np.int32]
    """(N,) tokens to predict."""
    prompt: NDArray[np.bool_]
    """(B, T) inputs that stand before the stretch and are ordinary text."""


def prompt_tokens(tokenizer: Tokenizer, history: Sequence[Turn]) -> list[int]:
    """Encode the conversation before a reply, cut to the last `CONTEXT` tokens."""
    tokens = [token for turn in history for token in tokenizer.encode_turn(turn)]
    return [*tokens[1 - CONTEXT :], tokenizer.role("assistant")]


def cut_windows(tokenizer: Tokenizer, bag: Bag, turns: Sequence[Turn]) -> list[Window]:
    """Cut the windows of one row, one or more for each trained reply."""
    windows: list[Window] = []
    for index, turn in enumerate(turns):
        if not turn.trained:
            continue
        history = turns[:index]
        prompt = prompt_tokens(tokenizer, history)
        tokens = [*prompt, *tokenizer.encode_body(turn)]
        vector = bag.vector(history)
        for start in range(len(prompt), len(tokens), STRETCH):
            first = max(0, start - CONTEXT)
            stretch = np.array(tokens[first : start + STRETCH], dtype=np.int32)
            windows.append(Window(tokens=stretch, start=start - first, bag=vector))
    return windows


def batches(windows: Sequence[Window], slots: int) -> Iterator[Batch]:
    """Group windows of like length into batches of at most `BATCH_TOKENS` tokens."""
    for group in grouped([(window,) for window in windows]):
        yield batch_of([windows[index] for index in group], slots)


def grouped(items: Sequence[Sequence[Window]]) -> Iterator[list[int]]:
    """Group the places of items of like length; an item's windows are never parted.

    Side by side, the windows of a group have at most `BATCH_TOKENS` tokens, or belong to one item.
    """
    longest = [max((len(window.tokens) for window in windows), default=0) for windows in items]
    group: list[int] = []
    count = 0
    for index in sorted(range(len(items)), key=longest.__getitem__):
        if group and (count + len(items[index])) * longest[index] > BATCH_TOKENS:
            yield group
            group, count = [], 0
        group.append(index)
        count += len(items[index])
    if group:
        yield group


def batch_of(windows: Sequence[Window], slots: int) -> Batch:
    """Lay windows side by side, in their order."""
    tokens = np.zeros((len(windows), max(len(w.tokens) for w in windows) - 1), dtype=np.int32)
    bag = np.zeros((len(windows), slots), dtype=np.float32)
    for row, window in enumerate(windows):
        tokens[row, : len(window.tokens) - 1] = window.tokens[:-1]
        bag[row, window.bag.slots] = window.bag.values
    starts = np.array([window.start for window in windows])
    sizes = [len(window.tokens) - window.start for window in windows]
    places = [np.arange(w.start - 1, len(w.tokens) - 1, dtype=np.int32) for w in windows]
    return Batch(
        tokens=tokens,
        bag=bag,
        rows=np.repeat(np.arange(len(windows), dtype=np.int32), sizes),
        places=np.concatenate(places),
        targets=np.concatenate([window.tokens[window.start :] for window in windows]),
        prompt=(np.arange(tokens.shape[1]) < starts[:, None]) & (tokens >= FIRST_BYTE),
    )


def disturb(batch: Batch, rng: np.random.Generator) -> Batch:
    """Leave out words and bag features at random, so that no single one of them is leant on."""
    dropped = rng.random(batch.tokens.shape, dtype=np.float32) < WORD_DROPOUT
    kept = rng.random(batch.bag.shape, dtype=np.float32) >= BAG_DROPOUT
    return replace(
        batch,
        tokens=np.where(dropped & batch.prompt, np.int32(UNKNOWN), batch.tokens),
        bag=batch.bag * kept * np.float32(1 / (1 - BAG_DROPOUT)),
    )
