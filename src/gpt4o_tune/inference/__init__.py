"""Use it: ask a custom model, stream from it, and hold it against others."""

from gpt4o_tune.inference.model import CustomModel

__all__ = ["CustomModel"]
