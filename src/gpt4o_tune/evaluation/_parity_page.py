"""A parity as text within 100 columns, and as HTML."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from gpt4o_tune._display import html_table, html_text, paragraph, plural, shorten, table

if TYPE_CHECKING:
    from gpt4o_tune.evaluation.parity import Parity, ParityShare

_WORST_SHOWN = 5


def text(parity: Parity) -> str:
    """Write the verdict with its rule, the measures, the worst rows and the warnings."""
    return "\n\n".join(
        [
            _head(parity),
            table(*_measures(parity), align="<>>>>"),
            "\n".join(map(paragraph, _manner(parity))),
            *(
                [f"{_worst_title(parity)}\n\n{table(*_worst(parity, 90), align='>')}"]
                if parity.worst
                else []
            ),
            *([_warnings(parity)] if parity.warnings else []),
        ]
    )


def page(parity: Parity) -> str:
    """Write the same as HTML, with longer answers."""
    manner = "<br>".join(map(html.escape, _manner(parity)))
    parts = [html_text(_head(parity)), html_table(*_measures(parity)), f"<p>{manner}</p>"]
    if parity.worst:
        title = html.escape(_worst_title(parity))
        parts.append(f"<p>{title}</p>{html_table(*_worst(parity, 240))}")
    if parity.warnings:
        parts.append(html_text(_warnings(parity)))
    return "".join(parts)


def _head(parity: Parity) -> str:
    outcome = {
        "equivalent": "no worse" if parity.equivalence.is_one_sided else "equivalent",
    }.get(parity.outcome, parity.outcome)
    return "\n".join(
        [
            f"Parity: {outcome} (margin {100 * parity.equivalence.margin:g} points,"
            f" {plural(parity.equivalence.rows, 'row')})",
            f"  old  {parity.old}",
            f"  new  {parity.new}",
            "",
            paragraph(f"By {parity.basis}: {parity.equivalence.verdict}"),
            paragraph(f"Rule: {parity.rule}"),
        ]
    )


def _measures(parity: Parity) -> tuple[list[str], list[list[str]]]:
    headers = ["agreement", "rows", "old with new (95% CI)", "old with itself", "new with itself"]
    return headers, [_measure(each) for each in parity.agreements]


def _measure(each: ParityShare) -> list[str]:
    low, high = 100 * each.interval.low, 100 * each.interval.high
    return [
        each.respect,
        f"{each.rows:,}",
        f"{100 * each.share:.1f}% ({low:.1f} to {high:.1f})",
        _percent(each.own_old),
        _percent(each.own_new),
    ]


def _manner(parity: Parity) -> list[str]:
    lines: list[str] = []
    if parity.old_score is not None and parity.new_score is not None:
        lines.append(
            f"score by {parity.grader}: old {100 * parity.old_score:.1f}%,"
            f" new {100 * parity.new_score:.1f}%"
        )
    if parity.length is not None:
        lines.append(f"length of new by old: {parity.length.verdict}")
    if parity.format is not None:
        lines.append(f"format of new by old: {parity.format.verdict}")
    lines.append(
        "log-probabilities: not given by both" if parity.logprobs is None else str(parity.logprobs)
    )
    return lines


def _worst_title(parity: Parity) -> str:
    shown = min(_WORST_SHOWN, len(parity.worst))
    return f"worst {shown} of {plural(len(parity.worst), 'row')} that differ (all in .worst)"


def _worst(parity: Parity, columns: int) -> tuple[list[str], list[list[str]]]:
    """Lay out the worst rows, their texts cut so that all columns of a row share so many characters."""
    shown = parity.worst[:_WORST_SHOWN]
    cells = [[each.question, each.reference, str(each.old), str(each.new)] for each in shown]
    headers = ["asked", "wanted", "old", "new"]
    if not any(each.reference for each in shown):
        headers.remove("wanted")
        cells = [[asked, *answers] for asked, _, *answers in cells]
    each_width = columns // len(headers)
    rows = [
        [str(each.row), *(shorten(cell, each_width) for cell in line)]
        for each, line in zip(shown, cells, strict=True)
    ]
    return ["row", *headers], rows


def _warnings(parity: Parity) -> str:
    return "\n".join(paragraph(f"warning: {each}") for each in parity.warnings)


def _percent(share: float | None) -> str:
    return "not measured" if share is None else f"{100 * share:.1f}%"
