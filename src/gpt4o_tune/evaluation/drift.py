"""Has the way of answering changed? Length and format of answers, held against the reference answers."""

from __future__ import annotations

import math
import re
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from gpt4o_tune._display import html_table, html_text, paragraph, plural, table
from gpt4o_tune.evaluation.bootstrap import bootstrap_mean
from gpt4o_tune.evaluation.graders._metrics import words
from gpt4o_tune.evaluation.graders.grader import parse_json
from gpt4o_tune.evaluation.statistics import Interval, holm, mcnemar_exact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["FormatDrift", "FormatShare", "LengthDrift", "format_drift", "length_drift"]

Unit = Literal["words", "characters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthDrift:
    """How long answers are, compared row by row with the reference answers."""

    unit: Unit
    rows: int
    answers: tuple[float, float, float]
    """Lower quartile, median and upper quartile of the lengths of answers."""

    references: tuple[float, float, float]
    """The same of reference answers."""

    ratio: float
    """Geometric mean of answer by reference, each length one unit longer so that none is 0."""

    interval: Interval
    """Around `ratio`."""

    @property
    def verdict(self) -> str:
        """One sentence: longer, shorter, or no drift that can be shown."""
        change = f"{abs(self.ratio - 1) * 100:.0f}%"
        figure = f"ratio {self.interval.around(self.ratio)}"
        if 1.0 in self.interval:
            return f"no drift in length can be shown: {figure}"
        return f"answers are {change} {'longer' if self.ratio > 1 else 'shorter'}: {figure}"

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes."""
        values = asdict(self)
        quartiles = {"answers": list(self.answers), "references": list(self.references)}
        return {**values, **quartiles, "verdict": self.verdict}

    def __str__(self) -> str:
        rows = [
            [name, *(f"{value:g}" for value in values)]
            for name, values in (("answers", self.answers), ("references", self.references))
        ]
        headers = [self.unit, "lower quartile", "median", "upper quartile"]
        return f"{self.verdict}\n\n{table(headers, rows, align='<>>>')}"

    def _repr_html_(self) -> str:
        return html_text(str(self))


def length_drift(
    answers: Sequence[str],
    references: Sequence[str],
    *,
    unit: Unit = "words",
    confidence: float = 0.95,
    seed: int = 0,
) -> LengthDrift:
    """Compare the lengths of answers with those of the reference answers.

    Args:
        answers: One text per row.
        references: The reference answers of the same rows.
        unit: What is counted; of Chinese and Japanese, each character is a word.
        confidence: Two-sided confidence level of the interval.
        seed: Seed of the resampling.

    Raises:
        ValueError: There are no answers, or not one per reference.
    """
    _require_pairs(answers, references)
    count: Callable[[str], int] = len if unit == "characters" else lambda text: len(words(text))
    ours, theirs = list(map(count, answers)), list(map(count, references))
    logs = [math.log((a + 1) / (b + 1)) for a, b in zip(ours, theirs, strict=True)]
    interval = bootstrap_mean(logs, seed=seed, confidence=confidence)
    return LengthDrift(
        unit=unit,
        rows=len(answers),
        answers=_quartiles(ours),
        references=_quartiles(theirs),
        ratio=math.exp(math.fsum(logs) / len(logs)),
        interval=Interval(math.exp(interval.low), math.exp(interval.high), confidence),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatShare:
    """How often one mark of format stands in answers and in reference answers."""

    mark: str
    answers: int
    references: int
    gained: int
    """Rows in which the answer has it and the reference does not."""

    lost: int
    """Rows in which the reference has it and the answer does not."""

    p_adjusted: float
    """Two-sided p value of McNemar's exact test, adjusted by Holm for the number of marks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatDrift:
    """Marks of format in answers, compared row by row with the reference answers."""

    rows: int
    shares: tuple[FormatShare, ...]
    confidence: float

    @property
    def drifted(self) -> tuple[FormatShare, ...]:
        """The marks whose share changed beyond what chance explains."""
        return tuple(each for each in self.shares if each.p_adjusted <= 1 - self.confidence)

    @property
    def verdict(self) -> str:
        """One sentence that names the marks that changed."""
        if not self.drifted:
            return f"no drift in format can be shown over {plural(self.rows, 'row')}"
        changes = [
            f"{each.mark} {'more' if each.gained > each.lost else 'less'} often ({each.references} to"
            f" {each.answers})"
            for each in self.drifted
        ]
        return f"over {plural(self.rows, 'row')} answers show " + ", ".join(changes)

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes."""
        shares = [asdict(each) for each in self.shares]
        return {
            "rows": self.rows,
            "confidence": self.confidence,
            "shares": shares,
            "verdict": self.verdict,
        }

    def _table(self) -> tuple[list[str], list[list[str]]]:
        rows = [
            [
                each.mark,
                str(each.references),
                str(each.answers),
                f"{each.gained:+d}",
                f"{-each.lost:d}",
                f"{each.p_adjusted:.2g}",
            ]
            for each in self.shares
            if each.answers or each.references
        ]
        return ["mark", "references", "answers", "gained", "lost", "p, adjusted"], rows

    def __str__(self) -> str:
        headers, rows = self._table()
        return f"{paragraph(self.verdict)}\n\n{table(headers, rows, align='<>>>>>')}"

    def _repr_html_(self) -> str:
        return f"{html_text(paragraph(self.verdict))}{html_table(*self._table())}"


def format_drift(
    answers: Sequence[str], references: Sequence[str], *, confidence: float = 0.95
) -> FormatDrift:
    """Compare the format of answers with that of the reference answers, mark by mark.

    Args:
        answers: One text per row.
        references: The reference answers of the same rows.
        confidence: One minus the level of the tests.

    Raises:
        ValueError: There are no answers, or not one per reference.
    """
    _require_pairs(answers, references)
    found: list[tuple[str, int, int, int, int]] = []
    for mark, has in _MARKS.items():
        ours, theirs = [has(text) for text in answers], [has(text) for text in references]
        pairs = list(zip(ours, theirs, strict=True))
        gained, lost = pairs.count((True, False)), pairs.count((False, True))
        found.append((mark, sum(ours), sum(theirs), gained, lost))
    adjusted = holm([mcnemar_exact(gained, lost) for *_, gained, lost in found])
    shares = tuple(
        FormatShare(
            mark=mark, answers=ours, references=theirs, gained=gained, lost=lost, p_adjusted=p
        )
        for (mark, ours, theirs, gained, lost), p in zip(found, adjusted, strict=True)
    )
    return FormatDrift(rows=len(answers), shares=shares, confidence=confidence)


def _is_json(text: str) -> bool:
    try:
        return isinstance(parse_json(text), dict | list)
    except ValueError:
        return False


def _has(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.MULTILINE)
    return lambda text: compiled.search(text) is not None


_MARKS: Mapping[str, Callable[[str], bool]] = {
    "JSON": _is_json,
    "heading": _has(r"^#{1,6} "),
    "bullet list": _has(r"^\s*[-*•] "),
    "numbered list": _has(r"^\s*\d+[.)] "),
    "bold": _has(r"\*\*\S"),
    "code block": _has(r"^\s*```"),
    "table": _has(r"^\s*\|.*\|\s*$"),
    "link": _has(r"https?://|\]\(\S+\)"),
    "several paragraphs": _has(r"\S[^\n]*\n\s*\n\s*\S"),
    "emoji": _has(r"[\u2600-\u27bf\U0001f300-\U0001faff]"),
    "exclamation mark": _has(r"[!\uff01]"),
    "question at the end": _has(r"[?\uff1f]\s*\Z"),
    "empty": lambda text: not text.strip(),
}


def _quartiles(lengths: Sequence[int]) -> tuple[float, float, float]:
    if len(lengths) == 1:
        return lengths[0], lengths[0], lengths[0]
    low, middle, high = statistics.quantiles(lengths, n=4, method="inclusive")
    return low, middle, high


def _require_pairs(answers: Sequence[str], references: Sequence[str]) -> None:
    if not answers or len(answers) != len(references):
        raise ValueError(
            f"need one answer per reference, got {len(answers)} answers and {len(references)} references"
        )
