"""Data cards: one page that says what a dataset is, for colleagues, reviewers and later selves."""

from __future__ import annotations

import datetime
import html
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpt4o_tune.data._writing import replace_file
from gpt4o_tune.data.quality.samples import sample_rows

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence, Sized

    from gpt4o_tune.data.cost import CostEstimate
    from gpt4o_tune.data.quality.profile import Profile
    from gpt4o_tune.data.quality.samples import SampleRow
    from gpt4o_tune.data.quality.screen import ScreenReport
    from gpt4o_tune.data.report import CheckReport, Problem, Severity
    from gpt4o_tune.data.similarity import OverlapReport
    from gpt4o_tune.data.split import Split
    from gpt4o_tune.data.tokens import TokenReport

__all__ = ["CheckCount", "DataCard", "SplitSummary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCount:
    """How often a rule of `Dataset.check` found something."""

    code: str
    severity: Severity
    count: int
    message: str
    """What was found first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSummary:
    """The parts that a dataset was divided into, and what they share."""

    train: int
    validation: int
    test: int | None
    leakage: OverlapReport


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCard:
    """What a dataset is: where it comes from, what is in it, and what stands out.

    Example:
        >>> card = data.card("card.html", title="Support tickets", split=data.split(seed=7))
        >>> print(card.to_markdown())
    """

    title: str
    source: str
    """Name of the file, without its folder, or `records`."""
    fingerprint: str
    """SHA-256 of the rows as they are written."""
    date: datetime.date
    """Day of the card."""
    version: str
    """Of this library."""
    checks: tuple[CheckCount, ...]
    """By code, errors first."""
    provider: str
    """The service that the rows were checked and priced for."""
    profile: Profile
    tokens: TokenReport
    cost: CostEstimate
    split: SplitSummary | None
    screening: ScreenReport | None
    samples: tuple[SampleRow, ...]

    def to_html(self) -> str:
        """Write the card as one page that needs nothing else: plots are inline, no script is used."""
        from gpt4o_tune.data.quality._page import page

        return page(self)

    def to_markdown(self) -> str:
        """Write the card for a README or a model card: figures and findings, without rows of the data."""
        from gpt4o_tune.data.quality._markdown import markdown

        return markdown(self)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file and return its path.

        Raises:
            DatasetNotFoundError: The folder does not exist.
        """
        return replace_file(Path(path).expanduser(), [self.to_html().encode()])

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values, ready for `json.dumps`."""
        return {
            "title": self.title,
            "source": self.source,
            "fingerprint": self.fingerprint,
            "date": self.date.isoformat(),
            "version": self.version,
            "provider": self.provider,
            "checks": [asdict(each) for each in self.checks],
            "profile": self.profile.to_dict(),
            "tokens": self.tokens.to_dict(),
            "cost": self.cost.to_dict(),
            "split": _split_values(self.split) if self.split else None,
            "screening": self.screening.to_dict() if self.screening else None,
            "samples": [asdict(each) for each in self.samples],
        }

    def __str__(self) -> str:
        return self.to_markdown()

    def _repr_html_(self) -> str:
        frame = html.escape(self.to_html())
        return f'<iframe srcdoc="{frame}" style="width:100%;height:40rem;border:0"></iframe>'


def make_card(
    *,
    profile: Profile,
    report: CheckReport,
    tokens: TokenReport,
    cost: CostEstimate,
    rows: Sequence[Mapping[str, object]],
    fingerprint: str,
    title: str | None,
    split: Split[Sized] | None,
    screening: ScreenReport | None,
    samples: int,
    seed: int,
    date: datetime.date | None,
) -> DataCard:
    """Put a card together; see `Dataset.card`."""
    from gpt4o_tune import __version__

    if samples < 0:
        raise ValueError(f"samples must be 0 or more, got {samples}")
    source = Path(profile.source).name
    return DataCard(
        title=title if title is not None else source,
        source=source,
        fingerprint=fingerprint,
        date=date or datetime.date.today(),
        version=__version__,
        checks=_counted(report),
        provider=report.provider,
        profile=profile,
        tokens=tokens,
        cost=cost,
        split=_summary(split) if split else None,
        screening=screening,
        samples=sample_rows(rows, count=samples, seed=seed),
    )


def _counted(report: CheckReport) -> tuple[CheckCount, ...]:
    found: dict[str, list[Problem]] = {}
    for problem in (*report.errors, *report.warnings):
        found.setdefault(problem.code, []).append(problem)
    return tuple(
        CheckCount(
            code=code,
            severity=problems[0].severity,
            count=len(problems),
            message=problems[0].message,
        )
        for code, problems in found.items()
    )


def _summary(split: Split[Sized]) -> SplitSummary:
    return SplitSummary(
        train=len(split.train),
        validation=len(split.validation),
        test=len(split.test) if split.test is not None else None,
        leakage=split.leakage,
    )


def _split_values(split: SplitSummary) -> dict[str, object]:
    return {
        "train": split.train,
        "validation": split.validation,
        "test": split.test,
        "leakage": split.leakage.to_dict(),
    }
