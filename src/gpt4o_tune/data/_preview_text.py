"""A preview for a terminal: lines with marks at their left, or colours."""

from __future__ import annotations

import unicodedata
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from gpt4o_tune._display import paragraph, plural, width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpt4o_tune.data.preview import Piece, Preview, PreviewMessage, PreviewPart

_COLUMNS = 100
_GUTTER = {"trained": "▌ ", "cut": "✗ ", "context": "  "}
_TOKEN_END = "¦"  # noqa: S105  # of a text, no secret

_RESET = "\x1b[0m"
# Two shades each, so that neighbouring tokens can be told apart on dark and on light ground.
_SHADES = {
    "trained": ("\x1b[30;42m", "\x1b[30;102m"),
    "cut": ("\x1b[9;31m", "\x1b[9;91m"),
    "context": ("", "\x1b[2m"),
}

ENDS = 150
"""Pieces shown of each end of a long text."""


def render(preview: Preview, *, color: bool) -> str:
    """Write a preview as text of at most 100 columns."""
    return "\n".join(
        [
            heading(preview),
            *_tools(preview),
            *(line for message in preview.messages for line in _message(message, color=color)),
            "",
            f"reply priming: {plural(preview.priming_tokens, 'token')}",
            _legend(preview, color=color),
        ]
    )


def heading(preview: Preview) -> str:
    """Say which row it is and how its tokens divide."""
    text = (
        f"{visible(preview.source)}, line {preview.line:,} for {preview.model}: "
        f"{plural(preview.total, 'token')}, {preview.trained:,} trained, {preview.context:,} context"
    )
    if preview.cut:
        text += f", {preview.cut:,} cut off beyond {preview.training_context:,}"
    return paragraph(text)


def counts(message: PreviewMessage) -> str:
    """Say how the tokens of a message divide."""
    parts = ", ".join(f"{tokens:,} {kind}" for kind, tokens in message.counts)
    return f"{plural(message.tokens, 'token')} ({parts})"


def visible(text: str) -> str:
    """Replace characters that steer a terminal or cannot be seen by signs that can."""
    return text if text.isprintable() else "".join(map(_sign, text))


def abridged(pieces: Sequence[Piece]) -> Iterator[Piece | int]:
    """Yield the pieces of a text, or only the ends of it and the number of tokens between them.

    What is kept and what is cut off are shortened each by itself, so that the place of the cut is seen.
    """
    kept = sum(not piece.is_cut for piece in pieces)
    for run in (pieces[:kept], pieces[kept:]):
        if len(run) <= 3 * ENDS:
            yield from run
        else:
            yield from run[:ENDS]
            yield sum(piece.tokens for piece in run[ENDS:-ENDS])
            yield from run[-ENDS:]


def _sign(char: str) -> str:
    if char == "\n":
        return "↵\n"
    if char < " ":
        return chr(0x2400 + ord(char))
    if char == "\x7f":
        return "\u2421"
    # Joiners and selectors hold an emoji together and steer nothing.
    if char.isprintable() or char == "\u200d" or unicodedata.category(char) == "Zs":
        return char
    return f"⟨U+{ord(char):04X}⟩"


def _tools(preview: Preview) -> Iterator[str]:
    if not preview.tools:
        return
    yield ""
    yield f"tools: {plural(preview.tool_tokens, 'token')}"
    for tool in preview.tools:
        text = visible(tool.definition)
        yield paragraph(f"{text} ({plural(tool.tokens, 'token')})", indent="  ")


def _message(message: PreviewMessage, *, color: bool) -> Iterator[str]:
    trained = ", trained" if message.is_trained else ""
    yield ""
    yield f"{visible(message.title)}{trained}: {counts(message)}"
    for part in message.parts:
        if part.kind == "image":
            gutter = _GUTTER["cut" if part.cut else "context"]
            yield f"{gutter}[image: {visible(part.note)}: {plural(part.tokens, 'token')}]"
        else:
            if part.kind != "text":
                yield f"  {'calls' if part.kind == 'call' else 'with'}"
            yield from _text(part, color=color)


def _text(part: PreviewPart, *, color: bool) -> Iterator[str]:
    """Yield the lines of a text; a line is all trained, all context or all cut off."""
    lines = _Lines(color=color)
    shade = 0
    for piece in abridged(part.pieces):
        if isinstance(piece, int):
            lines.write(f"\n… {plural(piece, 'token')} not shown …\n", shade=0)
            continue
        lines.turn("cut" if piece.is_cut else "trained" if part.is_trained else "context")
        text = visible(piece.text) + ("" if color else _TOKEN_END * piece.tokens)
        lines.write(text, shade=shade)
        shade = 1 - shade
    return lines.close()


class _Lines:
    """Lines that fill up character by character and begin with the mark of their state."""

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._state = "context"
        self._cells: list[tuple[str, str]] = []
        """Style and character."""
        self._used = 0
        self._done: list[str] = []

    def turn(self, state: str) -> None:
        """Begin a new line where the state changes."""
        if state != self._state:
            self._end_line()
            self._state = state

    def write(self, text: str, *, shade: int) -> None:
        """Add text, breaking lines that are full; a token is divided only if no line can hold it."""
        style = _SHADES[self._state][shade] if self._color else ""
        room = _COLUMNS - len(_GUTTER[self._state])
        if self._used + width(text.split("\n")[0]) > room >= width(text):
            self._end_line()
        for char in text:
            columns = width(char)
            if char == "\n" or self._used + columns > room:
                self._end_line()
            if char != "\n":
                self._cells.append((style, char))
                self._used += columns

    def close(self) -> Iterator[str]:
        """Return all lines."""
        self._end_line()
        return iter(self._done)

    def _end_line(self) -> None:
        if self._cells:
            runs = (
                (style, "".join(char for _, char in cells))
                for style, cells in groupby(self._cells, key=itemgetter(0))
            )
            text = "".join(f"{style}{run}{_RESET}" if style else run for style, run in runs)
            self._done.append(_GUTTER[self._state] + text)
        self._cells = []
        self._used = 0


def _legend(preview: Preview, *, color: bool) -> str:
    signs = ["▌ trained"]
    if preview.cut:
        signs.append("✗ cut off")
    signs.append(
        "shades alternate from token to token" if color else f"{_TOKEN_END} end of a token"
    )
    return "   ".join(signs)
