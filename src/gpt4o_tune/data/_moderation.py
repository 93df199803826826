"""Which rows would a moderation service flag? Asked before the provider's own screening blocks the file."""

from __future__ import annotations

import hashlib
import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gpt4o_tune.data import _turns
from gpt4o_tune.data._remote import listed_turns, readable
from gpt4o_tune.data.checks import examine
from gpt4o_tune.data.checks.rule import Verdict
from gpt4o_tune.errors import ProviderError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.data.checks import Scope
    from gpt4o_tune.data.checks.rule import Turn
    from gpt4o_tune.data.decode import JsonObject
    from gpt4o_tune.data.report import Problem

__all__ = ["Verdicts", "moderate"]

BATCH = 32
"""Texts per request."""
PIECE_CHARS = 10_000
"""Longer texts are screened piece by piece, so that no request outgrows what the service reads."""
AT_ONCE = 4


class Verdicts:
    """What is known of texts, by the hash of model and text; kept in a file where one is given.

    The file has one line per text, `{"key": ..., "categories": [...]}`, and holds no text. Lines are only
    ever added, so what was paid for in time survives a crash; a line that was cut off is ignored.
    """

    def __init__(self, model: str, path: str | os.PathLike[str] | None) -> None:
        """Read what is known already.

        Raises:
            OSError: The file cannot be read or written.
        """
        self._model = model.encode()
        self._known: dict[str, tuple[str, ...]] = {}
        self._file: BinaryIO | None = None
        if path is not None:
            self._file = Path(path).expanduser().open("a+b")
            self._file.seek(0)
            written = self._file.read()
            self._known.update(_entries(written))
            if written and not written.endswith(b"\n"):
                self._file.write(b"\n")

    def key(self, text: str) -> str:
        """Return the name under which a text is known."""
        return hashlib.sha256(b"%b\0%b" % (self._model, text.encode())).hexdigest()

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> tuple[str, ...]:
        return self._known[key]

    def add(self, verdicts: Mapping[str, tuple[str, ...]]) -> None:
        """Remember verdicts, in the file first."""
        if self._file is not None:
            for key, categories in verdicts.items():
                entry = {"key": key, "categories": categories}
                self._file.write(json.dumps(entry).encode() + b"\n")
            self._file.flush()
        self._known.update(verdicts)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _entries(written: bytes) -> Iterator[tuple[str, tuple[str, ...]]]:
    for line in written.splitlines():
        try:
            entry = _turns.mapping(json.loads(line))
        except ValueError:
            continue
        key, categories = entry.get("key"), entry.get("categories")
        if isinstance(key, str) and isinstance(categories, list):
            yield key, tuple(map(str, cast("list[object]", categories)))


async def moderate(
    gateway: Gateway,
    lines: Callable[[], Iterable[tuple[int, bytes]]],
    *,
    scope: Scope,
    model: str,
    cache: str | os.PathLike[str] | None,
) -> list[Problem]:
    """Ask about every text that is not known yet, then name the messages that were flagged.

    Raises:
        ProviderError: The service screens no texts.
        OSError: The cache cannot be read or written.
    """
    verdicts = Verdicts(model, cache)
    try:
        await _ask(gateway, _unknown(readable(lines()), scope, verdicts), verdicts, model)
    finally:
        verdicts.close()
    return [
        problem
        for line, row in readable(lines())
        for turn in listed_turns(row, scope)
        for problem in examine("verdict", _verdict(turn, verdicts), scope, line=line)
    ]


def _unknown(
    rows: Iterable[tuple[int, JsonObject]], scope: Scope, verdicts: Verdicts
) -> Iterator[tuple[str, str]]:
    """Yield key and text of each piece without a verdict, once."""
    asked: set[str] = set()
    for _, row in rows:
        for turn in listed_turns(row, scope):
            for piece in _pieces(turn):
                key = verdicts.key(piece)
                if key not in verdicts and key not in asked:
                    asked.add(key)
                    yield key, piece


async def _ask(
    gateway: Gateway, pieces: Iterator[tuple[str, str]], verdicts: Verdicts, model: str
) -> None:
    async def ask(batch: Sequence[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
        found = await gateway.moderate([text for _, text in batch], model=model)
        if found is None:
            raise ProviderError(
                f"this provider has no moderation service, or does not know {model!r}; pass "
                "Provider.openai(...), whose moderation is free"
            )
        return {key: categories for (key, _), categories in zip(batch, found, strict=True)}

    # In waves, so that memory holds few texts and a crash loses few answers.
    while wave := list(islice(pieces, BATCH * AT_ONCE)):
        batches = [wave[start : start + BATCH] for start in range(0, len(wave), BATCH)]
        for answered in await gateway.each(ask, batches, at_once=AT_ONCE):
            verdicts.add(answered)


def _verdict(turn: Turn, verdicts: Verdicts) -> Verdict:
    flagged = {name: None for piece in _pieces(turn) for name in verdicts[verdicts.key(piece)]}
    return Verdict(turn.path, list(flagged))


def _pieces(turn: Turn) -> Iterator[str]:
    """Yield what a message says and calls, cut into pieces; blank text says nothing."""
    for text in (*_turns.texts(turn.body), *_turns.calls(turn.body)):
        for start in range(0, len(text), PIECE_CHARS):
            piece = text[start : start + PIECE_CHARS]
            if not piece.isspace():
                yield piece
