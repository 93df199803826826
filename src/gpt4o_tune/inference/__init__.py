"""Use it: ask a custom model, stream from it, and hold it against others."""

from gpt4o_tune.inference.candidates import Candidate, FewShot, Pipeline, Prompted, Retrieved
from gpt4o_tune.inference.checkpoint_ranking import (
    CheckpointLike,
    CheckpointRanking,
    JobLike,
    evaluate_checkpoints,
    evaluate_checkpoints_async,
)
from gpt4o_tune.inference.evaluating import compare, compare_async, evaluate, evaluate_async
from gpt4o_tune.inference.guarding import guard, guard_async
from gpt4o_tune.inference.model import CustomModel

__all__ = [
    "Candidate",
    "CheckpointLike",
    "CheckpointRanking",
    "CustomModel",
    "FewShot",
    "JobLike",
    "Pipeline",
    "Prompted",
    "Retrieved",
    "compare",
    "compare_async",
    "evaluate",
    "evaluate_async",
    "evaluate_checkpoints",
    "evaluate_checkpoints_async",
    "guard",
    "guard_async",
]
