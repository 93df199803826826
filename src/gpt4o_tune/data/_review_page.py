"""The review page: one HTML file with the rows inside it, that no network is needed for."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from gpt4o_tune.data._decisions import SCHEMA, VERSION
from gpt4o_tune.data._shown import shown_rows
from gpt4o_tune.data._writing import replace_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gpt4o_tune.data._selection import Selection
    from gpt4o_tune.data._shown import ShownRow
    from gpt4o_tune.data.report import Problem

_PARTS = ("page.html", "page.css", "decisions.js", "row.js", "page.js")
_UNSAFE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
"""What may not stand in a script element; in JSON these stand in strings alone."""


def write_page(
    data: Selection,
    path: str | os.PathLike[str],
    *,
    rows: Iterable[int | Problem] | None,
    problems: Iterable[Problem] | None,
    duplicates: Iterable[Sequence[int]] | None,
    title: str | None,
    reviewer: str | None,
) -> Path:
    """Write the page; `Dataset.review` says what is on it."""
    place = Path(path).expanduser()
    heading = title or ("Review" if data.source == "records" else Path(data.source).name)
    about: dict[str, object] = {
        "schema": SCHEMA,
        "version": VERSION,
        "fingerprint": data.fingerprint,
        "source": data.source if data.source == "records" else Path(data.source).name,
        "rows": len(data),
        "format": data.format,
        "reviewer": reviewer or "",
    }
    found = list(problems or ())
    body = _rows(shown_rows(data, rows, found), _alike(duplicates or (), data.lines))
    whole = [_plain(problem) for problem in found if not problem.line]
    return replace_file(place, _page(heading, about, whole, body))


def _page(
    heading: str, about: dict[str, object], whole: list[dict[str, str]], rows: Iterator[str]
) -> Iterator[bytes]:
    folder = files("gpt4o_tune.data") / "review_page"
    template, style, *scripts = ((folder / name).read_text("utf-8") for name in _PARTS)
    script = "\n".join(scripts)
    # The title comes last: what stands in it is not to be filled in.
    named = {
        "policy": f"default-src 'none'; img-src data:; style-src {_source(style)}; "
        f"script-src {_source(script)}; base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        "title": html.escape(heading),
    }
    before, after = template.split("{{rows}}")
    for name, value in named.items():
        before = before.replace("{{" + name + "}}", value)
        after = after.replace("{{" + name + "}}", value)
    yield before.encode()
    yield f'{{"about":{_json(about)},"whole":{_json(whole)},"rows":['.encode()
    for number, row in enumerate(rows):
        yield (",\n" if number else "\n").encode() + row.encode()
    yield b"\n]}" + after.encode()


def _source(code: str) -> str:
    """Return what lets a browser run this one inline element and no other (Content Security Policy)."""
    digest = hashlib.sha256(code.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _rows(shown: Iterable[ShownRow], alike: Mapping[int, Sequence[int]]) -> Iterator[str]:
    for one in shown:
        about: dict[str, object] = {"id": one.id, "line": one.line}
        if one.problems:
            about["problems"] = [_plain(problem) for problem in one.problems]
        if one.number in alike:
            about["alike"] = alike[one.number]
        if one.row is None:
            content = '"raw":' + _json(one.raw.decode(errors="replace"))
        else:
            content = '"row":' + one.raw.decode().translate(_UNSAFE)
        yield f"{_json(about)[:-1]},{content}}}"


def _alike(clusters: Iterable[Sequence[int]], lines: Sequence[int]) -> dict[int, list[int]]:
    """Return for each row of a cluster the lines of the others."""
    return {
        row: [lines[other] for other in cluster if other != row]
        for cluster in clusters
        for row in cluster
    }


def _plain(problem: Problem) -> dict[str, str]:
    return {
        "path": problem.path,
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message,
        "fix": problem.fix,
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_UNSAFE)
