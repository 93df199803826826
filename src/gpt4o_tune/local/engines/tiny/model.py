"""A tiny model as a value: tokenizer, bag and weights, and the folder that holds them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt4o_tune.local.engines.tiny import storage
from gpt4o_tune.local.engines.tiny.bag import Bag
from gpt4o_tune.local.engines.tiny.network import Shape, initial_weights, named
from gpt4o_tune.local.engines.tiny.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gpt4o_tune.local.engines.tiny.rendering import Turn

FORMAT = 1
"""Version of the folder's layout and of the meaning of the weights."""


@dataclass(frozen=True, slots=True)
class TinyModel:
    """Everything that an answer depends on."""

    tokenizer: Tokenizer
    bag: Bag
    shape: Shape
    weights: NDArray[np.float32]
    """All weights, flat; `network.named` gives the matrices."""

    @classmethod
    def create(cls, conversations: Sequence[Sequence[Turn]], *, seed: Sequence[int]) -> TinyModel:
        """Learn a tokenizer and a bag from training rows, and draw initial weights."""
        tokenizer = Tokenizer.learn(conversations)
        bag = Bag.learn(
            turns[:index]
            for turns in conversations
            for index, turn in enumerate(turns)
            if turn.trained
        )
        shape = Shape(vocabulary=tokenizer.size, slots=len(bag.buckets))
        weights = initial_weights(shape, np.random.default_rng(seed))
        return cls(tokenizer=tokenizer, bag=bag, shape=shape, weights=weights)

    def save(self, directory: Path) -> None:
        """Write the model to a folder; `model.json` comes last and marks it as complete."""
        matrices = named(self.shape, self.weights)
        storage.write_arrays(
            directory / "weights.npz",
            {**matrices, "buckets": self.bag.buckets, "rarities": self.bag.rarities},
        )
        storage.write_json(
            directory / "tokenizer.json",
            {"merges": self.tokenizer.merges, "phrases": self.tokenizer.phrases},
        )
        storage.write_json(
            directory / "model.json", {"format": FORMAT, "shape": asdict(self.shape)}
        )

    @classmethod
    def load(cls, directory: Path) -> TinyModel:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: The folder holds no complete model.
            ValueError: The folder was written in a layout that this version does not know.
        """
        description: dict[str, Any] = storage.read_json(directory / "model.json")
        if description["format"] != FORMAT:
            raise ValueError(
                f"{str(directory)!r} has model format {description['format']!r} but this version "
                f"reads format {FORMAT}; train the model again"
            )
        shape = Shape(**description["shape"])
        vocabulary: dict[str, Any] = storage.read_json(directory / "tokenizer.json")
        arrays = storage.read_arrays(directory / "weights.npz")
        weights = [arrays[name].ravel().astype(np.float32) for name in shape.weights()]
        return cls(
            tokenizer=Tokenizer(
                merges=tuple((left, right) for left, right in vocabulary["merges"]),
                phrases=tuple(vocabulary["phrases"]),
            ),
            bag=Bag(
                buckets=arrays["buckets"].astype(np.int32),
                rarities=arrays["rarities"].astype(np.float32),
            ),
            shape=shape,
            weights=np.concatenate(weights),
        )
