"""A cost table as text of at most 100 columns, and as HTML; models without any price stand below it."""

from __future__ import annotations

import html
from itertools import groupby
from typing import TYPE_CHECKING

from gpt4o_tune._display import money, paragraph, plural, table
from gpt4o_tune.catalog import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpt4o_tune.data.cost_table import CostRow, CostTable

_HEADERS = (
    "model",
    "tokens",
    "training",
    "hosting/mo",
    "calls/mo",
    "total",
    "1k calls",
    "served to",
)

_SHOWN_MODELS = 5

_STYLE = """
.g4t-costs{font:14px/1.5 system-ui,sans-serif;overflow-x:auto}
.g4t-costs table{border-collapse:collapse;font-variant-numeric:tabular-nums}
.g4t-costs th,.g4t-costs td{padding:.3em .9em;text-align:right;border-bottom:1px solid rgba(128,128,128,.3)}
.g4t-costs th:first-child,.g4t-costs td:first-child{text-align:left}
.g4t-costs tbody th{padding-top:1.1em}
.g4t-costs tr.ended td{opacity:.55}
.g4t-costs td[title]{cursor:help}
.g4t-costs p{max-width:60rem;margin:.7em 0;font-size:13px;opacity:.85}
"""


def render(costs: CostTable) -> str:
    """Write a cost table as text."""
    priced = [row for row in costs.rows if row.at_least_usd is not None]
    lines = [[row.model, *_cells(row, costs)] for row in priced]
    ruled = table(_HEADERS, lines, align="<>>>>>>").split("\n")
    parts = [paragraph(_heading(costs)), "", *ruled[:2]]
    body = iter(ruled[2:])
    for title, rows in groupby(priced, key=_section):
        parts += [title, *(next(body) for _ in rows)]
    return "\n".join([*parts, "", *(paragraph(note, indent="  ") for note in _notes(costs))])


