"""Counting: texts through tiktoken, rows by the published formula."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from gpt4o_tune.data import _turns
from gpt4o_tune.data._fast_counting import fast_encoder
from gpt4o_tune.data._turns import items, mapping, text
from gpt4o_tune.data.images import read_data_url
from gpt4o_tune.data.vocabulary import CARRIED, encoding, ranks

if TYPE_CHECKING:
    import tiktoken

    from gpt4o_tune.catalog import Model
    from gpt4o_tune.data._plain import Message
    from gpt4o_tune.data.decode import JsonObject

CountText: TypeAlias = Callable[[str], int]

# tiktoken's regular expression engine gives up on some 999,000 blanks in a row: a panic, which is no
# `Exception` and prints to the error stream. Far shorter runs are therefore kept away from it.
_LONG_RUN_CHARS = 250_000
_BLANKS = re.compile(r"[\t\v\f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]{16,}")

# Repeated strings (system prompts, tool descriptions, labels) are counted once.
_REMEMBERED_TEXTS = 4_096
_REMEMBERED_CHARS = 16_384

_GUESSED_SIDE_PX = 1_024


@cache
def text_counter(encoding_name: str) -> TextCounter:
    """Return what counts the tokens of texts; one per process and encoding."""
    return TextCounter(encoding_name)


class TextCounter:
    """Counts the tokens of texts exactly as tiktoken's `encode_ordinary` would give them."""

    def __init__(self, encoding_name: str) -> None:
        self._name = encoding_name
        self._encode = encoding(encoding_name).encode_ordinary
        self._known: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """Count one text."""
        return self.counts([text])[0]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Count many texts."""
        known, encode = self._known, self._encode
        counts: list[int] = []
        for one in texts:
            count = known.get(one)
            if count is None:
                if len(one) > _REMEMBERED_CHARS:
                    count = self._count_long(one)
                else:
                    count = known[one] = len(encode(one))
            counts.append(count)
            if len(known) > _REMEMBERED_TEXTS:
                known.clear()
        return counts

    def _count_long(self, text: str) -> int:
        encode = self._encode
        if len(text) < _LONG_RUN_CHARS or self._name not in CARRIED:
            return len(encode(text))
        return sum(
            len(_whole(self._name).encode_ordinary(part) if is_run else encode(part))
            for part, is_run in _cut_at_long_runs(text)
        )


def _cut_at_long_runs(text: str) -> Iterator[tuple[str, bool]]:
    """Cut a text around its long runs of blanks; say of each part whether it is such a run.

    Both carried encodings cut at these places anyway: before a run, as nothing but white space can stand
    on both sides of that cut, and line ends close a piece; and before the last blank of a run, which
    belongs to the word behind it. A run with a line end behind it is one piece with that and no hazard.
    """
    start = 0
    for run in _BLANKS.finditer(text):
        behind = text[run.end() : run.end() + 1]
        if run.end() - run.start() >= _LONG_RUN_CHARS and behind not in ("\r", "\n"):
            end = run.end() - 1 if behind else run.end()
            yield text[start : run.start()], False
            yield text[run.start() : end], True
            start = end
    yield text[start:], False


@cache
def _whole(encoding_name: str) -> tiktoken.Encoding:
    """Return the encoding with a pattern that leaves a text in one piece (0.2 s, 80 MB; rarely needed)."""
    import tiktoken

    return tiktoken.Encoding(
        f"{encoding_name}_whole",
        pat_str=r"[\s\S]+",
        mergeable_ranks=ranks(encoding_name),
        special_tokens={},
    )


class BulkCounter:
    """Counts as `TextCounter` does, many texts at once, by the tokenizer of the extra `fast`."""

    def __init__(self, encoding_name: str) -> None:
        self._encode = fast_encoder(encoding_name)
        self._known: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """Count one text."""
        return self.counts([text])[0]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Count many texts."""
        known = self._known
        fresh = list({text: None for text in texts if text not in known})
        counted = dict(zip(fresh, map(len, self._encode(fresh)), strict=True)) if fresh else {}
        counts = [counted[text] if text in counted else known[text] for text in texts]
        if len(known) > _REMEMBERED_TEXTS:
            known.clear()
        known.update(item for item in counted.items() if len(item[0]) <= _REMEMBERED_CHARS)
        return counts


class RowTokens(NamedTuple):
    """The tokens of one row."""

    total: int
    trained: int
    """Of these, tokens that the model learns to write."""
    guessed_images: int
    """Images of unknown size."""


UNCOUNTED = RowTokens(-1, -1, -1)
"""Stands for a row that cannot be counted."""


