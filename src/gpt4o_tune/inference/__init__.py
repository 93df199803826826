"""Use it: ask a custom model once or thousands of times, keep it, and hold it against others."""

from gpt4o_tune.inference.asking_again import parity, parity_async
from gpt4o_tune.inference.batch import BatchCounts, BatchRun
from gpt4o_tune.inference.candidates import Candidate, FewShot, Pipeline, Prompted, Retrieved
from gpt4o_tune.inference.checkpoint_ranking import (
    CheckpointLike,
    CheckpointRanking,
    JobLike,
    evaluate_checkpoints,
    evaluate_checkpoints_async,
)
from gpt4o_tune.inference.end_dates import NEAR_DAYS, EndDate
from gpt4o_tune.inference.evaluating import compare, compare_async, evaluate, evaluate_async
from gpt4o_tune.inference.guarding import guard, guard_async
from gpt4o_tune.inference.inventory import FineTunedModel, Inventory
from gpt4o_tune.inference.model import CustomModel
from gpt4o_tune.inference.results import MapAnswer, MapResult
from gpt4o_tune.inference.usage import Usage

__all__ = [
    "NEAR_DAYS",
    "BatchCounts",
    "BatchRun",
    "Candidate",
    "CheckpointLike",
    "CheckpointRanking",
    "CustomModel",
    "EndDate",
    "FewShot",
    "FineTunedModel",
    "Inventory",
    "JobLike",
    "MapAnswer",
    "MapResult",
    "Pipeline",
    "Prompted",
    "Retrieved",
    "Usage",
    "compare",
    "compare_async",
    "evaluate",
    "evaluate_async",
    "evaluate_checkpoints",
    "evaluate_checkpoints_async",
    "guard",
    "guard_async",
    "parity",
    "parity_async",
]
