"""`Recording`: what a model answered, kept for the day on which it no longer does."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, cast

from gpt4o_tune._display import html_table, html_text, plural, shorten, table
from gpt4o_tune.evaluation.graders.grader import Sample

if TYPE_CHECKING:
    import datetime as dt
    import os
    from collections.abc import Mapping
    from pathlib import Path

    from gpt4o_tune.catalog import ProviderKind
    from gpt4o_tune.data import Dataset

__all__ = ["RecordedAnswer", "RecordedPrompt", "Recording", "TokenLogprob"]

log = logging.getLogger("gpt4o_tune")

_SHOWN = 5
_WHOLE = ("stop", "tool_calls", "function_call", None)
"""Reasons to end that leave an answer whole; some services name none."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of an answer, and how sure the model was of it."""

    token: str
    logprob: float
    """Natural logarithm of the probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAnswer:
    """One answer as the service gave it, or why there is none."""

    text: str | None = None
    tool_calls: tuple[Mapping[str, object], ...] = field(default=(), hash=False)
    """In the form of the chat endpoint."""
    refusal: str | None = None
    """The service's own field; a refusal in plain words stands in `text`."""
    error: str | None = None
    """Why there is no answer: a failed call."""
    finish_reason: str | None = None
    system_fingerprint: str | None = None
    """The service's name for the set-up that answered; where it changes, answers may."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    """Token by token; None where the service offers none."""
    latency_seconds: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is an answer that was neither cut off nor refused by the service."""
        said = self.text or self.tool_calls
        return bool(said) and self.error is None and self.finish_reason in _WHOLE

    @property
    def sample(self) -> Sample:
        """The answer as graders see it."""
        return Sample(self.text or "", self.tool_calls)

    @property
    def message(self) -> dict[str, object]:
        """The answer as the assistant's message of a training row."""
        message: dict[str, object] = {"role": "assistant"}
        if self.text or not self.tool_calls:
            message["content"] = self.text or ""
        if self.tool_calls:
            message["tool_calls"] = [dict(call) for call in self.tool_calls]
        return message

    def to_dict(self) -> dict[str, object]:
        """Give what is known as plain values; log-probabilities as pairs."""
        values = {
            item.name: value
            for item in dataclasses.fields(self)
            if (value := getattr(self, item.name)) not in (None, ())
        }
        if self.tool_calls:
            values["tool_calls"] = [dict(call) for call in self.tool_calls]
        if self.logprobs is not None:
            values["logprobs"] = [[each.token, each.logprob] for each in self.logprobs]
        return values

    def __str__(self) -> str:
        if self.error is not None:
            return f"({self.error})"
        if self.tool_calls:
            calls = [call.get("function") for call in self.tool_calls]
            return json.dumps(calls, ensure_ascii=False)
        return self.text or self.refusal or ""

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Read what `to_dict` gives."""
        known = {item.name for item in dataclasses.fields(cls)}
        fields = {name: value for name, value in values.items() if name in known}
        calls = cast("list[Mapping[str, object]]", fields.pop("tool_calls", ()))
        pairs = cast("list[tuple[str, float]] | None", fields.pop("logprobs", None))
        return cls(
            tool_calls=tuple(calls),
            logprobs=None if pairs is None else tuple(TokenLogprob(*pair) for pair in pairs),
            **fields,  # type: ignore[arg-type]  # the file was written by `to_dict`, under a fingerprint
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPrompt:
    """One conversation, what it should be answered, and what it was answered."""

    messages: tuple[Mapping[str, object], ...] = field(hash=False)
    """What was sent."""
    fields: Mapping[str, object] = field(default_factory=dict[str, object], hash=False)
    """What the row itself adds to the request, such as its tools."""
    reference: Mapping[str, object] | None = field(default=None, hash=False)
    """The row's last assistant message, which was not sent; None where there was none."""
    answers: tuple[RecordedAnswer, ...] = ()
    """One for each sample; the first is the one that counts where only one can."""

    @property
    def question(self) -> str:
        """The text of the last message that was sent."""
        content = self.messages[-1].get("content")
        return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)

    @property
    def row(self) -> dict[str, object]:
        """The training row that it came from."""
        return self.answered(self.reference)

    def answered(self, answer: Mapping[str, object] | None) -> dict[str, object]:
        """Make a training row of the prompt and an assistant's message."""
        ending = [] if answer is None else [dict(answer)]
        return {"messages": [*map(dict, self.messages), *ending], **self.fields}

    def asked(self) -> dict[str, object]:
        """Give everything but the answers as plain values."""
        values: dict[str, object] = {"messages": [dict(each) for each in self.messages]}
        if self.fields:
            values["fields"] = dict(self.fields)
        if self.reference is not None:
            values["reference"] = dict(self.reference)
        return values


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Recording:
    """What one model answered to a list of prompts, frozen. `CustomModel.record` makes one.

    Example:
        >>> recording = model.record(heldout, path="old.jsonl", samples=3)
        >>> print(Recording.load("old.jsonl").to_dataset())
    """

    model: str
    provider: ProviderKind
    base_url: str
    """Where it answered; holds no key."""
    recorded_at: dt.datetime
    """When the first prompt was asked, in UTC."""
    parameters: Mapping[str, object] = field(hash=False)
    """Fields of the chat request that all prompts shared."""
    samples: int
    """How often each prompt was asked."""
    prompts: tuple[RecordedPrompt, ...]
    library: str
    """The release of this library that asked."""

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def about(self) -> dict[str, object]:
        """Give everything but the prompts as plain values."""
        return {
            "model": self.model,
            "provider": self.provider,
            "base_url": self.base_url,
            "recorded_at": self.recorded_at.isoformat(),
            "parameters": dict(self.parameters),
            "samples": self.samples,
            "prompts": len(self.prompts),
            "library": self.library,
        }

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, over everything: facts, prompts and answers, in canonical JSON."""
        parts = {
            "about": self.about,
            "prompts": [
                {**each.asked(), "answers": [answer.to_dict() for answer in each.answers]}
                for each in self.prompts
            ],
        }
        canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def failed(self) -> tuple[int, ...]:
        """Row numbers of which no sample was answered."""
        return tuple(
            row
            for row, each in enumerate(self.prompts)
            if all(answer.error is not None for answer in each.answers)
        )

    @property
    def has_logprobs(self) -> bool:
        """Whether any answer came with log-probabilities."""
        return any(answer.logprobs for each in self.prompts for answer in each.answers)

    def to_dataset(self) -> Dataset:
        """Make training rows of the prompts and the first whole answer to each.

        Prompts without one are left out: the call failed, or the answer was cut off or withheld. A warning
        in the log counts them.
        """
        from gpt4o_tune.data import Dataset

        rows: list[dict[str, object]] = []
        for each in self.prompts:
            whole = next((answer for answer in each.answers if answer.is_whole), None)
            if whole is not None:
                rows.append(each.answered(whole.message))
        if len(rows) < len(self):
            log.warning(
                "%s of %d have no whole answer and give no row",
                plural(len(self) - len(rows), "prompt"),
                len(self),
            )
        return Dataset.from_records(rows, format="chat")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as JSON lines with its fingerprint, whole or not at all.

        Raises:
            DatasetNotFoundError: The folder does not exist.
        """
        from gpt4o_tune.evaluation._recording_file import write

        return write(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, unfinished: bool = False) -> Recording:
        """Read a recording and verify its fingerprint.

        Args:
            path: The file.
            unfinished: Accept one that was cut off; what was not asked then has an error that says so.

        Raises:
            DatasetNotFoundError: There is no readable file.
            DatasetError: The file is no recording, was cut off, or was changed since it was written.
        """
        from gpt4o_tune.evaluation._recording_file import read

        return read(path, unfinished=unfinished)

    def _facts(self) -> list[str]:
        answers = [answer for each in self.prompts for answer in each.answers]
        tokens = [answer.completion_tokens for answer in answers if answer.completion_tokens]
        prints = {answer.system_fingerprint for answer in answers} - {None}
        failed = sum(answer.error is not None for answer in answers)
        settings = ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        return [
            f"Recording of {self.model}",
            f"  where         {self.provider}, {self.base_url}",
            f"  when          {self.recorded_at:%Y-%m-%d %H:%M} UTC",
            f"  asked         {plural(len(self), 'prompt')}, {plural(self.samples, 'sample')} each, {settings}",
            f"  answered      {len(answers) - failed} of {len(answers)}, "
            + (f"{sum(tokens):,} tokens, " if tokens else "")
            + ("with log-probabilities" if self.has_logprobs else "no log-probabilities"),
            f"  set-ups       {', '.join(sorted(map(str, prints))) or 'not named'}",
            f"  fingerprint   {self.fingerprint}",
        ]

    def _first_rows(self) -> list[list[str]]:
        return [
            [str(row), shorten(each.question, 40), shorten(str(each.answers[0]), 40)]
            for row, each in enumerate(self.prompts[:_SHOWN])
        ]

    def __repr__(self) -> str:
        return f"Recording({self.model!r}, {plural(len(self), 'prompt')}, {self.fingerprint[:12]})"

    def __str__(self) -> str:
        shown = table(["row", "asked", "answered"], self._first_rows(), align=">")
        return "\n".join([*self._facts(), "", shown])

    def _repr_html_(self) -> str:
        head = html_text("\n".join(self._facts()))
        return head + html_table(["row", "asked", "answered"], self._first_rows())
