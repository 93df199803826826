"""Rules for the file as a whole, before any row is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import Finding, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpt4o_tune.data.checks.rule import Scope, Source

_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_CONTAINERS = {
    b"PK\x03\x04": ("zip", "unzip"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ\x00": ("xz", "unxz"),
}


def wrong_encoding(source: Source, scope: Scope) -> Iterable[Finding]:
    """UTF-16 or UTF-32, with or without a byte order mark."""
    encoding = next((name for mark, name in _MARKS.items() if source.head.startswith(mark)), None)
    if encoding is None:
        zeros = source.head[:8].count(0)
        encoding = "UTF-32" if zeros >= 5 else "UTF-16" if zeros >= 3 else None
    if encoding:
        yield Finding(
            f"The file is {encoding}, not UTF-8 (byte 1 on: {source.head[:4].hex(' ').upper()}).",
            f"Save it as UTF-8, or convert it: iconv -f {encoding} -t UTF-8 old > new.jsonl.",
        )


def compressed_file(source: Source, scope: Scope) -> Iterable[Finding]:
    """A packed file; gzip and Zstandard are not seen here, as opening reads through them."""
    for mark, (name, command) in _CONTAINERS.items():
        if source.head.startswith(mark):
            yield Finding(
                f"The file is packed with {name}; services take plain files.",
                f"Unpack it with {command} and open the result.",
            )
            return


def not_json_lines(source: Source, scope: Scope) -> Iterable[Finding]:
    """One JSON array, or JSON spread over several lines, instead of one object per line."""
    text = source.head.lstrip(b"\xef\xbb\xbf \t\r\n")
    first = text.split(b"\n", 1)[0].rstrip()
    many_lines = b"\n" in text.rstrip()
    array = text.startswith(b"[") and text[1:].lstrip()[:1] in (b"{", b"")
    if array or (first == b"{" and many_lines):
        shape = "one JSON array" if array else "JSON spread over several lines"
        yield Finding(
            f"The file is {shape}, not JSON Lines with one object per line.",
            "Read an array with Dataset.read, then call to_jsonl; write an object on one line.",
        )


def empty_file(source: Source, scope: Scope) -> Iterable[Finding]:
    """No row at all."""
    if source.size == 0:
        yield Finding(
            "There are no rows.",
            f"Write at least {scope.limits.min_examples} examples, one per line.",
        )


def wrong_extension(source: Source, scope: Scope) -> Iterable[Finding]:
    """A file name that services refuse; uploads by this library go under a name of their own."""
    if source.name and not source.name.endswith(".jsonl"):
        yield Finding(
            f"The file is named {shown(source.name)}; services take only names that end in .jsonl.",
            "Rename it before you upload it by hand; FineTuneJob.create sends it under such a name.",
        )


def bom(source: Source, scope: Scope) -> Iterable[Finding]:
    """A byte order mark at the start of the file, where the provider's documents do not ask for it."""
    if source.has_bom and not scope.limits.asks_for_bom:
        yield Finding(
            "The file starts with a byte order mark, which breaks some readers.",
            "Save it as UTF-8 without BOM, or call to_jsonl, which leaves the mark out.",
            line=1,
        )


def blank_line(source: Source, scope: Scope) -> Iterable[Finding]:
    """A line with nothing in it."""
    for number in source.blank_lines:
        yield Finding(
            "The line is blank.", "Remove it, or call to_jsonl, which leaves it out.", line=number
        )


def file_too_large(source: Source, scope: Scope) -> Iterable[Finding]:
    """More bytes than the provider takes in one upload."""
    limit = scope.limits.max_upload_bytes
    if source.size > limit:
        yield Finding(
            f"The rows take {source.size:,} bytes; {scope.service} takes at most {limit:,}.",
            "Select fewer rows; a thousand good examples usually do better than a million.",
        )
