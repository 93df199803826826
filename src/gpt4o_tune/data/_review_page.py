"""The review page: one HTML file with the rows inside it, that no network is needed for."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from gpt4o_tune.data._decisions import SCHEMA, VERSION, row_ids
from gpt4o_tune.data._writing import replace_file
from gpt4o_tune.data.decode import decode
from gpt4o_tune.data.report import Problem

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from gpt4o_tune.data.dataset import Dataset

_UNSAFE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
"""What may not stand in a script element; in JSON these stand in strings alone."""


def write_page(
    data: Dataset,
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
    body = _rows(data, _chosen(data, rows), found, [list(cluster) for cluster in duplicates or ()])
    whole = [_plain(problem) for problem in found if not problem.line]
    return replace_file(place, _page(heading, about, whole, body))


def _chosen(data: Dataset, rows: Iterable[int | Problem] | None) -> set[int]:
    if rows is None:
        return set(range(len(data)))
    numbers, lines = set[int](), set[int]()
    for row in rows:
        if isinstance(row, Problem):
            lines.add(row.line)
        else:
            numbers.add(range(len(data))[row])
    return numbers | {row for row, line in enumerate(data.lines) if line in lines}


def _page(
    heading: str, about: dict[str, object], whole: list[dict[str, str]], rows: Iterator[str]
) -> Iterator[bytes]:
    folder = files("gpt4o_tune.data") / "review_page"
    template, style, script = (
        (folder / name).read_text("utf-8") for name in ("page.html", "page.css", "page.js")
    )
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


def _rows(
    data: Dataset, chosen: set[int], problems: Sequence[Problem], clusters: Sequence[Sequence[int]]
) -> Iterator[str]:
    by_line: dict[int, list[dict[str, str]]] = {}
    for problem in problems:
        by_line.setdefault(problem.line, []).append(_plain(problem))
    lines = data.lines
    alike = {
        row: [lines[other] for other in cluster if other != row]
        for cluster in clusters
        for row in cluster
    }
    # All rows are counted, also those not shown: a row's id depends on the copies before it.
    for row, row_id in enumerate(row_ids(map(data.raw, range(len(data))))):
        if row not in chosen:
            continue
        line, raw = lines[row], data.raw(row)
        about: dict[str, object] = {"id": row_id, "line": line}
        if line in by_line:
            about["problems"] = by_line[line]
        if row in alike:
            about["alike"] = alike[row]
        try:
            decode(raw)
            shown = '"row":' + raw.decode().translate(_UNSAFE)
        except ValueError:
            shown = '"raw":' + _json(raw.decode(errors="replace"))
        yield _json(about)[:-1] + "," + shown + "}"


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
