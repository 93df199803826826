"""The built-in engine: a small language model, trained from scratch on the user's own rows.

It is a stand-in for a large model, not a substitute: it learns labels, fixed formats and a manner
of speaking from a few hundred rows in seconds on one core, and it knows nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.local.engines.tiny.generation import TinyLanguageModel
from gpt4o_tune.local.engines.tiny.model import TinyModel
from gpt4o_tune.local.engines.tiny.trainer import train

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpt4o_tune.local.engines.protocol import LanguageModel, TrainingSpec, Update

__all__ = ["TinyEngine"]


class TinyEngine:
    """A `TrainingEngine` in plain numpy."""

    name = "tiny"

    def train(self, spec: TrainingSpec) -> Iterator[Update]:
        """Train a model from scratch, or further from `spec.base_dir`."""
        return train(spec)

    def load(self, directory: Path) -> LanguageModel:
        """Load the model of a checkpoint.

        Raises:
            FileNotFoundError: The folder holds no complete model.
            ValueError: The folder was written in a layout that this version does not know.
        """
        return TinyLanguageModel(TinyModel.load(directory))
