"""What defines an encoding besides its tokens, as tiktoken 0.14 (MIT, see `LICENSE-tiktoken`) defines it.

The split patterns and special tokens are repeated here because in tiktoken they can only be had together
with a download. A test holds them equal to those of the installed tiktoken.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFile:
    """A vocabulary as OpenAI publishes it."""

    url: str
    sha256: str
    """The digest that tiktoken insists on."""

    @property
    def cache_name(self) -> str:
        """The name under which tiktoken looks for the file in `TIKTOKEN_CACHE_DIR`."""
        import hashlib

        return hashlib.sha1(self.url.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """An encoding whose vocabulary is part of this package."""

    name: str
    packed_sha256: str
    """Digest of the packed vocabulary before compression."""
    pattern: str
    """Regular expression that cuts a text into the pieces that are encoded one by one."""
    grouped_pattern: str
    """The same expression, its alternatives without look-around put into one group.

    tiktoken's engine tries the alternatives of an expression with look-ahead one after the other, and those
    of a group without any all at once: the same pieces, about a fifth faster.
    """
    special_tokens: Mapping[str, int]


PUBLISHED: Final[Mapping[str, PublishedFile]] = MappingProxyType(
    {
        "o200k_base": PublishedFile(
            url=_ADDRESS + "o200k_base.tiktoken",
            sha256="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        ),
        "cl100k_base": PublishedFile(
            url=_ADDRESS + "cl100k_base.tiktoken",
            sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        ),
        "p50k_base": PublishedFile(
            url=_ADDRESS + "p50k_base.tiktoken",
            sha256="94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
        ),
        "r50k_base": PublishedFile(
            url=_ADDRESS + "r50k_base.tiktoken",
            sha256="306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
        ),
    }
)
"""Where each vocabulary file comes from and how to recognise it, by encoding."""

_O200K_PLAIN = "|".join(
    [
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
        r"""\p{N}{1,3}""",
        r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
        r"""\s*[\r\n]+""",
    ]
)
_O200K_BLANKS = r"\s+(?!\S)|\s+"

_O200K = Definition(
    name="o200k_base",
    packed_sha256="ba55b38e477b631966c2496061ecd7d10108501c7c47358222d9dc27c22f9422",
    pattern=f"{_O200K_PLAIN}|{_O200K_BLANKS}",
    grouped_pattern=f"(?:{_O200K_PLAIN})|{_O200K_BLANKS}",
    special_tokens=MappingProxyType({"<|endoftext|>": 199999, "<|endofprompt|>": 200018}),
)

# Possessive quantifiers are look-around to the engine, and these are in nearly every alternative.
_CL100K_PATTERN = r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"""

_CL100K = Definition(
    name="cl100k_base",
    packed_sha256="79045c4dbf49c4e3b90893afbcbfd80cf94cf2b99256bd84b19ffcace49d9bd2",
    pattern=_CL100K_PATTERN,
    grouped_pattern=_CL100K_PATTERN,
    special_tokens=MappingProxyType(
        {
            "<|endoftext|>": 100257,
            "<|fim_prefix|>": 100258,
            "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260,
            "<|endofprompt|>": 100276,
        }
    ),
)

CARRIED: Final[Mapping[str, Definition]] = MappingProxyType(
    {definition.name: definition for definition in (_O200K, _CL100K)}
)
"""The encodings that need no download, by name."""
