"""Answers that were paid for once, in a file that grows line by line.

A line holds the hash of what was asked (address, model, messages, parameters) and the answer. It is
written before the next call begins, so what an interruption costs is at most the calls in flight. Calls that
failed are not kept.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gpt4o_tune.data._journal import Journal, whole_lines
from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

__all__ = ["AnswerCache", "Kept", "cache_key"]


_START = b'{"key": "'
"""How every line begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer as it is kept; prices are worked out anew when it is read."""

    text: str | None
    latency_seconds: float | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    """Those of the prompt tokens that the service had cached."""

    completion_tokens: int | None = None

    @property
    def counts(self) -> Mapping[str, object] | None:
        """The tokens as a service counts them; None where it did not."""
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return {
            "prompt_tokens": self.prompt_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens or 0},
            "completion_tokens": self.completion_tokens,
        }


def cache_key(address: str, model: str, messages: object, parameters: Mapping[str, object]) -> str:
    """Hash what was asked; equal questions to the same model at the same place have equal keys."""
    asked = [address, model, messages, dict(parameters)]
    text = json.dumps(asked, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class AnswerCache:
    """The answers in a file; None as the path keeps them nowhere."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        """Read what there is, and open the file for more.

        Raises:
            DatasetError: It holds something else, which is left as it is.
            DatasetNotFoundError: It cannot be opened for writing.
        """
        self._kept: dict[str, Kept] = {}
        self._journal: Journal | None = None
        if path is None:
            return
        place = Path(path).expanduser()
        if place.exists():
            _require_cache(place)
            self._kept = dict(_entries(place))
        self._journal = Journal(place)

    def get(self, key: str) -> Kept | None:
        """Return the answer that was kept, or None."""
        return self._kept.get(key)

    def keep(self, key: str, model: str, kept: Kept) -> None:
        """Write an answer down; it is with the system when this returns."""
        if self._journal is None:
            return
        self._kept[key] = kept
        answer = {
            "text": kept.text,
            "latency_seconds": kept.latency_seconds,
            "prompt_tokens": kept.prompt_tokens,
            "cached_tokens": kept.cached_tokens,
            "completion_tokens": kept.completion_tokens,
        }
        line = json.dumps({"key": key, "model": model, "answer": answer}, ensure_ascii=True)
        self._journal.append(line.encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._journal is not None:
            self._journal.close()


def _require_cache(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(len(_START))
    if not _START.startswith(start):
        raise _something_else(path)


def _entries(path: Path) -> Iterator[tuple[str, Kept]]:
    for line in whole_lines(path):
        entry = cast("Mapping[str, object]", json.loads(line))
        key, kept = entry.get("key"), _read(entry.get("answer"))
        if not isinstance(key, str) or kept is None:
            raise _something_else(path)
        yield key, kept


def _something_else(path: Path) -> DatasetError:
    return DatasetError(
        f"{str(path)!r} holds something else than kept answers, so nothing was written to it and nothing was"
        " asked; name another file as cache="
    )


def _read(value: object) -> Kept | None:
    if not isinstance(value, dict):
        return None
    answer = cast("Mapping[str, object]", value)
    text, seconds = answer.get("text"), answer.get("latency_seconds")
    if not isinstance(text, str):
        return None
    return Kept(
        text=text,
        latency_seconds=float(seconds) if isinstance(seconds, int | float) else None,
        prompt_tokens=_count(answer.get("prompt_tokens")),
        cached_tokens=_count(answer.get("cached_tokens")),
        completion_tokens=_count(answer.get("completion_tokens")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None
