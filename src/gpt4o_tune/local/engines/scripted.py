"""An engine that trains nothing: its losses follow a formula, its models repeat the training rows.

It serves tests of programs that start and watch jobs. What it reports measures nothing, and the job's
first event says so.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from gpt4o_tune.local.engines.protocol import (
    UNCHANGED,
    Adjustments,
    Checkpoint,
    Hyperparameters,
    Resolved,
    ResolvedHyperparameters,
    Saved,
    Step,
    TrainingSpec,
    Update,
)
from gpt4o_tune.local.engines.recital import recite
from gpt4o_tune.local.engines.tool_calls import render_tool_calls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from gpt4o_tune.local.engines.protocol import AnswerShape, GeneratedToken, Message

_AUTO_EPOCHS = 3
_AUTO_STEPS_PER_EPOCH = 8
_FIRST_LOSS, _LAST_LOSS, _VALIDATION_GAP = 2.0, 0.4, 0.1
_SPEED = 4.0
"""How often the loss above its last value falls to 1/e in one training."""
_STATE, _REPLIES = "scripted.json", "replies.json"
_UNKNOWN = "This is a scripted answer: no training row asks this question."


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedEngine:
    """Walks through the steps of a training with losses that are given or follow a formula."""

    train_loss: Sequence[float] = ()
    """Training losses at even distances from the first step to the last, with straight lines between
    them; empty for a curve that falls from 2 to 0.4."""
    valid_loss: Sequence[float] = ()
    """Likewise for validation; empty for the training loss and 0.1 more."""

    @property
    def name(self) -> str:
        """Short name under which jobs and checkpoints record their engine."""
        return "scripted"

    def train(self, spec: TrainingSpec) -> Iterator[Update]:
        """Yield each step, a checkpoint an epoch, and `Saved` after every step."""
        rows = _read(spec.training_file)
        replies = _replies(rows)
        chosen = _resolve(spec.hyperparameters, len(rows))
        steps_per_epoch = -(-len(rows) // chosen.batch_size)
        total = steps_per_epoch * chosen.n_epochs
        yield Resolved(hyperparameters=chosen, total_steps=total, parameters=0)
        state = spec.output_dir / _STATE
        first = int(json.loads(state.read_text("utf-8"))) + 1 if state.exists() else 1
        for number in range(first, total + 1):
            is_epoch_end = number % steps_per_epoch == 0
            step = self._step(
                number,
                total,
                epoch=-(-number // steps_per_epoch),
                is_validated=spec.validation_file is not None,
                is_epoch_end=is_epoch_end,
            )
            yield step
            if is_epoch_end:
                folder = spec.output_dir / f"checkpoint-{number}"
                folder.mkdir(exist_ok=True)
                (folder / _REPLIES).write_text(json.dumps(replies), "utf-8")
                yield Checkpoint(step=number, epoch=step.epoch, directory=folder, metrics=step)
            state.write_text(json.dumps(number), "utf-8")
            yield Saved(step=number)

    def load(self, directory: Path) -> ScriptedModel:
        """Load the model of a checkpoint."""
        text = (directory / _REPLIES).read_text("utf-8")
        return ScriptedModel(cast("dict[str, list[str]]", json.loads(text)))

    def _step(
        self, number: int, total: int, *, epoch: int, is_validated: bool, is_epoch_end: bool
    ) -> Step:
        part = (number - 1) / max(1, total - 1)
        train = _between(self.train_loss, part) if self.train_loss else _fall(part)
        valid = _between(self.valid_loss, part) if self.valid_loss else train + _VALIDATION_GAP
        sampled = valid if is_validated else None
        full = sampled if is_epoch_end else None
        return Step(
            step=number,
            epoch=epoch,
            train_loss=train,
            train_mean_token_accuracy=math.exp(-train),
            valid_loss=sampled,
            valid_mean_token_accuracy=None if sampled is None else math.exp(-sampled),
            full_valid_loss=full,
            full_valid_mean_token_accuracy=None if full is None else math.exp(-full),
        )


class ScriptedModel:
    """Answers a question that a training row asks with that row's answer."""

    def __init__(self, replies: Mapping[str, Sequence[str]]) -> None:
        self._replies = replies

    def generate(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int = 256,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int | None = None,
        top_logprobs: int = 0,
        shape: AnswerShape | None = None,
        adjustments: Adjustments = UNCHANGED,
    ) -> Iterator[GeneratedToken]:
        """Yield the answer word by word; only `max_tokens` and `shape` change anything."""
        text, kind = self._replies.get(_question(messages), (_UNKNOWN, "text"))
        return recite(
            text,
            max_tokens=max_tokens,
            top_logprobs=top_logprobs,
            is_tool_call=kind == "call",
            shape=shape,
        )


def _resolve(asked: Hyperparameters, rows: int) -> ResolvedHyperparameters:
    batch_size, multiplier = asked.batch_size, asked.learning_rate_multiplier
    return ResolvedHyperparameters(
        n_epochs=_AUTO_EPOCHS if asked.n_epochs == "auto" else asked.n_epochs,
        batch_size=-(-rows // _AUTO_STEPS_PER_EPOCH) if batch_size == "auto" else batch_size,
        learning_rate_multiplier=1.0 if multiplier == "auto" else float(multiplier),
    )


def _read(training_file: Path) -> list[list[Message]]:
    with training_file.open(encoding="utf-8-sig") as lines:
        return [json.loads(line)["messages"] for line in lines if line.strip()]


def _replies(rows: Sequence[Sequence[Message]]) -> dict[str, tuple[str, str]]:
    """Map the question of each row to its last answer and what that is, `text` or `call`."""
    replies: dict[str, tuple[str, str]] = {}
    for messages in rows:
        calls, content = render_tool_calls(messages[-1]), messages[-1].get("content")
        if calls:
            replies[_question(messages)] = (calls, "call")
        elif isinstance(content, str):
            replies[_question(messages)] = (content, "text")
    return replies


def _question(messages: Sequence[Message]) -> str:
    asked = [message.get("content") for message in messages if message.get("role") == "user"]
    return json.dumps(asked[-1] if asked else None, sort_keys=True)


def _fall(part: float) -> float:
    return _LAST_LOSS + (_FIRST_LOSS - _LAST_LOSS) * math.exp(-_SPEED * part)


def _between(points: Sequence[float], part: float) -> float:
    """Read a curve through evenly spaced points at a place from 0 to 1."""
    place = part * (len(points) - 1)
    left = min(int(place), max(0, len(points) - 2))
    right = min(left + 1, len(points) - 1)
    return points[left] + (points[right] - points[left]) * (place - left)
