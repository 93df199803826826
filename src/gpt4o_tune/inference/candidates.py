"""What can be held against a custom model: a better prompt, examples in the prompt, any pipeline of one's own.

Each of them takes the messages of a row as they stand before its reference answer, and sends something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

from gpt4o_tune._display import plural
from gpt4o_tune.data.similarity import exact_key, prompt_text
from gpt4o_tune.errors import DatasetError
from gpt4o_tune.evaluation import split_row
from gpt4o_tune.inference.retrieval import WordIndex

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping, Sequence

    from gpt4o_tune.data import Dataset
    from gpt4o_tune.inference.model import CustomModel

__all__ = ["Candidate", "FewShot", "Pipeline", "Prompted", "Retrieved"]

Messages: TypeAlias = "Sequence[Mapping[str, object]]"

INSTRUCTIONS = ("system", "developer")


class Answering(Protocol):
    """A pipeline of one's own: from messages to the text of an answer, blocking or asynchronous."""

    def __call__(self, messages: list[dict[str, object]], /) -> str | Awaitable[str]:
        """Answer a conversation."""
        ...


@dataclass(frozen=True)
class Prompted:
    """A model with a system prompt in the place of each row's own.

    Example:
        >>> Prompted("gpt-4o-2024-08-06", system="Answer with one word: delivery, billing or account.")
    """

    model: str | CustomModel
    system: str = field(kw_only=True)
    name: str = field(default="", kw_only=True)
    """What tables call it; where not given, the model's name and `+ prompt`."""

    def __post_init__(self) -> None:
        _settle_name(self, f"{name_of(self.model)} + prompt")

    @property
    def description(self) -> str:
        """How it asks, in a sentence."""
        return (
            f"system prompt of {plural(len(self.system.split()), 'word')} in place of the row's own"
        )

    def messages(self, prompt: Messages) -> list[dict[str, object]]:
        """Give what is sent for these messages."""
        return _instructed(prompt, self.system)


@dataclass(frozen=True)
class _WithExamples:
    model: str | CustomModel
    examples: Dataset = field(kw_only=True, repr=False)
    """Rows to show, such as the training set; each shows its question and its answer."""

    k: int = field(default=5, kw_only=True)
    """How many examples stand in a prompt, at most."""

    system: str | None = field(default=None, kw_only=True)
    """A system prompt in the place of each row's own; None keeps that."""

    name: str = field(default="", kw_only=True)
    """What tables call it; where not given, the model's name and the number of examples."""

    left_out: int = field(default=0, kw_only=True, repr=False)
    """Examples that are like an evaluated row and so were not shown."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k must be at least 1, not {self.k!r}")

    def without(self, rows: Dataset) -> Self:
        """Leave out the examples that are exactly or nearly one of these rows, which would give answers away.

        Raises:
            DatasetError: None would be left.
        """
        alike = self.examples.overlap(rows).rows
        if len(alike) == len(self.examples):
            raise DatasetError(
                f"every example of {self.name!r} is like a row to evaluate on, so it would be shown the"
                " answers; pass rows of the training part as examples"
            )
        return replace(self, examples=self.examples.drop(alike), left_out=len(alike))

    def _shown(self, prompt: Messages, rows: Iterable[int]) -> list[dict[str, object]]:
        sent = list(prompt) if self.system is None else _instructed(prompt, self.system)
        opening = [dict(each) for each in sent if each.get("role") in INSTRUCTIONS]
        asked = [dict(each) for each in sent if each.get("role") not in INSTRUCTIONS]
        shown = [message for row in rows for message in self._shots[row]]
        return [*opening, *shown, *asked]

    @cached_property
    def _shots(self) -> list[list[dict[str, object]]]:
        """Each example as the messages that show it, without its instructions."""
        shots: list[list[dict[str, object]]] = []
        for number, row in enumerate(self.examples.records()):
            try:
                pair = split_row(row)
            except DatasetError as fault:
                raise DatasetError(
                    f"example {number} (counted from 0) of {self.name!r} cannot be shown: {fault}"
                ) from fault
            asked = [each for each in pair.prompt if each.get("role") not in INSTRUCTIONS]
            shots.append([*asked, {"role": "assistant", "content": pair.reference}])
        return shots

    def _leak(self) -> str:
        if not self.left_out:
            return ""
        return f"; {plural(self.left_out, 'example')} like an evaluated row left out"


@dataclass(frozen=True)
class FewShot(_WithExamples):
    """A model that is shown the same few examples before every question.

    The examples are drawn by their content, so rows that are added to a dataset displace few of them.

    Example:
        >>> FewShot("gpt-4o-2024-08-06", examples=train, k=5)
    """

    seed: int = field(default=0, kw_only=True)
    """Another seed draws other examples."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _settle_name(self, f"{name_of(self.model)} + {plural(self.k, 'example')}")

    @property
    def description(self) -> str:
        """How it asks, in a sentence."""
        return (
            f"the same {plural(len(self._chosen), 'example')} before every question{self._leak()}"
        )

    def messages(self, prompt: Messages) -> list[dict[str, object]]:
        """Give what is sent for these messages."""
        return self._shown(prompt, self._chosen)

    @cached_property
    def _chosen(self) -> list[int]:
        salt = str(self.seed).encode()
        order = [
            blake2b(salt + b"\0" + exact_key(row), digest_size=8).digest()
            for row in self.examples.records()
        ]
        return sorted(range(len(order)), key=order.__getitem__)[: self.k]


