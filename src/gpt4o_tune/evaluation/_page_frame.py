"""What pages about results share: the frame, the style, and small pieces."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from gpt4o_tune.data.quality._style import STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence

_OWN = """
.range line{stroke:var(--bar);stroke-width:2}.range circle{fill:var(--bar)}
.range.better line,.line.chosen line{stroke:var(--good)}.range.better circle{fill:var(--good)}
.range.worse line{stroke:var(--act)}.range.worse circle{fill:var(--act)}
.line line{stroke:var(--bar);stroke-width:2}.line.chosen line{stroke-width:3.5}
.grid{stroke:var(--line);stroke-width:1}div.grid{stroke:none}
.leader{fill:none;stroke:var(--soft);stroke-width:.75}
svg text.name{fill:var(--ink)}
:root{--good:#1b6e3c}@media (prefers-color-scheme:dark){:root{--good:#7fd6a2}}
.verdicts{list-style:none;padding:0;margin:.8rem 0 0}.verdicts li{padding:.35rem 0;max-width:60rem}
.tag{font-weight:700;margin-right:.5rem}.tag.better{color:var(--good)}.tag.worse{color:var(--act)}
.tag.undecided{color:var(--look)}
figure{margin:1.2rem 0;overflow-x:auto}figure svg.plot{min-width:40rem;overflow:hidden}svg text{font-size:12px}
tbody th{min-width:9rem}figcaption{margin-bottom:.3rem}
.warnings li{max-width:60rem;margin:.3rem 0}
td.answer{white-space:pre-wrap;overflow-wrap:anywhere;min-width:9rem;max-width:22rem}
td.right{box-shadow:inset 3px 0 var(--good);padding-left:.6rem}td.wrong{box-shadow:inset 3px 0 var(--act);padding-left:.6rem}
td.part{box-shadow:inset 3px 0 var(--look);padding-left:.6rem}
"""


def frame(title: str, sections: Sequence[str]) -> str:
    """Write a whole page that needs no other file and runs nothing."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src '
        "'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}{_OWN}</style></head>\n"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def section(title: str, body: str) -> str:
    """Write a section; nothing where it has no body."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>\n" if body else ""


def figure(caption: str, plot: str) -> str:
    """Write a plot below its caption."""
    return f"<figure><figcaption>{escape(caption)}</figcaption>{plot}</figure>"


def rows_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table whose first column names the row; all others are figures."""
    first, *others = headers
    head = f"<th>{escape(first)}</th>" + "".join(
        f"<th class=number>{escape(title)}</th>" for title in others
    )
    body = "".join(
        f'<tr><th scope="row" dir="auto">{escape(name)}</th>'
        + "".join(f"<td class=number>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def sentences(items: Sequence[str], *, kind: str) -> str:
    """Write sentences as a list; nothing where there are none."""
    lines = "".join(f'<li dir="auto">{escape(item)}</li>' for item in items)
    return f'<ul class="{kind}">{lines}</ul>' if items else ""
