"""An evaluation as text within 100 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from gpt4o_tune._display import money, plural, table
from gpt4o_tune.evaluation._report import grouped, seconds, short_name, tokens

if TYPE_CHECKING:
    from gpt4o_tune.evaluation.answers import CandidateResult
    from gpt4o_tune.evaluation.comparison import Comparison
    from gpt4o_tune.evaluation.difference import Difference
    from gpt4o_tune.evaluation.evaluation import Evaluation

_COLUMNS = 100


def text(evaluation: Evaluation) -> str:
    """Write a table for each grader, one of speed and cost, the verdicts and the warnings."""
    lead = evaluation.lead
    head = (
        f"{plural(evaluation.rows, 'row')}, {plural(len(lead.candidates), 'candidate')}, "
        f"{plural(len(evaluation.comparisons), 'grader')}, baseline {lead.baseline}{grouped(lead)}"
    )
    blocks = [_wrap(head)]
    blocks += [f"{name}\n{_grades(each)}" for name, each in evaluation.comparisons.items()]
    if speed := _speed(lead):
        blocks.append(f"speed and cost of a call\n{speed}")
    if evaluation.verdict:
        blocks.append("\n".join(map(_wrap, evaluation.verdict.splitlines())))
    if evaluation.warnings:
        blocks.append("\n".join(_wrap(f"warning: {each}") for each in evaluation.warnings))
    if len(lead.candidates) > 1:
        counts = ", ".join(
            f"{plural(len(rows), 'row')} by {name}"
            for name, rows in evaluation.disagreements.items()
        )
        blocks.append(_wrap(f"graded differently: {counts} (see .disagreements)"))
    notes = [f"{name}: {said}" for name, said in evaluation.descriptions.items()]
    notes += [f"prices: {basis}" for basis in dict.fromkeys(evaluation.price_bases.values())]
    if notes:
        blocks.append("\n".join(map(_wrap, notes)))
    return "\n\n".join(blocks)


def value(comparison: Comparison, result: CandidateResult) -> str:
    """Write the share or mean score of a candidate with its interval."""
    low, high = result.interval.low, result.interval.high
    if comparison.measure == "accuracy":
        share = 100 * result.right / len(result.grades)
        return f"{share:.1f}% ({100 * low:.1f} to {100 * high:.1f})"
    return f"{result.mean_score:.3f} ({low:.3f} to {high:.3f})"


def change(comparison: Comparison, difference: Difference) -> str:
    """Write a difference with its interval."""
    low, high = difference.interval.low, difference.interval.high
    if comparison.measure == "accuracy":
        return f"{100 * difference.difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    return f"{difference.difference:+.3f} ({low:+.3f} to {high:+.3f})"


def p_value(p: float) -> str:
    """Write a p value."""
    return "<0.0001" if p < 0.0001 else f"{p:.2g}"


def _grades(comparison: Comparison) -> str:
    level = f"({comparison.confidence * 100:g}% CI)"
    what = "accuracy" if comparison.measure == "accuracy" else "mean score"
    headers = ["candidate", f"{what} {level}"]
    if comparison.differences:
        headers += [f"difference {level}", "p", "effect", "outcome"]
    rows: list[list[str]] = []
    for name, result in comparison.candidates.items():
        cells = [short_name(name), value(comparison, result)]
        found = comparison.differences.get(name)
        if found is not None:
            effect = "" if found.effect_size is None else f"{found.effect_size:+.2f}"
            cells += [change(comparison, found), p_value(found.p_adjusted), effect, found.outcome]
        elif comparison.differences:
            cells += ["", "", "", "baseline"]
        rows.append(cells)
    return table(headers, rows, align="<" + ">" * (len(headers) - 2) + "<")


def _speed(comparison: Comparison) -> str:
    headers = ["candidate", "p50", "p90", "p99", "tokens", "$/1,000 calls"]
    rows = [
        [
            short_name(name),
            seconds(result.p50_latency_seconds),
            seconds(result.p90_latency_seconds),
            seconds(result.p99_latency_seconds),
            tokens(result),
            "unknown" if result.usd is None else money(result.usd_per_1000_calls),
        ]
        for name, result in comparison.candidates.items()
    ]
    if not any(any(cells[1:5]) for cells in rows):
        return ""
    return table(headers, rows, align="<>>>>>")


def _wrap(sentence: str) -> str:
    return textwrap.fill(sentence, _COLUMNS, subsequent_indent="  ", break_on_hyphens=False)