class RowCounter:
    """Counts rows for one model; see `tokens.count_rows` for what is counted."""

    def __init__(self, model: Model, *, fast: bool = False) -> None:
        """Prepare to count.

        Args:
            model: The model to count for.
            fast: Whether to count with the tokenizer of the extra `fast`.
        """
        self._texts = (BulkCounter if fast else text_counter)(model.encoding)
        self._text: CountText = self._texts
        self._frame = model.message_tokens
        self._image_tokens = model.image_tokens
        self._frames: dict[str, int] = {}
        """Tokens around the text of a plain message, by role."""

    def count(self, row: Mapping[str, object]) -> RowTokens:
        """Count one row."""
        total = self._frame.reply_priming + self._functions(row)
        trained = guessed = 0
        for message, role, is_target in _turns.turns(row):
            said = sum(map(self._text, _turns.texts(message)))
            called = sum(map(self._text, _turns.calls(message)))
            shown, unknown = self._images(message)
            total += self._frame_of(message, role) + said + called + shown
            trained += said + called if is_target else 0
            guessed += unknown
        return RowTokens(total, trained, guessed)

    def count_all(self, rows: Sequence[list[Message] | JsonObject | None]) -> list[RowTokens]:
        """Count many rows at once.

        Args:
            rows: Rows as objects; a list stands for a chat row of plain messages, see `_plain`, and None
                for a row that cannot be counted.
        """
        texts: list[str] = []

        def note(text: str) -> int:
            texts.append(text)
            return 0

        for row in rows:
            if isinstance(row, list):
                texts += [message["content"] for message in row]
            elif row is not None:
                self._with(note, row)
        counts = iter(self._texts.counts(texts))
        return [
            self._plain(row, counts)
            if isinstance(row, list)
            else UNCOUNTED
            if row is None
            else self._with(lambda _: next(counts), row)
            for row in rows
        ]

    def _with(self, count_text: CountText, row: Mapping[str, object]) -> RowTokens:
        """Count a row by another function, which is called with the same texts in the same order."""
        self._text = count_text
        try:
            return self.count(row)
        finally:
            self._text = self._texts

    def _plain(self, messages: Sequence[Message], counts: Iterator[int]) -> RowTokens:
        total, trained, frames = self._frame.reply_priming, 0, self._frames
        role = ""
        for message in messages:
            role, said = message["role"], next(counts)
            frame = frames.get(role)
            if frame is None:
                frame = frames[role] = self._frame_of(message, role)
            total += frame + said
            if role == "assistant" and message.get("weight") != 0:
                trained += said
        # A row that ends otherwise is a prompt, see `_turns`.
        return RowTokens(total, trained if role == "assistant" else 0, 0)

    def _frame_of(self, message: Mapping[str, object], role: str) -> int:
        tokens = self._frame.tokens_per_message + self._text(role)
        if name := text(message.get("name")):
            tokens += self._frame.tokens_per_name + self._text(name)
        return tokens

    def _images(self, message: Mapping[str, object]) -> tuple[int, int]:
        """Return the tokens of the images in a message, and how many of these are of unknown size."""
        tokens = guessed = 0
        for image in _turns.images(message):
            if self._image_tokens is None:
                continue
            header = read_data_url(text(image.get("url")))
            width, height = header[1:] if header else (_GUESSED_SIDE_PX, _GUESSED_SIDE_PX)
            tokens += self._image_tokens.count(
                width, height, detail="low" if image.get("detail") == "low" else "high"
            )
            guessed += header is None
        return tokens, guessed

    def _functions(self, row: Mapping[str, object]) -> int:
        counts = [self._function(function) for function in _turns.functions(row)]
        return sum(counts) + self._frame.func_end if counts else 0

    def _function(self, function: Mapping[str, object]) -> int:
        head = f"{text(function.get('name'))}:{_description(function)}"
        return (
            self._frame.func_init
            + self._text(head)
            + self._parameters(mapping(function.get("parameters")))
        )

    def _parameters(self, schema: Mapping[str, object]) -> int:
        """Count the parameters of a function, and what is nested in them by the same rule.

        The published formula is for flat parameters. Here an object inside a parameter counts like the
        parameters themselves, wherever JSON schema may hold it (array items, alternatives, definitions).
        """
        tokens = 0
        waiting = [schema]
        while waiting:
            current = waiting.pop()
            properties = mapping(current.get("properties"))
            tokens += self._frame.prop_init if properties else 0
            for name, field in properties.items():
                line = f"{name}:{_type(mapping(field))}:{_description(mapping(field))}"
                tokens += self._frame.prop_key + self._text(line)
            tokens += self._choices(items(current.get("enum")))
            waiting += filter(None, _nested(current))
        return tokens

    def _choices(self, choices: Sequence[object]) -> int:
        tokens = self._frame.enum_init if choices else 0
        for choice in choices:
            written = choice if isinstance(choice, str) else json.dumps(choice)
            tokens += self._frame.enum_item + self._text(written)
        return tokens


def _nested(schema: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield the schemas directly inside a schema."""
    for key in ("items", "additionalProperties"):
        yield mapping(schema.get(key))
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        yield from map(mapping, items(schema.get(key)))
    for key in ("properties", "$defs", "definitions"):
        yield from map(mapping, mapping(schema.get(key)).values())


def _type(schema: Mapping[str, object]) -> str:
    types = schema.get("type")
    return types if isinstance(types, str) else "|".join(text(name) for name in items(types))


def _description(schema: Mapping[str, object]) -> str:
    return text(schema.get("description")).removesuffix(".")
