"""A recommendation as one self-contained HTML page, with the cost of each candidate over the number of calls."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from gpt4o_tune._display import money
from gpt4o_tune.evaluation._page_frame import figure, frame, rows_table, section, sentences
from gpt4o_tune.evaluation._plots import Line, lines

if TYPE_CHECKING:
    from gpt4o_tune.evaluation.recommendation import Recommendation


def page(found: Recommendation) -> str:
    """Write the whole page."""
    scope = f"By {found.grader}, at {found.calls_per_month:,.0f} calls a month for {found.months:g} months."
    return frame(
        f"Recommendation: {found.choice}",
        [
            f'<header><p class="lead">Recommendation</p><h1 dir="auto">Take {escape(found.choice)}</h1>'
            f'<p class="lead">{escape(scope)}</p></header>',
            section(
                "Why", sentences(found.reasons, kind="warnings") + f"<p>{escape(found.rule)}</p>"
            ),
            section("Cost over the number of calls", _plot(found)),
            section("All candidates", _table(found)),
        ],
    )


def _plot(found: Recommendation) -> str:
    priced = [
        Line(
            label=each.name,
            start=each.fixed_usd,
            slope=each.usd_per_1000_calls / 1000,
            is_chosen=each.name == found.choice,
        )
        for each in found.options
        if each.usd_per_1000_calls is not None
    ]
    calls = found.calls_per_month * found.months
    if not calls or not any(each.start or each.slope for each in priced):
        return ""
    crossings = [each.break_even_calls or 0 for each in found.options]
    until = max([calls, *(each for each in crossings if each <= 3 * calls)])
    return figure(
        "Training, hosting for all months, and calls, in US dollars; the recommended one is drawn thicker",
        lines(
            priced,
            until=until,
            title="Cost over the number of calls",
            x_title="Calls over the whole time",
            write_x="{:,.0f}".format,
            write_y=money,
        ),
    )


def _table(found: Recommendation) -> str:
    headers = [
        "Candidate",
        "Estimate",
        "Per 1,000 calls",
        "Fixed",
        "Total",
        "Break-even, calls",
        "Verdict",
    ]
    return rows_table(
        headers,
        [
            [
                each.name,
                f"{each.estimate:.3f}",
                "unknown" if each.usd_per_1000_calls is None else money(each.usd_per_1000_calls),
                money(each.fixed_usd),
                "unknown" if each.total_usd is None else money(each.total_usd),
                "never" if each.break_even_calls is None else f"{each.break_even_calls:,}",
                each.verdict,
            ]
            for each in found.options
        ],
    )
