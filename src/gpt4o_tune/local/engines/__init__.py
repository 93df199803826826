"""Training engines of the local server: one protocol, and the small built-in engine behind it."""

from gpt4o_tune.local.engines.protocol import (
    Checkpoint,
    FinishReason,
    GeneratedToken,
    Grading,
    Hyperparameters,
    LanguageModel,
    Message,
    Note,
    Resolved,
    ResolvedHyperparameters,
    Saved,
    Step,
    TrainingEngine,
    TrainingSpec,
    UngradableError,
    Update,
)
from gpt4o_tune.local.engines.tool_calls import ToolCall, parse_tool_calls, render_tool_calls

__all__ = [
    "Checkpoint",
    "FinishReason",
    "GeneratedToken",
    "Grading",
    "Hyperparameters",
    "LanguageModel",
    "Message",
    "Note",
    "Resolved",
    "ResolvedHyperparameters",
    "Saved",
    "Step",
    "ToolCall",
    "TrainingEngine",
    "TrainingSpec",
    "UngradableError",
    "Update",
    "parse_tool_calls",
    "render_tool_calls",
]
