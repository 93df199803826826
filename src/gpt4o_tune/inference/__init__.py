"""Use it: ask a custom model once or thousands of times, stream from it, and hold it against others."""

from gpt4o_tune.inference.model import CustomModel
from gpt4o_tune.inference.results import MapAnswer, MapResult
from gpt4o_tune.inference.usage import Usage

__all__ = ["CustomModel", "MapAnswer", "MapResult", "Usage"]