def page(costs: CostTable) -> str:
    """Write a cost table as a whole page."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width">'
        "<title>What training costs</title><style>body{margin:1.5rem}</style>"
        f"</head><body>{fragment(costs)}</body></html>"
    )


def fragment(costs: CostTable) -> str:
    """Write a cost table as an element with its own style; each figure says its basis on hovering."""
    priced = [row for row in costs.rows if row.at_least_usd is not None]
    head = "".join(f"<th>{html.escape(title)}</th>" for title in _HEADERS)
    body = "".join(
        f'<tr><th colspan="{len(_HEADERS)}">{html.escape(title)}</th></tr>'
        + "".join(_html_row(row, costs) for row in rows)
        for title, rows in groupby(priced, key=_section)
    )
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in _notes(costs))
    return (
        f'<div class="g4t-costs"><style>{_STYLE}</style><p>{html.escape(_heading(costs))}</p>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}</div>"
    )


def _html_row(row: CostRow, costs: CostTable) -> str:
    basis = row.basis
    titles = (
        f"{basis['tokens']} {basis['epochs']}",
        basis["training"],
        basis["hosting"],
        basis["inference"],
        "Training, and hosting and calls for all months.",
        basis["inference"],
        f"{basis['serving_ends']} {basis['sources']}",
    )
    cells = "".join(
        f'<td title="{html.escape(title)}">{html.escape(cell)}</td>'
        for cell, title in zip(_cells(row, costs), titles, strict=True)
    )
    ended = "" if row.is_open else ' class="ended"'
    return f"<tr{ended}><td>{html.escape(row.model)}</td>{cells}</tr>"


def _cells(row: CostRow, costs: CostTable) -> tuple[str, ...]:
    return (
        _compact(row.training.tokens) + ("*" if row.rows_cut else ""),
        _usd(row.training.usd),
        _usd(row.hosting_usd_per_month),
        _usd(row.inference_usd_per_month) if costs.usage.calls_per_month else "-",
        _usd(row.total_usd) if row.total_usd is not None else f"≥ {_usd(row.at_least_usd)}",
        _usd(row.usd_per_1000_calls),
        f"{row.serving_ends or 'no date'}" + ("†" if _ends_early(row, costs) else ""),
    )


def _usd(amount: float | None) -> str:
    if amount is None:
        return "unknown"
    return f"${amount:,.0f}" if amount >= 1000 else money(amount)


def _compact(tokens: int) -> str:
    return f"{tokens:,}" if tokens < 10_000_000 else f"{tokens / 1_000_000:,.1f}M"


def _section(row: CostRow) -> str:
    title = load().service(row.provider).title
    return title if row.is_open else f"{title}: takes no new jobs, for comparison"


def _ends_early(row: CostRow, costs: CostTable) -> bool:
    """Tell whether an open model is switched off before the months are over."""
    if row.serving_ends is None or not row.is_open:
        return False
    return (row.serving_ends - costs.on).days < costs.usage.months * 365 / 12


def _heading(costs: CostTable) -> str:
    usage = costs.usage
    calls = f"{usage.calls_per_month:,.0f} calls a month" if usage.calls_per_month else "no calls"
    months = f"{usage.months:g} month" + ("" if usage.months == 1 else "s")
    # All models take as many: the rule looks at the number of rows only.
    times = f", {plural(costs.rows[0].training.epochs, 'epoch')}" if costs.rows else ""
    return (
        f"{plural(costs.examples, costs.format + ' row')}{times}; {calls} for {months}. US dollars, estimated "
        f"for {costs.on}."
    )


def _notes(costs: CostTable) -> Iterator[str]:
    """Yield what the figures rest on, and what is not in the table."""
    priced = [row for row in costs.rows if row.at_least_usd is not None]
    if priced:
        first = priced[0]
        yield from dict.fromkeys(row.basis["training"] for row in priced)
        yield f"Tokens billed, by each model's own tokenizer. {first.model}: {first.basis['tokens']}"
        yield first.basis["epochs"]
        yield from _usage_notes(costs, first)
        yield "Every row of the table names its sources and their dates in row.basis."
        yield from _eligibility_notes(priced)
    if most := max((row.rows_cut for row in costs.rows), default=0):
        yield (
            f"* Up to {plural(most, 'row')} longer than the training context; the end is cut off and not billed."
        )
    if any(_ends_early(row, costs) for row in costs.rows):
        yield "† Switched off before the time is over; the total is that of the whole time all the same."
    if unknown := [row for row in costs.rows if row.at_least_usd is None]:
        yield f"No source gives a price: {_named((row.model, row.provider) for row in unknown)}."
    reasons = sorted(costs.left_out, key=lambda left: left.reason)
    for reason, left in groupby(reasons, key=lambda left: left.reason):
        yield f"Left out, as {reason}: {_named((each.model, each.provider) for each in left)}."


def _usage_notes(costs: CostTable, first: CostRow) -> Iterator[str]:
    usage = costs.usage
    if first.output_tokens is None:
        yield "Calls: these rows hold no answer; give output_tokens."
    else:
        given = usage.input_tokens is not None and usage.output_tokens is not None
        origin = "as given" if given else f"the mean of the rows, by the tokenizer of {first.model}"
        yield (
            f"Calls: {first.input_tokens:,.0f} tokens read and {first.output_tokens:,.0f} written, {origin}; "
            "nothing cached, no batches."
        )
    if any(row.hosting_usd_per_month for row in costs.rows):
        yield f"Hosting: {usage.hosting_hours:,.0f} hours a month, used or not."


def _eligibility_notes(rows: Iterable[CostRow]) -> Iterator[str]:
    """Yield who may create jobs, and for which models that holds."""
    models: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        if row.is_open and row.eligibility:
            models.setdefault(row.eligibility, []).append((row.model, row.provider))
    for sentence, held_for in models.items():
        yield f"{sentence}: {_named(held_for)}."


def _named(models: Iterable[tuple[str, str]]) -> str:
    """Name models with their providers, the first few of many."""
    providers: dict[str, list[str]] = {}
    for model, provider in models:
        providers.setdefault(model, []).append(provider)
    named = [f"{model} ({', '.join(places)})" for model, places in providers.items()]
    more = f" and {len(named) - _SHOWN_MODELS} more" if len(named) > _SHOWN_MODELS else ""
    return ", ".join(named[:_SHOWN_MODELS]) + more
