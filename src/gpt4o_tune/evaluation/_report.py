"""A comparison as text within 100 columns, and as plain values."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

from gpt4o_tune._display import money, plural, shorten, table, width

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gpt4o_tune.evaluation.answers import CandidateResult
    from gpt4o_tune.evaluation.comparison import Comparison

_COLUMNS = 100
_FAILURES_SHOWN = 5


def text(comparison: Comparison) -> str:
    """Write the table of candidates, the verdicts, the warnings and the failed calls."""
    head = (
        f"{plural(len(comparison.references), 'row')}, graded by {comparison.grader}, baseline"
        f" {comparison.baseline}{grouped(comparison)}"
    )
    blocks = [_wrap(head), _table(comparison)]
    if comparison.differences:
        blocks.append("\n".join(_wrap(each.verdict) for each in comparison.differences.values()))
    if comparison.warnings:
        blocks.append("\n".join(_wrap(f"warning: {each}") for each in comparison.warnings))
    blocks += [_failures(name, errors) for name, errors in comparison.failures.items()]
    if len(comparison.candidates) > 1:
        count = len(comparison.disagreements)
        blocks.append(f"graded differently: {plural(count, 'row')} (see .disagreements)")
    return "\n\n".join(blocks)


def grouped(comparison: Comparison) -> str:
    """Say that errors are clustered, where they are."""
    if comparison.groups is None:
        return ""
    return f", errors clustered by {plural(len(set(comparison.groups)), 'group')}"


def candidate_values(result: CandidateResult) -> dict[str, object]:
    """Give a candidate's figures, answers and grades as plain values."""
    return {
        "right": result.right,
        "accuracy": result.accuracy,
        "mean_score": result.mean_score,
        "interval": asdict(result.interval),
        "failed": list(result.failed),
        "mean_latency_seconds": result.mean_latency_seconds,
        "p50_latency_seconds": result.p50_latency_seconds,
        "p90_latency_seconds": result.p90_latency_seconds,
        "p95_latency_seconds": result.p95_latency_seconds,
        "p99_latency_seconds": result.p99_latency_seconds,
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens": result.completion_tokens,
        "usd": result.usd,
        "usd_per_1000_calls": result.usd_per_1000_calls,
        "usd_per_1000_right": result.usd_per_1000_right,
        "answers": [asdict(answer) for answer in result.answers],
        "grades": [asdict(grade) for grade in result.grades],
    }


def _table(comparison: Comparison) -> str:
    level = f"({comparison.confidence * 100:g}% CI)"
    columns: dict[str, Callable[[CandidateResult], str]] = {
        "candidate": lambda each: short_name(each.name)
    }
    if comparison.measure == "accuracy":
        columns["right"] = lambda each: f"{each.right}/{len(each.grades)}"
        columns[f"accuracy {level}"] = _accuracy
    else:
        columns[f"mean score {level}"] = lambda each: (
            f"{each.mean_score:.3f} ({each.interval.low:.3f} to {each.interval.high:.3f})"
        )
    optional: dict[str, Callable[[CandidateResult], str]] = {
        "p50": lambda each: seconds(each.p50_latency_seconds),
        "p95": lambda each: seconds(each.p95_latency_seconds),
        "tokens": tokens,
        "$/1,000": lambda each: "" if each.usd is None else money(each.usd_per_1000_calls),
    }
    results = comparison.candidates.values()
    columns |= {title: cell for title, cell in optional.items() if any(map(cell, results))}
    rows = [[cell(each) for cell in columns.values()] for each in results]
    return table(list(columns), rows, align="<" + ">" * (len(columns) - 1))


def short_name(name: str, columns: int = 26) -> str:
    """Cut a long name in its middle, since fine-tuned models differ at their ends."""
    if width(name) <= columns:
        return name
    half = columns // 2
    return shorten(name, half) + name[1 - half :]


def _accuracy(result: CandidateResult) -> str:
    low, high = 100 * result.interval.low, 100 * result.interval.high
    return f"{100 * result.right / len(result.grades):.1f}% ({low:.1f} to {high:.1f})"


def seconds(value: float | None) -> str:
    """Write a latency; nothing where there is none."""
    if value is None:
        return ""
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def tokens(result: CandidateResult) -> str:
    """Mean prompt and completion tokens of a call that gave a text."""
    given = len(result.answers) - len(result.failed)
    if result.prompt_tokens is None or result.completion_tokens is None:
        return ""
    return f"{result.prompt_tokens / given:.0f} + {result.completion_tokens / given:.0f}"


def _failures(name: str, errors: Mapping[int, str]) -> str:
    lines = [
        "  " + shorten(f"row {row}: {error}", _COLUMNS - 2)
        for row, error in list(errors.items())[:_FAILURES_SHOWN]
    ]
    more = len(errors) - _FAILURES_SHOWN
    ending = [f"  and {more} more (see .failures)"] if more > 0 else []
    return "\n".join([_wrap(f"failed calls to {name}:"), *lines, *ending])


def _wrap(sentence: str) -> str:
    return textwrap.fill(sentence, _COLUMNS, subsequent_indent="  ", break_on_hyphens=False)
