"""Prepare training data: open it, check it, count and price it, split it.

    >>> from gpt4o_tune.data import Dataset
    >>> data = Dataset.from_jsonl("tickets.jsonl")
    >>> data.check(model="gpt-4o-2024-08-06").raise_for_errors()

What counting, comparing and splitting return is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from gpt4o_tune.data.dataset import Dataset
from gpt4o_tune.data.formats import Format
from gpt4o_tune.data.report import CheckReport, Problem

if TYPE_CHECKING:
    from gpt4o_tune.data.calls import CallRecorder
    from gpt4o_tune.data.cost import CostEstimate
    from gpt4o_tune.data.cost_table import CostTable
    from gpt4o_tune.data.fixing import Change, Fixed
    from gpt4o_tune.data.grader import validate_grader
    from gpt4o_tune.data.preview import Preview
    from gpt4o_tune.data.privacy import Redacted, Redaction
    from gpt4o_tune.data.quality.card import DataCard
    from gpt4o_tune.data.quality.profile import Profile
    from gpt4o_tune.data.quality.screen import ScreenReport
    from gpt4o_tune.data.review import Review
    from gpt4o_tune.data.similarity import OverlapReport
    from gpt4o_tune.data.split import Split
    from gpt4o_tune.data.tokens import TokenReport

__all__ = [
    "CallRecorder",
    "Change",
    "CheckReport",
    "CostEstimate",
    "CostTable",
    "DataCard",
    "Dataset",
    "Fixed",
    "Format",
    "OverlapReport",
    "Preview",
    "Problem",
    "Profile",
    "Redacted",
    "Redaction",
    "Review",
    "ScreenReport",
    "Split",
    "TokenReport",
    "validate_grader",
]

_HOME = {
    "CallRecorder": "calls",
    "Change": "fixing",
    "CostEstimate": "cost",
    "CostTable": "cost_table",
    "DataCard": "quality.card",
    "Fixed": "fixing",
    "OverlapReport": "similarity",
    "Preview": "preview",
    "Profile": "quality.profile",
    "Redacted": "privacy",
    "Redaction": "privacy",
    "Review": "review",
    "ScreenReport": "quality.screen",
    "Split": "split",
    "TokenReport": "tokens",
    "validate_grader": "grader",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
