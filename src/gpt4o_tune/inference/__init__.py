"""Use it: ask a custom model, stream from it, and hold it against others."""

from gpt4o_tune.inference.candidates import Candidate, FewShot, Pipeline, Prompted, Retrieved
from gpt4o_tune.inference.evaluating import compare, compare_async, evaluate, evaluate_async
from gpt4o_tune.inference.model import CustomModel

__all__ = [
    "Candidate",
    "CustomModel",
    "FewShot",
    "Pipeline",
    "Prompted",
    "Retrieved",
    "compare",
    "compare_async",
    "evaluate",
    "evaluate_async",
]
