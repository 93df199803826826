"""A check's report as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

from gpt4o_tune._display import plural, shorten
from gpt4o_tune.data.checks import RULES
from gpt4o_tune.data.checks.repairs import value_at
from gpt4o_tune.data.decode import decode
from gpt4o_tune.data.privacy.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.data.checks import Rule
    from gpt4o_tune.data.dataset import Dataset
    from gpt4o_tune.data.report import CheckReport, Problem

_SHOWN_PER_CODE = 200
_EXCERPT_COLUMNS = 240
_TELLS_ENOUGH = 20
"""Characters; what is shorter is shown with what it stands in."""
_PAGE = "docs/reference/checks.md"


def page(report: CheckReport, rows: Dataset | None) -> str:
    """Write the page.

    Args:
        report: What was found.
        rows: The dataset that was checked, to show what stands at each place; without secrets and personal
            data. None shows messages only.
    """
    groups: dict[str, list[Problem]] = {}
    for problem in (*report.errors, *report.warnings):
        groups.setdefault(problem.code, []).append(problem)
    excerpts = _Excerpts(rows, {problem.line for problem in report.problems})
    rules = {rule.code: rule for rule in RULES}
    sections = "".join(_section(rules[code], found, excerpts) for code, found in groups.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(report.source)}: check</title><style>{_STYLE}</style></head><body>"
        f"{_head(report)}{_filters(groups)}<main>{sections or _NOTHING}</main>"
        f"<script>{_SCRIPT}</script></body></html>\n"
    )


def summary(report: CheckReport) -> str:
    """Write the verdict and a line per code, for a notebook."""
    counts: dict[tuple[str, str], list[Problem]] = {}
    for problem in (*report.errors, *report.warnings):
        counts.setdefault((problem.severity, problem.code), []).append(problem)
    lines = "".join(
        f"<tr><td>{severity}</td><td><code>{code}</code></td><td style='text-align:right'>{len(found):,}</td>"
        f"<td style='text-align:left'>{_place(found[0])}</td>"
        f"<td style='text-align:left'>{html.escape(shorten(found[0].message, 90))}</td></tr>"
        for (severity, code), found in counts.items()
    )
    head = "".join(f"<th>{title}</th>" for title in ("", "code", "count", "first", "what"))
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>" if lines else ""
    return f"<p><b>{_verdict(report)}</b> {html.escape(_scope(report))}</p>{body}"


def _verdict(report: CheckReport) -> str:
    if report.ok:
        return "Sound." if not report.warnings else "Sound, with warnings."
    return "Not ready: a launch would stop here."


def _scope(report: CheckReport) -> str:
    target = f"{report.model} at {report.provider}" if report.model else report.provider
    return f"{report.source}: {plural(report.rows, 'row')}, for {target} ({report.method})."


def _head(report: CheckReport) -> str:
    state = "bad" if report.errors else "fair" if report.warnings else "good"
    figures = "".join(
        f"<div><b>{count:,}</b><span>{title}</span></div>"
        for count, title in (
            (len(report.errors), "errors"),
            (len(report.warnings), "warnings"),
            (len({problem.line for problem in report.problems if problem.line}), "lines concerned"),
            (report.rows, "rows"),
        )
    )
    return (
        f'<header><p class="verdict {state}">{_verdict(report)}</p>'
        f"<h1>{html.escape(report.source)}</h1>"
        f"<p>{html.escape(_scope(report))}</p><div class='figures'>{figures}</div></header>"
    )


def _filters(groups: Mapping[str, Sequence[Problem]]) -> str:
    if not groups:
        return ""
    options = "".join(
        f'<option value="{code}">{code} ({len(found):,})</option>' for code, found in groups.items()
    )
    return (
        '<nav aria-label="Filter"><label>Severity <select id="severity"><option value="">all</option>'
        '<option value="error">errors</option><option value="warning">warnings</option></select></label>'
        f'<label>Rule <select id="code"><option value="">all</option>{options}</select></label>'
        '<output id="shown"></output></nav>'
    )


def _section(rule: Rule, found: Sequence[Problem], excerpts: _Excerpts) -> str:
    shown = found[:_SHOWN_PER_CODE]
    with_excerpts = [(problem, excerpts.of(problem)) for problem in shown]
    rows = "".join(_row(problem, excerpt) for problem, excerpt in with_excerpts)
    rest = len(found) - len(shown)
    more = f"<p class='more'>… and {rest:,} more; the JSON report has them all.</p>" if rest else ""
    about = html.escape((rule.check.__doc__ or "").strip().splitlines()[0])
    return (
        f'<details open id="{rule.code}" data-severity="{rule.severity}" data-count="{len(found)}">'
        f'<summary><span class="badge {rule.severity}">{rule.severity}</span> <code>{rule.code}</code>'
        f"<span class='count'>{len(found):,}</span></summary>"
        f"<p>{about} <span class='where'>More under <code>{rule.code}</code> in {_PAGE}.</span></p>"
        f"<p class='fix'><b>Fix</b> {html.escape(found[0].fix)}</p>"
        f"<table><thead><tr><th>Line</th><th>What and where</th></tr></thead><tbody>{rows}</tbody></table>{more}</details>"
    )


def _row(problem: Problem, excerpt: str) -> str:
    path = f"<code>{html.escape(problem.path)}</code>" if problem.path else ""
    text = f"<pre>{html.escape(excerpt)}</pre>" if excerpt else ""
    line = f"{problem.line:,}" if problem.line else "file"
    return f"<tr><td>{line}</td><td>{html.escape(problem.message)} {path}{text}</td></tr>"


def _place(problem: Problem) -> str:
    line = f"line {problem.line:,}" if problem.line else "the whole file"
    return html.escape(f"{line}, {problem.path}" if problem.path else line)


class _Excerpts:
    """What stands at the place of a problem, without secrets and personal data."""

    def __init__(self, rows: Dataset | None, lines: set[int]) -> None:
        self._rows = rows
        self._redactor = Redactor(None, "[{kind}]", ())
        places = enumerate(rows.lines) if rows is not None else ()
        self._numbers = {line: number for number, line in places if line in lines}

    def of(self, problem: Problem) -> str:
        """Return the text; empty where there is none to show."""
        number = self._numbers.get(problem.line)
        if self._rows is None or number is None:
            return ""
        raw = self._redactor.redact(problem.line, self._rows.raw(number))
        try:
            row = decode(raw)
        except ValueError:
            return shorten(raw.decode(errors="replace"), _EXCERPT_COLUMNS)
        value = value_at(row, problem.path)
        if not isinstance(value, dict | list) and len(str(value)) < _TELLS_ENOUGH:
            value = value_at(row, re.sub(r"(\.|^)[^.]*$", "", problem.path))
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return shorten(text, _EXCERPT_COLUMNS)


_NOTHING = "<p class='nothing'>No rule found anything.</p>"
_STYLE = """
:root{color-scheme:light dark;--ink:#1c2126;--soft:#5b6670;--line:#dfe3e7;--paper:#fff;--shade:#f5f7f8;
--bad:#b3261e;--fair:#8a5a00;--good:#1b6e3c}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5af;--line:#343b42;--paper:#15191d;--shade:#1d2227;
--bad:#ff8a80;--fair:#f0b955;--good:#7fd6a2}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:66rem;padding:2rem 1.25rem 4rem;background:var(--paper);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{margin:.1rem 0;font-size:1.5rem;overflow-wrap:anywhere}
header p{margin:.2rem 0;color:var(--soft);overflow-wrap:anywhere}
.verdict{font-weight:600}.verdict.bad{color:var(--bad)}.verdict.fair{color:var(--fair)}.verdict.good{color:var(--good)}
.figures{display:flex;flex-wrap:wrap;gap:2.5rem;margin:1.25rem 0}
.figures b{display:block;font-size:1.6rem;line-height:1.2;font-variant-numeric:tabular-nums}
.figures span{color:var(--soft)}
nav{display:flex;flex-wrap:wrap;gap:1rem;align-items:center;padding:.6rem 0;border-block:1px solid var(--line);
position:sticky;top:0;background:var(--paper)}
nav label{color:var(--soft)}select{font:inherit;padding:.15rem .3rem;max-width:18rem}output{margin-left:auto;color:var(--soft)}
details{border-bottom:1px solid var(--line);padding:.8rem 0}
summary{cursor:pointer;display:flex;gap:.6rem;align-items:center;list-style-position:inside}
summary code{font-size:1.05em;font-weight:600}.count{margin-left:auto;color:var(--soft);font-variant-numeric:tabular-nums}
.badge{font-size:.75rem;font-weight:600;border:1px solid;border-radius:1rem;padding:0 .55rem}
.badge.error{color:var(--bad)}.badge.warning{color:var(--fair)}
details p{margin:.5rem 0}.where,.more{color:var(--soft)}
.fix{background:var(--shade);border-radius:.4rem;padding:.45rem .7rem}.fix b{margin-right:.4rem}
table{border-collapse:collapse;width:100%}
th{text-align:left;color:var(--soft);font-weight:500;font-size:.85rem}
td,th{padding:.35rem .6rem .35rem 0;vertical-align:top;border-top:1px solid var(--line);overflow-wrap:anywhere}
thead th{border-top:0}td:first-child,th:first-child{width:5rem;text-align:right;padding-right:1rem;
font-variant-numeric:tabular-nums;color:var(--soft)}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.88em}
td code{color:var(--soft)}
pre{margin:.3rem 0 0;padding:.35rem .6rem;background:var(--shade);border-radius:.4rem;white-space:pre-wrap;overflow-wrap:anywhere}
[hidden]{display:none}
"""
_SCRIPT = """
const severity=document.getElementById("severity"),code=document.getElementById("code");
function show(){let rules=0,problems=0;
for(const part of document.querySelectorAll("details")){
part.hidden=(severity.value&&part.dataset.severity!==severity.value)||(code.value&&part.id!==code.value);
if(!part.hidden){rules+=1;problems+=Number(part.dataset.count)}}
document.getElementById("shown").textContent=problems.toLocaleString("en")+" shown, "+rules+(rules===1?" rule":" rules")}
if(severity){severity.onchange=code.onchange=show;show()}
"""
