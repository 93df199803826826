"""tiktoken's encodings without a download: the vocabularies of GPT-4o and GPT-3.5 are package data.

tiktoken fetches a vocabulary from the internet on first use. Here `o200k_base` and `cl100k_base` are
carried in packed form (1.4 MB, under tiktoken's MIT licence) and handed to `tiktoken.Encoding` directly:
no network, no cache folder, no environment variable. See `docs/design/vocabulary.md`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gpt4o_tune.data.vocabulary.definitions import CARRIED, PUBLISHED, Definition
from gpt4o_tune.errors import VocabularyError

if TYPE_CHECKING:
    import tiktoken

__all__ = ["CARRIED", "PUBLISHED", "encoding", "ranks"]

_lock = threading.Lock()
_encodings: dict[str, tiktoken.Encoding] = {}


def encoding(name: str) -> tiktoken.Encoding:
    """Return an encoding, built once per process (0.2 s) and safe to share between threads.

    An encoding that is not carried comes from tiktoken itself, which reads `TIKTOKEN_CACHE_DIR` or
    downloads.

    Raises:
        VocabularyError: The carried file is damaged, or tiktoken could not get the vocabulary; the
            message names the file and where to put it.
    """
    # Looking twice keeps the lock off the path of every later call.
    known = _encodings.get(name)
    if known is not None:
        return known
    with _lock:
        if name not in _encodings:
            definition = CARRIED.get(name)
            _encodings[name] = _build(definition) if definition else _from_tiktoken(name)
        return _encodings[name]


def ranks(name: str) -> dict[bytes, int]:
    """Read a carried vocabulary: the rank of every token, special tokens left out.

    Raises:
        VocabularyError: The file is damaged.
        KeyError: The vocabulary is not carried.
    """
    import gzip
    import hashlib
    import zlib
    from importlib import resources

    from gpt4o_tune.data.vocabulary.packing import unpack

    definition = CARRIED[name]
    compressed = resources.files(__name__).joinpath(f"{name}.bin.gz").read_bytes()
    try:
        packed = gzip.decompress(compressed)
    except (OSError, EOFError, zlib.error):
        packed = b""
    if hashlib.sha256(packed).hexdigest() != definition.packed_sha256:
        raise VocabularyError(
            f"The vocabulary {name!r} inside this installation is damaged: its SHA-256 is not the one "
            "that was packed. Reinstall with: pip install --force-reinstall --no-deps gpt4o-tune"
        )
    return unpack(packed)


def _build(definition: Definition) -> tiktoken.Encoding:
    import tiktoken

    return tiktoken.Encoding(
        definition.name,
        pat_str=definition.grouped_pattern,
        mergeable_ranks=ranks(definition.name),
        special_tokens=dict(definition.special_tokens),
    )


def _from_tiktoken(name: str) -> tiktoken.Encoding:
    import tiktoken

    try:
        return tiktoken.get_encoding(name)
    except Exception as error:
        # Names, transports and caches fail in tiktoken with unrelated types of exceptions.
        raise VocabularyError(_not_available(name, error)) from error


def _not_available(name: str, error: Exception) -> str:
    import tiktoken

    known = tiktoken.list_encoding_names()
    if name not in known:
        return f"There is no encoding {name!r}. tiktoken knows {', '.join(known)}."
    carried = ", ".join(CARRIED)
    opening = (
        f"The vocabulary of {name!r} is not carried by this library (it carries {carried}), and tiktoken "
        f"could not get it ({type(error).__name__})."
    )
    published = PUBLISHED.get(name)
    if published is None:
        return f"{opening} Call tiktoken.get_encoding({name!r}) once where there is a network."
    return (
        f"{opening} Download {published.url} (SHA-256 {published.sha256}) where there is a network, save it as "
        f"{published.cache_name!r} in a folder, and set TIKTOKEN_CACHE_DIR to that folder."
    )
