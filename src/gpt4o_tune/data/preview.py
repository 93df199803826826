"""One row as a model sees it: token by token, what is trained, what is cut off, and what each message costs.

Every figure is asked of the counter that `Dataset.tokens` uses, part by part, so the parts of a preview add
up to the row's count. The published formula says how many tokens stand around a text, not where: here a
message's frame comes before its text, tools before all messages, and the reply priming at the end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from gpt4o_tune.data import _turns
from gpt4o_tune.data._pieces import pieces
from gpt4o_tune.data.images import read_data_url
from gpt4o_tune.data.tokens import count_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gpt4o_tune.catalog import Model

__all__ = ["Piece", "Preview", "PreviewMessage", "PreviewPart", "PreviewTool", "preview"]

Output: TypeAlias = Literal["preferred", "non_preferred"]
PartKind: TypeAlias = Literal["text", "call", "arguments", "image"]


class Piece(NamedTuple):
    """A token as text, or some that only together make whole characters."""

    text: str
    tokens: int
    is_cut: bool
    """Whether it, or a part of it, lies beyond the training context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewPart:
    """One text, function call or image of a message."""

    kind: PartKind
    tokens: int
    cut: int
    """Of these, tokens beyond the training context."""
    is_trained: bool
    pieces: tuple[Piece, ...]
    """Its text, cut where tokens end; of an image none."""
    note: str
    """What an image is: its size and detail, and where it comes from. Empty for text."""

    def to_dict(self) -> dict[str, object]:
        """Return the part as plain values, ready for `json.dumps`."""
        return {
            "kind": self.kind,
            "tokens": self.tokens,
            "cut": self.cut,
            "is_trained": self.is_trained,
            "pieces": [piece.text for piece in self.pieces],
            "note": self.note,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewMessage:
    """One message of a row and its tokens."""

    role: str
    name: str
    """Empty where the message has none."""
    output: Output | None
    """Which output of a preference row it belongs to; None for all else."""
    is_trained: bool
    """Whether the model learns to write it."""
    frame_tokens: int
    """What the chat format puts around every message, and the role."""
    name_tokens: int
    frame_cut: int
    """Tokens of frame and name beyond the training context."""
    parts: tuple[PreviewPart, ...]

    @property
    def text_tokens(self) -> int:
        """Tokens of what the message says."""
        return sum(part.tokens for part in self.parts if part.kind == "text")

    @property
    def call_tokens(self) -> int:
        """Tokens of the names and arguments of the functions that it calls."""
        return sum(part.tokens for part in self.parts if part.kind in ("call", "arguments"))

    @property
    def image_tokens(self) -> int:
        """Tokens of the images that it shows."""
        return sum(part.tokens for part in self.parts if part.kind == "image")

    @property
    def tokens(self) -> int:
        """All tokens of the message."""
        return self.frame_tokens + self.name_tokens + sum(part.tokens for part in self.parts)

    @property
    def trained(self) -> int:
        """Tokens that are learned: those of a target, as far as the training context reaches."""
        return sum(part.tokens - part.cut for part in self.parts if part.is_trained)

    @property
    def cut(self) -> int:
        """Tokens beyond the training context."""
        return self.frame_cut + sum(part.cut for part in self.parts)

    @property
    def title(self) -> str:
        """Role and name, and which output of a preference row it is."""
        output = f"{self.output.replace('_', '-')} output, " if self.output else ""
        return f"{output}{self.role or 'no role'}" + (f" {self.name!r}" if self.name else "")

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """The tokens by kind, without kinds that the message has none of."""
        by_kind = (
            ("text", self.text_tokens),
            ("calls", self.call_tokens),
            ("images", self.image_tokens),
            ("name", self.name_tokens),
            ("frame", self.frame_tokens),
        )
        return tuple((kind, tokens) for kind, tokens in by_kind if tokens)

    def to_dict(self) -> dict[str, object]:
        """Return the message as plain values, ready for `json.dumps`."""
        return {
            "role": self.role,
            "name": self.name or None,
            "output": self.output,
            "is_trained": self.is_trained,
            "tokens": self.tokens,
            "trained": self.trained,
            "cut": self.cut,
            **{f"{kind}_tokens": tokens for kind, tokens in self.counts},
            "parts": [part.to_dict() for part in self.parts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewTool:
    """A function that a row declares."""

    name: str
    tokens: int
    definition: str
    """As JSON. The service turns it into text of its own, which is not published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A row as the model sees it. `trained`, `context` and `cut` add up to `total`."""

    model: str
    encoding: str
    source: str
    line: int
    """Line of the file, or number of the record, from 1."""
    training_context: int | None
    """Tokens that the model can train on; what lies beyond is cut off. None where no source gives it."""
    tools: tuple[PreviewTool, ...]
    tool_tokens: int
    """Tokens of all tools together, with what comes once for all of them."""
    messages: tuple[PreviewMessage, ...]
    priming_tokens: int
    """Once per row: what opens the reply."""
    total: int

    @property
    def trained(self) -> int:
        """Tokens that the model learns to write."""
        return sum(message.trained for message in self.messages)

    @property
    def cut(self) -> int:
        """Tokens beyond the training context, of whatever kind."""
        limit = self.training_context
        return 0 if limit is None else max(0, self.total - limit)

    @property
    def context(self) -> int:
        """Tokens that the model reads and does not learn to write."""
        return self.total - self.trained - self.cut

    def to_dict(self) -> dict[str, object]:
        """Return the preview as plain values, ready for `json.dumps`."""
        return {
            "model": self.model,
            "encoding": self.encoding,
            "source": self.source,
            "line": self.line,
            "training_context": self.training_context,
            "total": self.total,
            "trained": self.trained,
            "context": self.context,
            "cut": self.cut,
            "tool_tokens": self.tool_tokens,
            "priming_tokens": self.priming_tokens,
            "tools": [{"name": tool.name, "tokens": tool.tokens} for tool in self.tools],
            "messages": [message.to_dict() for message in self.messages],
        }

    def to_text(self, *, color: bool = False) -> str:
        """Write the row for a terminal; control characters of the data are shown, never sent.

        Args:
            color: Whether to use ANSI colours. Without them, marks at the left tell what is trained and
                cut off, and broken bars where tokens end.
        """
        from gpt4o_tune.data._preview_text import render

        return render(self, color=color)

    def to_html(self) -> str:
        """Write the row as an HTML page that needs no other file."""
        from gpt4o_tune.data._preview_html import page

        return page(self)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from gpt4o_tune.data._preview_html import fragment

        return fragment(self)


def preview(
    row: Mapping[str, object], *, model: Model, source: str = "records", line: int = 1
) -> Preview:
    """Take one training row apart for a model.

    The training context is applied as the service documents it: a row that is too long loses its end. A
    preference row is measured as it is counted, its input once and both outputs after it.

    Args:
        row: A chat, preference or reinforcement row.
        model: Whose tokenizer, formulas and training context to use.
        source: Where the row comes from, for the heading.
        line: Its line there.

    Raises:
        VocabularyError: The vocabulary of the model's encoding is not to be had.
    """
    empty = count_row({"messages": []}, model=model)
    ruler = _Ruler(model.training_context)
    functions = list(_turns.functions(row))
    tool_tokens = _tools(functions, model=model)
    ruler.take(tool_tokens)
    messages = tuple(
        _message(turn, output=output, model=model, ruler=ruler)
        for turn, output in zip(_turns.turns(row), _outputs(row), strict=False)
    )
    ruler.take(empty)
    return Preview(
        model=model.name,
        encoding=model.encoding,
        source=source,
        line=line,
        training_context=model.training_context,
        tools=tuple(_tool(function, model=model) for function in functions),
        tool_tokens=tool_tokens,
        messages=messages,
        priming_tokens=empty,
        total=ruler.position,
    )


class _Ruler:
    """Takes tokens in their order and tells how many of them lie beyond a limit."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self.position = 0

    def take(self, tokens: int) -> int:
        self.position += tokens
        if self._limit is None:
            return 0
        return min(tokens, max(0, self.position - self._limit))


def _outputs(row: Mapping[str, object]) -> Iterator[Output | None]:
    """Yield which output each turn of a row belongs to, without end for rows that have none."""
    if "messages" in row:
        yield from repeat(None)
    yield from repeat(None, len(_turns.items(_turns.mapping(row.get("input")).get("messages"))))
    for output in get_args(Output):
        yield from repeat(output, len(_turns.items(row.get(f"{output}_output"))))


def _message(
    turn: _turns.Turn, *, output: Output | None, model: Model, ruler: _Ruler
) -> PreviewMessage:
    role = {"role": turn.role}
    name = _turns.text(turn.message.get("name"))
    frame_tokens = _alone(role, model=model)
    name_tokens = _alone(role | {"name": name}, model=model) - frame_tokens
    return PreviewMessage(
        role=turn.role,
        name=name,
        output=output,
        is_trained=turn.is_target,
        frame_tokens=frame_tokens,
        name_tokens=name_tokens,
        frame_cut=ruler.take(frame_tokens + name_tokens),
        parts=tuple(_parts(turn, model=model, ruler=ruler)),
    )


def _parts(turn: _turns.Turn, *, model: Model, ruler: _Ruler) -> Iterator[PreviewPart]:
    content = turn.message.get("content")
    said: Sequence[Mapping[str, object]] = (
        [{"content": content}]
        if isinstance(content, str)
        else [{"content": [part]} for part in _turns.items(content)]
    )
    for part in (*said, {"refusal": turn.message.get("refusal")}):
        for text in filter(None, _turns.texts(part)):
            yield _text(text, "text", is_trained=turn.is_target, model=model, ruler=ruler)
        for image in _turns.images(part):
            yield _image(image, model=model, ruler=ruler)
    for place, text in enumerate(_turns.calls(turn.message)):
        if text:
            kind = "arguments" if place % 2 else "call"
            yield _text(text, kind, is_trained=turn.is_target, model=model, ruler=ruler)


def _text(
    text: str, kind: PartKind, *, is_trained: bool, model: Model, ruler: _Ruler
) -> PreviewPart:
    tokens = cut = 0
    cut_up: list[Piece] = []
    for piece, size in pieces(text, encoding_name=model.encoding):
        beyond = ruler.take(size)
        cut_up.append(Piece(piece, size, is_cut=beyond > 0))
        tokens += size
        cut += beyond
    return PreviewPart(
        kind=kind, tokens=tokens, cut=cut, is_trained=is_trained, pieces=tuple(cut_up), note=""
    )


def _image(image: Mapping[str, object], *, model: Model, ruler: _Ruler) -> PreviewPart:
    part = {"type": "image_url", "image_url": image}
    tokens = _alone({"content": [part]}, model=model) - _alone({}, model=model)
    url = _turns.text(image.get("url"))
    header = read_data_url(url)
    size = f"{header.width} x {header.height}" if header else "size unknown"
    detail = _turns.text(image.get("detail")) or "auto"
    place = f"{header.format} in the row" if header else url.partition(",")[0]
    return PreviewPart(
        kind="image",
        tokens=tokens,
        cut=ruler.take(tokens),
        is_trained=False,
        pieces=(),
        note=f"{size}, detail {detail}, {place}",
    )


def _alone(message: Mapping[str, object], *, model: Model) -> int:
    """Count the tokens of a message, without those of the row around it."""
    empty = count_row({"messages": []}, model=model)
    return count_row({"messages": [message]}, model=model) - empty


def _tools(functions: Sequence[Mapping[str, object]], *, model: Model) -> int:
    row: dict[str, object] = {"messages": [], "functions": functions}
    return count_row(row, model=model) - count_row({"messages": []}, model=model)


def _tool(function: Mapping[str, object], *, model: Model) -> PreviewTool:
    both = _tools([function, function], model=model)
    return PreviewTool(
        name=_turns.text(function.get("name")),
        # What comes once for all tools is in both counts.
        tokens=both - _tools([function], model=model),
        definition=json.dumps(function, ensure_ascii=False),
    )
