"""Use it: ask a custom model once or thousands of times, keep it, and hold it against others."""

from gpt4o_tune.inference.batch import BatchCounts, BatchRun
from gpt4o_tune.inference.end_dates import NEAR_DAYS, EndDate
from gpt4o_tune.inference.inventory import FineTunedModel, Inventory
from gpt4o_tune.inference.model import CustomModel
from gpt4o_tune.inference.results import MapAnswer, MapResult
from gpt4o_tune.inference.usage import Usage

__all__ = [
    "NEAR_DAYS",
    "BatchCounts",
    "BatchRun",
    "CustomModel",
    "EndDate",
    "FineTunedModel",
    "Inventory",
    "MapAnswer",
    "MapResult",
    "Usage",
]
