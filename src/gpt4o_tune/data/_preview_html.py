"""A preview as HTML: a fragment for a notebook, or a page of its own."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from gpt4o_tune._display import plural
from gpt4o_tune.data._preview_text import abridged, counts, heading, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune.data.preview import Preview, PreviewMessage, PreviewPart

# Half-transparent colours over whatever the page has, so that one set serves light and dark ground.
_STYLE = """
.g4t-preview{font:14px/1.55 system-ui,sans-serif;max-width:72rem}
.g4t-preview .row{display:grid;grid-template-columns:11rem 1fr;gap:.2rem 1.2rem;padding:.6rem 0;
border-top:1px solid rgba(128,128,128,.3)}
.g4t-preview .side{text-align:right;font-size:12px}
.g4t-preview .side b{display:block;font-size:14px;overflow-wrap:anywhere}
.g4t-preview .side span{opacity:.75}
.g4t-preview p{margin:0 0 .3rem;white-space:pre-wrap;overflow-wrap:anywhere;
font:13px/1.7 ui-monospace,Menlo,Consolas,monospace}
.g4t-preview p span,.g4t-preview p s{padding:.1em 0;border-radius:2px}
.g4t-preview p>*{background:rgba(128,128,128,.10)}
.g4t-preview p>*:nth-child(even){background:rgba(128,128,128,.24)}
.g4t-preview p.trained>*{background:rgba(46,160,67,.28)}
.g4t-preview p.trained>*:nth-child(even){background:rgba(46,160,67,.50)}
.g4t-preview p>s,.g4t-preview p.trained>s{background:rgba(229,83,75,.18);opacity:.7}
.g4t-preview p>s:nth-child(even),.g4t-preview p.trained>s:nth-child(even){background:rgba(229,83,75,.34)}
.g4t-preview p>em:nth-child(n),.g4t-preview p.trained>em:nth-child(n){background:none;opacity:.7}
.g4t-preview .legend{font-size:12px;padding-top:.6rem;border-top:1px solid rgba(128,128,128,.3)}
.g4t-preview .legend p{display:inline;font-size:12px;margin-right:1em}
@media (max-width:40rem){.g4t-preview .row{grid-template-columns:1fr}.g4t-preview .side{text-align:left}}
"""


def page(preview: Preview) -> str:
    """Write a preview as a whole page."""
    title = html.escape(f"{visible(preview.source)}, line {preview.line:,}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>body{{margin:1.5rem auto;max-width:72rem;padding:0 1rem}}</style>"
        f"</head><body>{fragment(preview)}</body></html>"
    )


def fragment(preview: Preview) -> str:
    """Write a preview as an element with its own style."""
    return (
        f'<div class="g4t-preview"><style>{_STYLE}</style>'
        f"<div>{html.escape(heading(preview))}</div><br>"
        f"{''.join(_tools(preview))}{''.join(map(_message, preview.messages))}"
        f"{_row('reply priming', plural(preview.priming_tokens, 'token'), '')}"
        f"{_legend(preview)}</div>"
    )


def _row(title: str, side: str, body: str) -> str:
    return (
        f'<div class="row"><div class="side"><b>{html.escape(title)}</b>'
        f"<span>{html.escape(side)}</span></div><div>{body}</div></div>"
    )


def _tools(preview: Preview) -> Iterator[str]:
    if preview.tools:
        body = "".join(
            f"<p>{html.escape(visible(tool.definition))} <em>{plural(tool.tokens, 'token')}</em></p>"
            for tool in preview.tools
        )
        yield _row("tools", plural(preview.tool_tokens, "token"), body)


def _message(message: PreviewMessage) -> str:
    trained = ", trained" if message.is_trained else ""
    return _row(
        f"{visible(message.title)}{trained}",
        counts(message),
        "".join(map(_part, message.parts)),
    )


def _part(part: PreviewPart) -> str:
    if part.kind == "image":
        tag = "s" if part.cut else "span"
        note = html.escape(f"image: {visible(part.note)}: {plural(part.tokens, 'token')}")
        return f"<p><{tag}>{note}</{tag}></p>"
    label = {"call": "<em>calls</em> ", "arguments": "<em>with</em> "}.get(part.kind, "")
    kind = ' class="trained"' if part.is_trained else ""
    return f"<p{kind}>{label}{''.join(_pieces(part))}</p>"


def _pieces(part: PreviewPart) -> Iterator[str]:
    for piece in abridged(part.pieces):
        if isinstance(piece, int):
            yield f"<em>\n… {plural(piece, 'token')} not shown …\n</em>"
            continue
        tag = "s" if piece.is_cut else "span"
        title = f' title="{piece.tokens} tokens"' if piece.tokens > 1 else ""
        yield f"<{tag}{title}>{html.escape(visible(piece.text))}</{tag}>"


def _legend(preview: Preview) -> str:
    cut = "<p><s>cut off</s></p>" if preview.cut else ""
    return (
        '<div class="legend"><p class="trained"><span>trained</span></p><p><span>context</span></p>'
        f"{cut}shades alternate from token to token</div>"
    )
