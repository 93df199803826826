"""Use it: ask a custom model, stream from it, record it, and hold it against others."""

from gpt4o_tune.inference.asking_again import parity, parity_async
from gpt4o_tune.inference.model import CustomModel

__all__ = ["CustomModel", "parity", "parity_async"]
