"""Foreign forms of training data: one module each, pure functions from a record to a row and back.

`Dataset.read` and `Dataset.export` are the verbs; `docs/reference/forms.md` says what each form holds.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Form", "Target"]

Form: TypeAlias = Literal[
    "openai",
    "alpaca",
    "sharegpt",
    "prompt-completion",
    "trl",
    "trl-preference",
    "openai-batch",
    "openai-stored",
    "anthropic",
]
"""A form that `Dataset.read` knows."""

Target: TypeAlias = Literal[
    "trl",
    "trl-preference",
    "axolotl",
    "llama-factory",
    "mistral",
    "together",
    "alpaca",
    "sharegpt",
]
"""A form that `Dataset.export` writes."""
