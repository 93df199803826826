"""The door to training: which method a spec asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.local.engines.tiny.loop import pursue
from gpt4o_tune.local.engines.tiny.preferences import Preferences
from gpt4o_tune.local.engines.tiny.reinforcement import Reinforcement
from gpt4o_tune.local.engines.tiny.supervised import Supervised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune.local.engines.protocol import TrainingSpec, Update
    from gpt4o_tune.local.engines.tiny.loop import TrainingMethod


def train(spec: TrainingSpec) -> Iterator[Update]:
    """Train as `TrainingEngine.train` describes.

    Raises:
        ValueError: The training file has nothing to learn, the output folder holds the state of another
            run, or the spec lacks what its method needs.
    """
    yield from pursue(_prepared(spec))


def _prepared(spec: TrainingSpec) -> TrainingMethod:
    match spec.method:
        case "supervised":
            return Supervised.prepare(spec)
        case "dpo":
            return Preferences.prepare(spec)
        case "reinforcement":
            return Reinforcement.prepare(spec)
