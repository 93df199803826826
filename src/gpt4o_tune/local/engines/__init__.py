"""Training engines of the local server: one protocol, and the small built-in engine behind it."""

from gpt4o_tune.local.engines.protocol import (
    UNCHANGED,
    Adjustments,
    AnswerShape,
    Checkpoint,
    FinishReason,
    GeneratedToken,
    Hyperparameters,
    LanguageModel,
    Message,
    Resolved,
    ResolvedHyperparameters,
    Saved,
    Step,
    TrainingEngine,
    TrainingSpec,
    Update,
)
from gpt4o_tune.local.engines.recital import recite
from gpt4o_tune.local.engines.tool_calls import ToolCall, parse_tool_calls, render_tool_calls

__all__ = [
    "UNCHANGED",
    "Adjustments",
    "AnswerShape",
    "Checkpoint",
    "FinishReason",
    "GeneratedToken",
    "Hyperparameters",
    "LanguageModel",
    "Message",
    "Resolved",
    "ResolvedHyperparameters",
    "Saved",
    "Step",
    "ToolCall",
    "TrainingEngine",
    "TrainingSpec",
    "Update",
    "parse_tool_calls",
    "recite",
    "render_tool_calls",
]
