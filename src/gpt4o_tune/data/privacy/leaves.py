"""The texts of a row, wherever they stand, and how to change some of them and nothing else.

Texts that are JSON themselves, as the arguments of tool calls are, are looked into: a value found in their
raw form could begin in the middle of an escape.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, NoReturn, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpt4o_tune.data.decode import Json

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*', re.DOTALL)
"""A string or a number of JSON text."""
_INLINE_DATA = re.compile(r"data:[\w/+.-]*;base64,")
_SHORTEST_NUMBER = 10**6
_MAX_NESTING = 4


class Leaf(NamedTuple):
    """One text of a row."""

    path: str
    """Of the text; for texts inside JSON text, of the outer one; for a key, of its object."""
    text: str
    label: str
    """The key that the text stands under, or empty."""


def leaves(value: Json, path: str = "", label: str = "", depth: int = 0) -> Iterator[Leaf]:
    """Yield keys, strings and long numbers in the order in which they are written."""
    for leaf in _written(value, path, label):
        if leaf is None or _INLINE_DATA.match(leaf.text):
            continue
        inner = inner_json(leaf.text) if depth < _MAX_NESTING else None
        if inner is None:
            yield leaf
        else:
            for within in leaves(inner, depth=depth + 1):
                yield within._replace(path=leaf.path)


def rewrite(source: str, value: Json, change: Callable[[Leaf], str], depth: int = 0) -> str:
    """Return JSON text with its texts changed and every other character as it was.

    Args:
        source: JSON text.
        value: What it says; no object in it may hold a key twice.
        change: Gives the new text for a leaf, or the same one to leave it. A number that gets a new text
            becomes a string.
        depth: How many texts it is inside of.
    """
    pieces: list[str] = []
    position = 0
    for token, leaf in zip(_TOKEN.finditer(source), _written(value), strict=True):
        if leaf is None or _INLINE_DATA.match(leaf.text):
            continue
        inner = inner_json(leaf.text) if depth < _MAX_NESTING else None
        if inner is None:
            new = change(leaf)
        else:
            new = rewrite(leaf.text, inner, partial(_change_within, change, leaf.path), depth + 1)
        if new != leaf.text:
            pieces += [source[position : token.start()], _quoted(new, like=token[0])]
            position = token.end()
    return "".join([*pieces, source[position:]])


def inner_json(text: str) -> Json:
    """Return the object or list that a text is the JSON of; None where it is any other text."""
    if not (text[:1] == "{" and text[-1:] == "}") and not (text[:1] == "[" and text[-1:] == "]"):
        return None
    try:
        return cast("Json", _DECODER.decode(text))
    except (ValueError, RecursionError):
        return None


def _change_within(change: Callable[[Leaf], str], path: str, leaf: Leaf) -> str:
    return change(leaf._replace(path=path))


def _quoted(text: str, *, like: str) -> str:
    """Write a text as JSON, with escapes for what is not ASCII where the old text had them."""
    return json.dumps(text, ensure_ascii="\\u" in like)


def _written(value: Json, path: str = "", label: str = "") -> Iterator[Leaf | None]:
    """Yield a leaf for each token in the order in which they are written; None for short numbers."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield Leaf(path, key, "")
            yield from _written(item, f"{path}.{key}" if path else key, key)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _written(item, f"{path}[{place}]", label)
    elif isinstance(value, str):
        yield Leaf(path, value, label)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        is_long = isinstance(value, int) and abs(value) >= _SHORTEST_NUMBER
        yield Leaf(path, str(value), label) if is_long else None


def _once_each(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object holds the same key twice")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once_each, parse_constant=_refuse)
