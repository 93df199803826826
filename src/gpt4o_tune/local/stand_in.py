"""What trains and answers here in the place of the real models, and the words that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpt4o_tune.local.engines import TrainingEngine

ENGINE = "tiny"
"""The engine of new jobs."""
SCRIPTED = "scripted"
"""The engine of the service for tests, which does not train."""
HEADER = "x-gpt4o-tune-stand-in"
"""Response header that names the engine."""


def load_engine(name: str) -> TrainingEngine:
    """Import an engine and the numerical library below it.

    Raises:
        ValueError: No engine has this name.
    """
    if name == ENGINE:
        from gpt4o_tune.local.engines.tiny import TinyEngine

        return TinyEngine()
    if name == SCRIPTED:
        from gpt4o_tune.local.engines.scripted import ScriptedEngine

        return ScriptedEngine()
    known = f"{ENGINE!r} and {SCRIPTED!r}"
    raise ValueError(f"unknown training engine {name!r}; this version has {known}")


def training_notice(model: str, engine: str) -> str:
    """Say in a job's history what is being trained."""
    if engine == SCRIPTED:
        return (
            f"This is a scripted job of a service for tests: nothing is trained, neither {model} nor "
            "a stand-in. Its losses follow a formula and measure nothing."
        )
    return (
        f"This is the local stand-in: a small {engine!r} model trains on this machine, not {model}. "
        "Its losses and answers are its own and predict neither the quality nor the cost of the "
        "real model."
    )


def untrained_answer(model: str) -> str:
    """What the stand-in of a base model answers to everything."""
    return (
        f"This is the local stand-in for {model}. It has learnt nothing yet: fine-tune it, "
        "then ask the custom model."
    )
