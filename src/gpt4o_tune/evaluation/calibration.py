"""May a judge be trusted? Its labels held against those of people, agreement by chance taken off."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gpt4o_tune._display import html_text, paragraph, plural
from gpt4o_tune.evaluation.confusion import ConfusionMatrix, confusion
from gpt4o_tune.evaluation.statistics import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Calibration", "calibrate"]

TRUSTED_FROM = 0.6
"""Kappa from which agreement is called substantial by Landis and Koch (1977), Biometrics 33:159."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How well a judge agrees with people over the same answers."""

    matrix: ConfusionMatrix
    """Rows are the labels of people, columns those of the judge."""

    agreement_interval: Interval
    kappa: float
    """Cohen's kappa: 1 is full agreement, 0 what guessing with the same shares of labels would give."""

    kappa_interval: Interval
    trusted_from: float

    @property
    def agreement(self) -> float:
        """Share of answers on which judge and people agree."""
        return self.matrix.accuracy

    @property
    def trusted(self) -> bool | None:
        """Whether the judge may be trusted; None where so few labels cannot tell."""
        if self.kappa_interval.low >= self.trusted_from:
            return True
        return False if self.kappa_interval.high < self.trusted_from else None

    @property
    def verdict(self) -> str:
        """One sentence that says whether the judge may be trusted, and why."""
        line = f"kappa {self.kappa_interval.around(self.kappa)}"
        if self.trusted is None:
            return (
                f"Whether the judge may be trusted cannot be told from {plural(self.matrix.rows, 'label')}:"
                f" {line} lies on both sides of {self.trusted_from:g}. Label more answers."
            )
        if self.trusted:
            return f"The judge may be trusted: {line} lies above {self.trusted_from:g}."
        return (
            f"Do not trust the judge: {line} lies below {self.trusted_from:g}. Sharpen its prompt, or take"
            " another model."
        )

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes."""
        return {
            "agreement": self.agreement,
            "agreement_interval": asdict(self.agreement_interval),
            "kappa": self.kappa,
            "kappa_interval": asdict(self.kappa_interval),
            "trusted_from": self.trusted_from,
            "trusted": self.trusted,
            "verdict": self.verdict,
            "matrix": self.matrix.to_dict(),
        }

    def __str__(self) -> str:
        agreement = f"agreement {self.agreement_interval.around(self.agreement)}"
        return "\n".join([paragraph(self.verdict), agreement, "", str(self.matrix)])

    def _repr_html_(self) -> str:
        return html_text(str(self))


def calibrate(
    judged: Sequence[str],
    human: Sequence[str],
    *,
    trusted_from: float = TRUSTED_FROM,
    confidence: float = 0.95,
) -> Calibration:
    """Hold a judge's labels against those of people over the same answers.

    The interval of kappa comes from Wilson's interval of the agreement, with the agreement by chance taken
    as observed. Unlike the textbook formula it keeps its width where all labels agree.

    Args:
        judged: The judge's label of each answer: `passed`, a winner, a grade.
        human: The label that people gave, in the same order.
        trusted_from: The kappa that the whole interval must reach.
        confidence: Two-sided confidence level of both intervals.

    Raises:
        ValueError: There are no labels, not as many of both, or there is one label only.
    """
    labels = sorted({*judged, *human})
    if len(labels) == 1:
        raise ValueError(
            f"every label is {labels[0]!r}, so agreement says nothing; label answers of more than one kind"
        )
    matrix = confusion(judged, human, labels=labels)
    n = matrix.rows
    chance = sum(
        sum(matrix.counts[place]) * sum(row[place] for row in matrix.counts)
        for place in range(len(labels))
    ) / (n * n)
    agreed = round(matrix.accuracy * n)
    interval = wilson(agreed, n, confidence=confidence)

    def kappa(agreement: float) -> float:
        return (agreement - chance) / (1 - chance)

    return Calibration(
        matrix=matrix,
        agreement_interval=interval,
        kappa=kappa(matrix.accuracy),
        kappa_interval=Interval(kappa(interval.low), kappa(interval.high), confidence),
        trusted_from=trusted_from,
    )
