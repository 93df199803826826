"""What a model has forgotten of what its base could do, area by area."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from gpt4o_tune._display import html_text, paragraph, table
from gpt4o_tune.evaluation._evaluation_text import change, p_value
from gpt4o_tune.evaluation.difference import judged, pairs
from gpt4o_tune.evaluation.statistics import holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.evaluation.answers import CandidateResult
    from gpt4o_tune.evaluation.comparison import Comparison
    from gpt4o_tune.evaluation.difference import Difference

__all__ = ["AreaResult", "GuardReport", "forgetting"]

MIX_SHARE = 0.2
"""Share of general rows that the advice names; what a model needs differs, so measure again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaResult:
    """One area of abilities."""

    rows: int
    base_right: int
    model_right: int
    difference: Difference
    """Model minus base; its `p_adjusted` is adjusted over the areas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardReport:
    """Whether a model can still do what its base could, on a probe of general abilities."""

    model: str
    base: str
    comparison: Comparison
    """All rows together, with every answer and grade."""

    areas: Mapping[str, AreaResult]

    @property
    def overall(self) -> Difference:
        """Model minus base over all rows."""
        return self.comparison.differences[self.model]

    @property
    def forgotten(self) -> tuple[str, ...]:
        """The areas in which the model is measurably worse."""
        return tuple(
            name for name, area in self.areas.items() if area.difference.outcome == "worse"
        )

    @property
    def ok(self) -> bool:
        """Whether no forgetting is shown, neither in all nor in an area."""
        return self.overall.outcome != "worse" and not self.forgotten

    @property
    def summary(self) -> str:
        """The outcome in plain words."""
        results, rows = self.comparison.candidates, len(self.comparison.references)
        counts = (
            f"{results[self.model].right} of {rows} right against {results[self.base].right}"
            f" of {rows} of {self.base}"
        )
        if self.ok:
            smallest = self.overall.smallest_detectable
            reach = (
                ""
                if smallest is None
                else f" A loss below about {100 * smallest:.0f} points would not be seen by so few rows."
            )
            return f"No forgetting can be shown for {self.model}: {counts}.{reach}"
        where = f", in {' and '.join(self.forgotten)}" if self.forgotten else ""
        return (
            f"{self.model} has forgotten{where}: {counts}. Train with general rows among the task's own,"
            f" such as train.mix(general, {MIX_SHARE:g}), or take an earlier checkpoint, and measure again."
        )

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes, answers included."""
        return {
            "model": self.model,
            "base": self.base,
            "ok": self.ok,
            "summary": self.summary,
            "areas": {name: asdict(area) for name, area in self.areas.items()},
            "comparison": self.comparison.to_dict(),
        }

    def __str__(self) -> str:
        headers = ["area", "rows", "base", "model", "difference (CI)", "p", "outcome"]
        whole = self.comparison.candidates
        total = AreaResult(
            rows=len(self.comparison.references),
            base_right=whole[self.base].right,
            model_right=whole[self.model].right,
            difference=self.overall,
        )
        rows = [
            [
                name,
                f"{area.rows}",
                f"{area.base_right}",
                f"{area.model_right}",
                change(self.comparison, area.difference),
                p_value(area.difference.p_adjusted),
                area.difference.outcome,
            ]
            for name, area in [*self.areas.items(), ("all", total)]
        ]
        parts = [paragraph(self.summary), "", table(headers, rows, align="<>>>>><")]
        parts += [paragraph(f"warning: {each}") for each in self.comparison.warnings]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        return html_text(str(self))


def forgetting(comparison: Comparison, areas: Sequence[str]) -> GuardReport:
    """Divide a comparison of a model with its base by areas; p values are adjusted over them.

    Args:
        comparison: The base as the baseline, and one model, by a grader that says yes or no.
        areas: The area of each row, in order.

    Raises:
        ValueError: There is not one area per row, or not one model beside the base.
    """
    if len(areas) != len(comparison.references):
        raise ValueError(f"there are {len(areas)} areas for {len(comparison.references)} rows")
    if len(comparison.differences) != 1 or comparison.measure != "accuracy":
        raise ValueError("need one model beside the base, and a grader that says yes or no")
    base, (model,) = comparison.baseline, comparison.differences
    names = list(dict.fromkeys(areas))
    parts = {name: [row for row, area in enumerate(areas) if area == name] for name in names}
    found = [
        pairs(
            [_part(comparison.candidates[model], rows)],
            _part(comparison.candidates[base], rows),
            measure="accuracy",
            confidence=comparison.confidence,
            seed=0,
            groups=None,
        )[0]
        for rows in parts.values()
    ]
    adjusted = holm([pair.p for pair in found])
    return GuardReport(
        model=model,
        base=base,
        comparison=comparison,
        areas={
            name: AreaResult(
                rows=len(parts[name]),
                base_right=pair.baseline.right,
                model_right=pair.candidate.right,
                difference=judged(pair, p, comparisons=len(names)),
            )
            for name, pair, p in zip(names, found, adjusted, strict=True)
        },
    )


def _part(result: CandidateResult, rows: Sequence[int]) -> CandidateResult:
    return replace(
        result,
        answers=tuple(result.answers[row] for row in rows),
        grades=tuple(result.grades[row] for row in rows),
    )