@dataclass(frozen=True)
class Retrieved(_WithExamples):
    """A model that is shown the examples most like each question, found by their words (BM25).

    The most alike stands last, next to the question. `messages` gives what is sent, for use in production.

    Example:
        >>> Retrieved("gpt-4o-2024-08-06", examples=train, k=5)
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        _settle_name(self, f"{name_of(self.model)} + {self.k} retrieved")

    @property
    def description(self) -> str:
        """How it asks, in a sentence."""
        return (
            f"up to {plural(self.k, 'example')} found for each question among"
            f" {len(self.examples):,} rows{self._leak()}"
        )

    def messages(self, prompt: Messages) -> list[dict[str, object]]:
        """Give what is sent for these messages."""
        words = prompt_text({"messages": list(prompt)}).split()
        return self._shown(prompt, reversed(self._index.search(words, k=self.k)))

    @cached_property
    def _index(self) -> WordIndex:
        return WordIndex([prompt_text(row).split() for row in self.examples.records()])


@dataclass(frozen=True)
class Pipeline:
    """A candidate of your own: any function from messages to the text of an answer.

    Example:
        >>> Pipeline(my_pipeline, name="agent", version="2026-11-20")
    """

    call: Answering
    name: str = field(kw_only=True)
    version: str | None = field(default=None, kw_only=True)
    """What its answers are kept under in a cache; change it when the pipeline changes. None keeps none, since
    a function does not tell what it does."""

    usd_per_call: float | None = field(default=None, kw_only=True)
    """What a call costs on average; None where that is not known."""

    @property
    def description(self) -> str:
        """How it asks, in a sentence."""
        return "a pipeline of your own" + (f", version {self.version}" if self.version else "")


Candidate: TypeAlias = "str | CustomModel | Prompted | FewShot | Retrieved | Pipeline | Answering"
"""What can be evaluated: a model by its name or as a value, one with something in its prompt, or a function."""


def name_of(candidate: Candidate) -> str:
    """Give the name of a candidate in tables."""
    if isinstance(candidate, str):
        return candidate
    name = getattr(candidate, "name", None) or getattr(candidate, "__name__", None)
    if not isinstance(name, str) or name == "<lambda>":
        raise ValueError(f"{candidate!r} has no name; wrap it: Pipeline(function, name=...)")
    return name


def _settle_name(candidate: object, default: str) -> None:
    if not getattr(candidate, "name", None):
        object.__setattr__(candidate, "name", default)


def _instructed(prompt: Messages, system: str) -> list[dict[str, object]]:
    asked = [dict(message) for message in prompt if message.get("role") not in INSTRUCTIONS]
    return [{"role": "system", "content": system}, *asked]
