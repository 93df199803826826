"""`Review`: what people decided on rows, and the rows that are left."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

from gpt4o_tune._display import html_text, plural, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpt4o_tune.data._selection import Selection


__all__ = ["Agreement", "Choice", "Conflict", "Review", "StaleDecision", "Verdict"]

Choice: TypeAlias = Literal["keep", "fix", "drop"]

_SHOWN = 5

DatasetT = TypeVar("DatasetT", bound="Selection")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one row that was decided on."""

    row: int
    """Number of the row in the dataset that was reviewed, from 0."""
    line: int
    """Its line of the file, or number of the record, from 1."""
    decision: Choice
    reviewers: tuple[str, ...]
    """Who decided on it, in the order the decisions were given."""
    note: str
    """The reviewers' notes, one a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A row on which reviewers differ, or that they corrected differently."""

    row: int
    line: int
    decisions: tuple[tuple[str, Choice], ...]
    """Reviewer and decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleDecision:
    """A decision on a row that the dataset does not hold: it was changed since, or removed."""

    line: int
    """Where the row was when it was reviewed."""
    decision: Choice
    reviewer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two reviewers agree on the rows that both decided."""

    reviewers: tuple[str, str]
    rows: int
    """Rows that both decided."""
    agreed: int
    """Rows on which both decided the same."""
    kappa: float | None
    """Cohen's kappa: agreement beyond chance, 1 at most (Cohen 1960); None where both always decided the
    same one thing, or nothing in common."""

    @property
    def share(self) -> float | None:
        """Share of the rows on which both decided the same; None where there are none."""
        return self.agreed / self.rows if self.rows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(Generic[DatasetT]):
    """The rows that are left after review, and what was done to each.

    Row numbers are those of the dataset that was reviewed.
    """

    dataset: DatasetT
    verdicts: tuple[Verdict, ...]
    """Rows that were decided on, in order."""
    undecided: tuple[int, ...]
    """Rows that nobody decided on, and rows to fix that nobody corrected."""
    conflicts: tuple[Conflict, ...]
    stale: tuple[StaleDecision, ...]
    """Decisions that found no row; each such row, where it is still there in other words, is undecided."""
    agreement: tuple[Agreement, ...]
    """One for each pair of reviewers."""

    @property
    def kept(self) -> tuple[int, ...]:
        """Rows that stay as they are because somebody decided so."""
        return self._rows("keep")

    @property
    def dropped(self) -> tuple[int, ...]:
        """Rows that somebody decided to leave out."""
        return self._rows("drop")

    @property
    def fixed(self) -> tuple[int, ...]:
        """Rows that stand as a reviewer corrected them."""
        return self._rows("fix")

    @property
    def changes(self) -> tuple[Verdict, ...]:
        """The verdicts that changed the dataset."""
        return tuple(verdict for verdict in self.verdicts if verdict.decision != "keep")

    def _rows(self, decision: Choice) -> tuple[int, ...]:
        return tuple(verdict.row for verdict in self.verdicts if verdict.decision == decision)

    def to_dict(self) -> dict[str, object]:
        """Return everything but the rows as plain values, ready for `json.dumps`."""
        return {
            "rows": len(self.dataset),
            "kept": list(self.kept),
            "dropped": list(self.dropped),
            "fixed": list(self.fixed),
            "undecided": list(self.undecided),
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "conflicts": [asdict(conflict) for conflict in self.conflicts],
            "stale": [asdict(decision) for decision in self.stale],
            "agreement": [{**asdict(pair), "share": pair.share} for pair in self.agreement],
        }

    def __str__(self) -> str:
        parts = [
            f"{plural(len(self.dataset), 'row')} after review: {len(self.kept):,} kept, "
            f"{len(self.fixed):,} fixed, {len(self.dropped):,} dropped, "
            f"{len(self.undecided):,} undecided"
        ]
        if self.agreement:
            parts.append(_agreement_table(self.agreement))
        if self.conflicts:
            lines = listed(conflict.line for conflict in self.conflicts)
            parts.append(f"reviewers differ on {plural(len(self.conflicts), 'row')}: {lines}")
        if self.stale:
            lines = listed(decision.line for decision in self.stale)
            parts.append(
                f"{plural(len(self.stale), 'decision')} found no row, as it was changed or removed "
                f"after the review: {lines}"
            )
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        return html_text(str(self))


def _agreement_table(pairs: Sequence[Agreement]) -> str:
    rows = [
        [
            " and ".join(pair.reviewers),
            f"{pair.agreed:,}/{pair.rows:,}",
            "-" if pair.share is None else f"{pair.share:.1%}",
            "-" if pair.kappa is None else f"{pair.kappa:.2f}",
        ]
        for pair in pairs
    ]
    return table(["reviewers", "agree", "share", "kappa"], rows, align="<>>>")


def listed(lines: Iterable[int]) -> str:
    """Name lines, the first five of many."""
    shown = [f"{line:,}" for line in lines]
    rest = f" and {len(shown) - _SHOWN:,} more" if len(shown) > _SHOWN else ""
    return ("line " if len(shown) == 1 else "lines ") + ", ".join(shown[:_SHOWN]) + rest
