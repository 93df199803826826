"""What a training engine is to the local server: the values it is given and the updates it yields.

The server's worker knows only this module, so that an engine for real open-weight checkpoints can
stand in the place of the small built-in one. Nothing here imports a numerical library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from gpt4o_tune.catalog import Method
    from gpt4o_tune.local.grammar import Grammar

FinishReason: TypeAlias = Literal["stop", "length"]
Message: TypeAlias = Mapping[str, object]
"""One chat message in the shape of the Chat Completions API."""


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Hyperparameters as a job asks for them; `"auto"` leaves the choice to the engine."""

    n_epochs: int | Literal["auto"] = "auto"
    batch_size: int | Literal["auto"] = "auto"
    """Rows per optimizer step."""
    learning_rate_multiplier: float | Literal["auto"] = "auto"
    """Factor on the engine's own default learning rate."""
    beta: float | Literal["auto"] = "auto"
    """Weight of staying close to the start; method `dpo` only, as the next three are `reinforcement`'s."""
    compute_multiplier: float | Literal["auto"] = "auto"
    """Factor on the number of answers that are sampled for each prompt."""
    eval_interval: int | Literal["auto"] = "auto"
    """Steps between two evaluations on the validation file."""
    eval_samples: int | Literal["auto"] = "auto"
    """Answers sampled for each validation row."""


@dataclass(frozen=True, slots=True)
class ResolvedHyperparameters:
    """Hyperparameters as the engine runs them; None where the method has no such setting."""

    n_epochs: int
    batch_size: int
    learning_rate_multiplier: float
    beta: float | None = None
    compute_multiplier: float | None = None
    eval_interval: int | None = None
    eval_samples: int | None = None


class Grading(Protocol):
    """Rewards the answers of a reinforcement run."""

    @property
    def name(self) -> str:
        """The name that the grader gives itself."""
        ...

    def reward(self, answer: str, row: Mapping[str, object]) -> float:
        """Judge an answer to a row of the file; equal answers get equal rewards.

        Raises:
            UngradableError: The answer cannot be judged, and counts as worth 0.
        """
        ...


class UngradableError(ValueError):
    """An answer lacks what its grader reads, such as JSON."""


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """One training run."""

    training_file: Path
    """JSONL of rows in the method's format that passed the server's checks."""
    validation_file: Path | None
    output_dir: Path
    """The engine keeps its checkpoints and its resume state below this folder."""
    hyperparameters: Hyperparameters
    seed: int
    base_dir: Path | None = None
    """Folder of an earlier checkpoint of the same engine to continue from."""
    method: Method = "supervised"
    grading: Grading | None = None
    """What rewards answers; method `reinforcement` only."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The plan of the run; always the first update."""

    hyperparameters: ResolvedHyperparameters
    total_steps: int
    parameters: int
    """Number of trained weights."""


@dataclass(frozen=True, slots=True)
class Step:
    """Measurements of one optimizer step.

    A loss is the mean cross entropy in nats per trained token; an accuracy is the share of trained
    tokens that the model's most likely choice gets right. The `valid_*` figures come from one
    sampled validation batch; the `full_valid_*` figures from the whole validation file and stand
    only on the last step of an epoch. Under method `dpo` a loss is the mean of -ln sigmoid(beta times
    margin) a pair, and under `reinforcement` there is none.
    """

    step: int
    """Counts from 1."""
    epoch: int
    """Counts from 1."""
    train_loss: float | None = None
    train_mean_token_accuracy: float | None = None
    valid_loss: float | None = None
    valid_mean_token_accuracy: float | None = None
    full_valid_loss: float | None = None
    full_valid_mean_token_accuracy: float | None = None
    rewards: Mapping[str, float] = field(default_factory=dict[str, float], hash=False)
    """What only `dpo` or `reinforcement` measures, under the names of the API where they are known."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete model on disk, written at each epoch's end; under `reinforcement` at each evaluation."""

    step: int
    epoch: int
    directory: Path
    metrics: Step


@dataclass(frozen=True, slots=True)
class Saved:
    """The resume state on disk covers every update up to this step."""

    step: int


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the job's history, given once."""

    key: str
    text: str


Update: TypeAlias = Resolved | Note | Step | Checkpoint | Saved


@dataclass(frozen=True, slots=True)
class AnswerShape:
    """What an answer may be. Without a grammar anything goes."""

    kind: Literal["text", "calls", "either"] = "either"
    """Whether the model writes text or tool calls, or chooses."""
    text: Grammar | None = None
    """Keeps the text in its format; calls then stand in its place, not after it."""
    calls: Grammar | None = None
    """Keeps tool calls in the form of `gpt4o_tune.local.engines.tool_calls`."""


@dataclass(frozen=True, slots=True)
class Adjustments:
    """Changes of the scores (logits) that tokens are drawn by, by OpenAI's published formula.

    The score of a token falls by `frequency_penalty` for each time that the answer already has it,
    and by `presence_penalty` if it has it at all; then its bias is added.
    """

    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    bias: Mapping[bytes, float] = field(default_factory=dict[bytes, float])
    """By a token's text; an engine without a token of exactly this text leaves it unused."""


UNCHANGED = Adjustments()


@dataclass(frozen=True, slots=True)
class GeneratedToken:
    """One piece of an answer.

    The last token of an answer carries `finish_reason`; its text may be empty. Text is held back
    until it is whole UTF-8, so one token's text may be empty and the next one's longer.
    """

    text: str
    logprob: float
    """Natural logarithm of the token's probability at temperature 1, among the tokens that the
    answer's shape allowed and after the adjustments."""
    top: tuple[tuple[str, float], ...] = ()
    """The most likely tokens at this place with their log-probabilities, best first; fewer than
    asked for where the shape allows fewer."""
    is_tool_call: bool = False
    """True for text that belongs to tool calls; see `gpt4o_tune.local.engines.tool_calls`."""
    finish_reason: FinishReason | None = None


class LanguageModel(Protocol):
    """A trained model, ready to answer."""

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
        """Answer a conversation, token by token.

        Args:
            messages: The conversation so far, of any chat roles.
            max_tokens: Most tokens to yield; the answer then ends with reason `"length"`.
            temperature: 0 picks the most likely token each time, above 0 draws.
            top_p: Draw among the most likely tokens that together hold this probability.
            seed: Repeats a drawn answer; None draws afresh.
            top_logprobs: How many alternatives to report in `GeneratedToken.top`.
            shape: What the answer may be. One that ends with reason `"stop"` matches its grammar.
            adjustments: Penalties and biases.
        """
        ...


class TrainingEngine(Protocol):
    """Trains and loads models of one kind."""

    @property
    def name(self) -> str:
        """Short name under which jobs and checkpoints record their engine."""
        ...

    def train(self, spec: TrainingSpec) -> Iterator[Update]:
        """Train and yield updates in order, beginning with `Resolved`.

        Where `spec.output_dir` holds the state of an interrupted run of the same spec, training
        continues: the first update after `Resolved` follows the saved step. The iterator may be
        closed between any two updates.
        """
        ...

    def load(self, directory: Path) -> LanguageModel:
        """Load the model of a `Checkpoint`."""
        ...
