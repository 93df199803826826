"""An evaluation as one self-contained HTML page with plots."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from gpt4o_tune._display import money, plural, shorten
from gpt4o_tune.evaluation._evaluation_text import change, p_value, value
from gpt4o_tune.evaluation._page_frame import figure, frame, rows_table, section, sentences
from gpt4o_tune.evaluation._plots import Range, intervals, scatter
from gpt4o_tune.evaluation._report import grouped, seconds, tokens
from gpt4o_tune.evaluation.standing import estimate

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpt4o_tune.evaluation.answers import Answer
    from gpt4o_tune.evaluation.comparison import Comparison, Disagreement
    from gpt4o_tune.evaluation.evaluation import Evaluation
    from gpt4o_tune.evaluation.graders import Grade

_ROWS_SHOWN = 50
_ANSWER_COLUMNS = 400


def page(evaluation: Evaluation) -> str:
    """Write the whole page."""
    lead = evaluation.lead
    return frame(
        f"Evaluation: {', '.join(lead.candidates)}",
        [
            _head(evaluation),
            section(
                "What speaks against the figures", sentences(evaluation.warnings, kind="warnings")
            ),
            *(
                section(f"By {name}", _grades(each))
                for name, each in evaluation.comparisons.items()
            ),
            section("Quality and cost", _cost_plot(lead)),
            section("Speed and cost of a call", _speed(evaluation)),
            section("The candidates", _descriptions(evaluation)),
            *(
                section(f"Rows graded differently by {name}", _disagreements(each))
                for name, each in evaluation.comparisons.items()
            ),
            section("How to read this", _reading(lead)),
        ],
    )


def _head(evaluation: Evaluation) -> str:
    lead = evaluation.lead
    verdicts = "".join(
        f'<li dir="auto"><span class="tag {each.outcome}">{each.outcome}</span>'
        f"{escape(f'{name}: ' if len(evaluation.comparisons) > 1 else '')}{escape(each.verdict)}.</li>"
        for name, comparison in evaluation.comparisons.items()
        for each in comparison.differences.values()
    )
    scope = (
        f"{plural(evaluation.rows, 'row')}, {plural(len(lead.candidates), 'candidate')},"
        f" {plural(len(evaluation.comparisons), 'grader')}{grouped(lead)}."
    )
    against = f" Held against {lead.baseline}." if lead.differences else ""
    return (
        f'<header><p class="lead">Evaluation</p><h1 dir="auto">{escape(" · ".join(lead.candidates))}</h1>'
        f'<p class="lead" dir="auto">{escape(scope + against)}</p><ul class="verdicts">{verdicts}</ul></header>'
    )


def _grades(comparison: Comparison) -> str:
    level = f"{comparison.confidence * 100:g}% interval"
    what = "Share of right answers" if comparison.measure == "accuracy" else "Mean score"
    write = _writer(comparison)
    parts = [
        figure(f"{what}, with {level}", intervals(_ranges(comparison), title=what, write=write))
    ]
    if comparison.differences:
        ranges = [
            Range(
                label=name,
                low=each.interval.low,
                value=each.difference,
                high=each.interval.high,
                words=f"{change(comparison, each)}, {each.outcome}",
                kind=each.outcome,
            )
            for name, each in comparison.differences.items()
        ]
        title = f"Difference from {comparison.baseline}, row by row"
        unit = ", in points" if comparison.measure == "accuracy" else ""
        plot = intervals(ranges, title=title, write=_writer(comparison, signed=True), zero=True)
        parts.append(figure(f"{title}{unit}, with {level}", plot))
    return "".join([*parts, _table(comparison)])


def _table(comparison: Comparison) -> str:
    headers = [
        "Candidate",
        "Value and interval",
        "Difference",
        "Won / lost",
        "p, adjusted",
        "Effect size",
        "Smallest detectable",
        "Outcome",
    ]
    rows: list[list[str]] = []
    for name, result in comparison.candidates.items():
        found = comparison.differences.get(name)
        cells = [name, value(comparison, result)]
        if found is not None:
            smallest = found.smallest_detectable
            cells += [
                change(comparison, found),
                f"{found.wins} / {found.losses}",
                p_value(found.p_adjusted),
                "" if found.effect_size is None else f"{found.effect_size:+.2f}",
                "" if smallest is None else _writer(comparison, signed=True)(smallest).lstrip("+"),
                found.outcome,
            ]
        elif comparison.differences:
            cells += ["", "", "", "", "", "baseline"]
        rows.append(cells)
    return rows_table(headers if comparison.differences else headers[:2], rows)


def _ranges(comparison: Comparison) -> list[Range]:
    return [
        Range(
            label=name,
            low=result.interval.low,
            value=estimate(comparison, name),
            high=result.interval.high,
            words=value(comparison, result),
            kind=comparison.differences[name].outcome if name in comparison.differences else "",
        )
        for name, result in comparison.candidates.items()
    ]


def _cost_plot(comparison: Comparison) -> str:
    priced = [
        (each, usd)
        for each in _ranges(comparison)
        if (usd := comparison.candidates[each.label].usd_per_1000_calls) is not None
    ]
    if len(priced) < 2 or not any(usd for _, usd in priced):
        return ""
    return figure(
        f"By {comparison.grader}, over US dollars per 1,000 calls: up and left is better",
        scatter(
            [each for each, _ in priced],
            [usd for _, usd in priced],
            title="Quality over cost",
            x_title="US dollars per 1,000 calls",
            write_x=money,
            write_y=_writer(comparison),
        ),
    )


def _speed(evaluation: Evaluation) -> str:
    headers = [
        "Candidate",
        "p50",
        "p90",
        "p99",
        "Tokens read + written",
        "Per 1,000 calls",
        "Failed calls",
    ]
    rows = [
        [
            name,
            seconds(result.p50_latency_seconds),
            seconds(result.p90_latency_seconds),
            seconds(result.p99_latency_seconds),
            tokens(result),
            "unknown" if result.usd is None else money(result.usd_per_1000_calls),
            str(len(result.failed)),
        ]
        for name, result in evaluation.candidates.items()
    ]
    bases = "".join(
        f'<p class="note">{escape(basis)}</p>'
        for basis in dict.fromkeys(evaluation.price_bases.values())
    )
    return rows_table(headers, rows) + bases


def _descriptions(evaluation: Evaluation) -> str:
    items = [f"{name}: {said}." for name, said in evaluation.descriptions.items()]
    return sentences(items, kind="plain")


def _disagreements(comparison: Comparison) -> str:
    found = comparison.disagreements
    if not found:
        return ""
    names = list(comparison.candidates)
    head = "".join(f"<th>{escape(title)}</th>" for title in ("Row", "Reference", *names))
    body = "".join(_disagreement(each, names) for each in found[:_ROWS_SHOWN])
    first = f", the first {_ROWS_SHOWN} shown" if len(found) > _ROWS_SHOWN else ""
    is_open = " open" if len(found) <= 8 else ""
    return (
        f"<details{is_open}><summary>{plural(len(found), 'row')} of {len(comparison.references):,}{first}"
        f'</summary><div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        "</details>"
    )


def _disagreement(row: Disagreement, names: list[str]) -> str:
    cells = "".join(_answer(row.answers[name], row.grades[name]) for name in names)
    return (
        f"<tr><td class=number>{row.row}</td>"
        f'<td class="answer" dir="auto">{escape(shorten(row.reference, _ANSWER_COLUMNS))}</td>{cells}</tr>'
    )


def _answer(answer: Answer, grade: Grade) -> str:
    kind = "part" if grade.passed is None else "right" if grade.passed else "wrong"
    title = f' title="{escape(grade.reason)}"' if grade.reason else ""
    text = answer.text if answer.text is not None else f"(no answer: {answer.error})"
    score = "" if grade.score in (0.0, 1.0) else f" [{grade.score:.2f}]"
    return f'<td class="answer {kind}" dir="auto"{title}>{escape(shorten(text, _ANSWER_COLUMNS))}{score}</td>'


def _reading(comparison: Comparison) -> str:
    level = f"{comparison.confidence * 100:g} %"
    parts = [
        f"Intervals are for {level} confidence. All candidates answered the same rows, so differences are taken"
        " row by row: their intervals are what counts, not whether two intervals of single candidates overlap.",
        "“better” and “worse” are said only where the paired test says so after Holm's adjustment for all"
        " candidates and graders; “undecided” does not mean equal.",
        "The smallest detectable difference is what so many rows would show four times in five.",
        "Effect size is Cohen's h for shares and the difference over the standard deviation of the scores for"
        " means. In the table of rows, a green edge marks a right answer and a red one a wrong one.",
    ]
    return "".join(f"<p>{escape(part)}</p>" for part in parts)


def _writer(comparison: Comparison, *, signed: bool = False) -> Callable[[float], str]:
    """Return what writes a share or score for an axis; signed, a difference in points or of scores."""
    if comparison.measure == "accuracy" and signed:
        return lambda value: f"{100 * value:+.0f}"
    if comparison.measure == "accuracy":
        return lambda value: f"{100 * value:.0f}%"
    return "{:+.2g}".format if signed else "{:.2g}".format
