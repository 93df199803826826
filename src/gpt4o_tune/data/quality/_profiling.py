"""The pass over the rows that fills a profile."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from gpt4o_tune.data._counting import text_counter
from gpt4o_tune.data._words import words
from gpt4o_tune.data.quality._parts import row_parts
from gpt4o_tune.data.quality.distribution import Distribution
from gpt4o_tune.data.quality.diversity import AnswerSample, Diversity, Repeats, measure
from gpt4o_tune.data.quality.findings import find
from gpt4o_tune.data.quality.instructions import instructions_of
from gpt4o_tune.data.quality.labels import LabelCollector, Labels, labels_given
from gpt4o_tune.data.quality.language import UNKNOWN, detect
from gpt4o_tune.data.quality.outliers import (
    Outliers,
    is_mostly_symbols,
    odd_languages,
    odd_lengths,
    odd_texts,
    repeats_itself,
)
from gpt4o_tune.data.quality.pairs import PairCollector
from gpt4o_tune.data.quality.profile import (
    Features,
    Languages,
    Lengths,
    Openings,
    Profile,
    Refusals,
)
from gpt4o_tune.data.quality.refusals import is_refusal
from gpt4o_tune.data.quality.shares import Shares, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gpt4o_tune.data.formats import Format
    from gpt4o_tune.data.quality._parts import RowParts
    from gpt4o_tune.data.tokens import TokenReport

_OPENING_WORDS = 3
_OPENING_CHARS = 120
_OPENING_WORD_CHARS = 24
"""Where a word of an opening is cut: scripts without spaces give whole clauses."""
_OPENING = re.compile(r"[^\s.,;:!?\"()\[\]{}«»„“”¿¡…、。，！？：；「」*#`]+")  # noqa: RUF001  # marks of many scripts


def profile(
    rows: Sequence[Mapping[str, object]],
    *,
    tokens: TokenReport,
    labels: Iterable[object] | None,
    source: str,
    format: Format,  # noqa: A002  # as in Dataset
) -> Profile:
    """Measure rows.

    Args:
        rows: Parsed rows of sound shape; read once, and again for near-duplicates.
        tokens: Their counts.
        labels: The label of each row; where None, labels are looked for in the answers.
        source: The file, or `records`.
        format: What the rows are.
    """
    seen = _Collector(encoding=tokens.encoding)
    for number, row in enumerate(rows):
        seen.add(number, row)
    diversity = measure(seen.sample.texts(), rows, exact_repeats=seen.repeats.rows())
    return seen.profile(
        tokens=tokens,
        labels=seen.labels.result() if labels is None else (labels_given(labels),),
        diversity=diversity,
        source=source,
        format=format,
    )


class _Collector:
    """Everything that is kept while rows pass by."""

    def __init__(self, *, encoding: str) -> None:
        self.sample = AnswerSample()
        self.repeats = Repeats()
        self.labels = LabelCollector()
        self._pairs = PairCollector(text_counter(encoding))
        self._messages: list[int] = []
        self._prompt_words: list[int] = []
        self._answer_words: list[int] = []
        self._prompt_languages: list[str] = []
        self._answer_languages: list[str] = []
        self._instructions = Tally(most_values=1_000)
        self._answers = _OpeningTally()
        self._prompts = _OpeningTally()
        self._rows_with: dict[str, list[int]] = {}

    def add(self, number: int, row: Mapping[str, object]) -> None:
        """Look at a row."""
        parts = row_parts(row)
        self.repeats.add(number, row)
        answer, prompt = "\n".join(parts.answers), "\n".join(parts.prompts)
        self._messages.append(parts.messages)
        self._answer_words.append(sum(self._answers.add(text, number) for text in parts.answers))
        self._prompt_words.append(sum(self._prompts.add(text, number) for text in parts.prompts))
        self._prompt_languages.append(detect(prompt))
        self._answer_languages.append(detect(answer))
        if parts.instructions:
            self._instructions.add(parts.instructions, number)
        if answer:
            self.sample.add(answer)
        if len(parts.answers) == 1:
            self.labels.add(number, answer)
        if parts.rejected:
            is_same = row.get("preferred_output") == row.get("non_preferred_output")
            self._pairs.add(number, answer, "\n".join(parts.rejected), is_same=is_same)
        for name in _facts(parts, answer):
            self._rows_with.setdefault(name, []).append(number)

    def _with(self, fact: str) -> tuple[int, ...]:
        return tuple(self._rows_with.get(fact, ()))

    def profile(
        self,
        *,
        tokens: TokenReport,
        labels: tuple[Labels, ...],
        diversity: Diversity,
        source: str,
        format: Format,  # noqa: A002  # as in Dataset
    ) -> Profile:
        """Put the measures together."""
        measured = Profile(
            source=source,
            format=format,
            model=tokens.model,
            rows=len(tokens),
            lengths=self._lengths(tokens),
            languages=self._languages(),
            labels=labels,
            instructions=instructions_of(
                self._instructions.shares(), self._with("no instructions")
            ),
            answer_openings=self._answers.openings(),
            prompt_openings=self._prompts.openings(),
            diversity=diversity,
            pairs=self._pairs.result(),
            refusals=Refusals(rows=self._with("refusal")),
            outliers=self._outliers(tokens, has_labels=bool(labels)),
            features=Features(
                tools=self._with("tools"),
                calls=self._with("calls"),
                images=self._with("images"),
                ignored=self._with("ignored"),
            ),
            findings=(),
        )
        return replace(measured, findings=find(measured, over_limit=tokens.over_limit))

    def _lengths(self, tokens: TokenReport) -> Lengths:
        counts = zip(tokens.per_row, tokens.trained_per_row, strict=True)
        return Lengths(
            tokens=Distribution.of(tokens.per_row),
            messages=Distribution.of(self._messages),
            prompt_words=Distribution.of(self._prompt_words),
            prompt_tokens=Distribution.of([total - trained for total, trained in counts]),
            answer_words=Distribution.of(self._answer_words),
            answer_tokens=Distribution.of(tokens.trained_per_row),
        )

    def _languages(self) -> Languages:
        both = zip(self._prompt_languages, self._answer_languages, strict=True)
        return Languages(
            prompts=_shares(self._prompt_languages),
            answers=_shares(self._answer_languages),
            differing=tuple(
                row
                for row, (prompt, answer) in enumerate(both)
                if UNKNOWN not in (prompt, answer) and prompt != answer
            ),
        )

    def _outliers(self, tokens: TokenReport, *, has_labels: bool) -> Outliers:
        found = odd_lengths(tokens.per_row, "length", "row")
        if not has_labels:
            found += odd_lengths(tokens.trained_per_row, "answer-length", "answer")
        either = [
            prompt if prompt != UNKNOWN else answer
            for prompt, answer in zip(self._prompt_languages, self._answer_languages, strict=True)
        ]
        found += odd_languages(either, unknown=UNKNOWN)
        symbols, repeating = self._with("symbols"), self._with("repetition")
        found += odd_texts(symbols, repeating, rows=len(tokens))
        return Outliers(items=tuple(sorted(found, key=lambda each: each.row)))


class _OpeningTally:
    """Counts how texts begin."""

    def __init__(self) -> None:
        self._first = Tally()
        self._firsts = Tally()

    def add(self, text: str, row: int) -> int:
        """Note the opening of a text and return how many words the text has."""
        found = _OPENING.findall(text[:_OPENING_CHARS].casefold())[:_OPENING_WORDS]
        if opening := [word[:_OPENING_WORD_CHARS] for word in found]:
            self._first.add(opening[0], row)
            self._firsts.add(" ".join(opening), row)
        return len(words(text))

    def openings(self) -> Openings:
        return Openings(first_word=self._first.shares(), first_words=self._firsts.shares())


def _facts(parts: RowParts, answer: str) -> Iterable[str]:
    """Yield what is true of a row."""
    prompt = "\n".join(parts.prompts)
    facts = {
        "no instructions": not parts.instructions,
        "refusal": parts.refuses or any(map(is_refusal, parts.answers)),
        "tools": parts.declares_tools,
        "calls": parts.calls,
        "images": parts.images > 0,
        "ignored": parts.ignored > 0,
        "symbols": is_mostly_symbols(answer) or is_mostly_symbols(prompt),
        "repetition": repeats_itself(answer) or repeats_itself(prompt),
    }
    return (name for name, holds in facts.items() if holds)


def _shares(values: Iterable[str]) -> Shares:
    tally = Tally()
    for row, value in enumerate(values):
        tally.add(value, row)
    return tally.shares(shown=50)
