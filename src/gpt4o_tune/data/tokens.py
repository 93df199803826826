"""Token counts, offline: of a text exactly, of a row by the published formula.

Text is counted by the target model's own encoding. What the chat format adds around the text (3 tokens a
message, the tool definitions, images) follows OpenAI's published formulas; the bill is OpenAI's, so these
are estimates and `TokenReport.basis` says so.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpt4o_tune._display import html_text, paragraph, plural
from gpt4o_tune.data._counting import RowCounter, RowTokens, text_counter
from gpt4o_tune.data._token_counts import CountColumns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gpt4o_tune.catalog import Model

__all__ = ["RowTokens", "TokenReport", "count_row", "count_rows", "count_text"]

_SHOWN_ROWS = 5


def count_text(text: str, *, encoding: str = "o200k_base") -> int:
    """Count the tokens of a text exactly as tiktoken's `encode_ordinary` would give them.

    Text that spells a special token (`<|endoftext|>`) is text. Half of a surrogate pair, which has no
    UTF-8 form, counts as the replacement character U+FFFD, as in tiktoken.

    Raises:
        VocabularyError: The encoding's vocabulary is not to be had.
    """
    return text_counter(encoding)(text)


def count_row(row: Mapping[str, object], *, model: Model) -> int:
    """Count the tokens of one training row for a model; see `count_rows`."""
    return RowCounter(model).count(row).total


def count_rows(rows: Iterable[Mapping[str, object]], *, model: Model) -> TokenReport:
    """Count the tokens of every row for a model.

    Counted are the text of all messages, their roles and names, tool definitions and tool calls, and
    images; ids (`tool_call_id`) and grader fields are not. A preference row counts its input once and both
    of its outputs. What is not text where text should be counts nothing: faults in rows are for
    `Dataset.check` to report.

    Raises:
        VocabularyError: The vocabulary of the model's encoding is not to be had.
    """
    count = RowCounter(model).count
    return TokenReport.of([count(row) for row in rows], model=model)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReport:
    """How many tokens a dataset has, row by row."""

    model: str
    encoding: str
    training_context: int | None
    """Tokens per example that the model can train on; None where no source gives it."""
    counts: CountColumns = field(hash=False, repr=False)
    """The counts in three arrays of four bytes a row, which a million rows can afford."""
    basis: str
    """How the counts came about, and what in them is an estimate."""

    @classmethod
    def of(cls, counts: CountColumns | Iterable[RowTokens], *, model: Model) -> TokenReport:
        """Put the counts of rows together; they must have been made for the same model."""
        columns = counts if isinstance(counts, CountColumns) else CountColumns.of(counts)
        return cls(
            model=model.name,
            encoding=model.encoding,
            training_context=model.training_context,
            counts=columns,
            basis=counting_basis(model, guessed=sum(columns.guessed_images)),
        )

    def __len__(self) -> int:
        return len(self.counts.totals)

    @property
    def per_row(self) -> tuple[int, ...]:
        """Tokens of each row."""
        return tuple(self.counts.totals)

    @property
    def trained_per_row(self) -> tuple[int, ...]:
        """Of these, tokens in what the model learns to write: assistant messages unless `weight` is 0."""
        return tuple(self.counts.trained)

    @property
    def guessed_images_per_row(self) -> tuple[int, ...]:
        """Images of unknown size in each row, counted as 1024 x 1024."""
        return tuple(self.counts.guessed_images)

    @property
    def total(self) -> int:
        """Tokens of all rows, once through."""
        return sum(self.counts.totals)

    @property
    def trained(self) -> int:
        """Tokens of all rows that the model learns to write."""
        return sum(self.counts.trained)

    @property
    def longest(self) -> int:
        """Tokens of the longest row; 0 without rows."""
        return max(self.counts.totals, default=0)

    @property
    def over_limit(self) -> tuple[int, ...]:
        """Numbers of the rows that are longer than the model can train on; their end is cut off."""
        limit = self.training_context
        if limit is None:
            return ()
        return tuple(row for row, tokens in enumerate(self.counts.totals) if tokens > limit)

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values, ready for `json.dumps`."""
        return {
            "model": self.model,
            "encoding": self.encoding,
            "training_context": self.training_context,
            "rows": len(self),
            "total": self.total,
            "trained": self.trained,
            "longest": self.longest,
            "over_limit": list(self.over_limit),
            "per_row": list(self.per_row),
            "trained_per_row": list(self.trained_per_row),
            "basis": self.basis,
        }

    def __str__(self) -> str:
        if not len(self):
            return f"no rows, 0 tokens ({self.encoding})"
        share = self.trained / self.total if self.total else 0.0
        median = statistics.median_high(self.counts.totals)
        lines = [
            f"{plural(self.total, 'token')} in {plural(len(self), 'row')}  ({self.encoding}, {self.model})",
            f"  per row  {min(self.counts.totals):,} min, {median:,} median, {self.longest:,} max",
            f"  trained  {self.trained:,} ({share:.1%})",
        ]
        if self.over_limit:
            lines.append(f"  too long {self._too_long()}")
        return "\n".join([*lines, paragraph(self.basis, indent="  ")])

    def _too_long(self) -> str:
        over = self.over_limit
        listed = ", ".join(f"{row:,} ({self.counts.totals[row]:,})" for row in over[:_SHOWN_ROWS])
        more = f" and {len(over) - _SHOWN_ROWS:,} more" if len(over) > _SHOWN_ROWS else ""
        return (
            f"{plural(len(over), 'row')} above {self.training_context:,} tokens, cut at the end: "
            f"{listed}{more}"
        )

    def _repr_html_(self) -> str:
        return html_text(str(self))


def counting_basis(model: Model, *, guessed: int) -> str:
    """Say how counts for a model came about, with so many images of unknown size among them."""
    frame = model.message_tokens
    text = (
        f"Text counted exactly with {model.encoding}"
        if model.encoding_is_exact
        else f"Text counted with {model.encoding}, which is not the tokenizer of {model.name}: rough"
    )
    images = (
        f" {plural(guessed, 'image')} of unknown size counted as 1024 x 1024 at high detail."
        if guessed
        else ""
    )
    return (
        f"{text}; {frame.tokens_per_message} per message, {frame.reply_priming} per example, tools and "
        f"images by OpenAI's published formulas (an estimate of what is billed; as of {frame.as_of}).{images}"
    )
