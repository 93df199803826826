"""Rules for one line that could not be read strictly: encoding and JSON.

The engine calls them only for lines that `decode` refuses, so they may take their time to say why. At
most one of the rules on encoding and syntax speaks for a line; those on content may speak together.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from gpt4o_tune.data._store import BOM
from gpt4o_tune.data.checks.rule import Finding, kind, shown
from gpt4o_tune.data.decode import MAX_DEPTH, has_lone_surrogate, is_too_deep

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpt4o_tune.data.checks.rule import Scope
    from gpt4o_tune.data.decode import Json

_SNIPPET = 24
_EXPECTED = {
    "Expecting ',' delimiter": "a comma or a closing bracket",
    "Expecting ':' delimiter": "a colon after the key",
    "Expecting property name enclosed in double quotes": "a key in double quotes",
    "Expecting value": "a value: text in double quotes, a number, true, false, null, [ or {",
    "Unterminated string starting at": "a closing double quote for the text that starts here",
    "Invalid control character at": r"a line break or tab inside text to be written as \n or \t",
    "Illegal trailing comma before end of object": "no comma before }",
    "Illegal trailing comma before end of array": "no comma before ]",
}


def not_utf8(line: bytes, scope: Scope) -> Iterable[Finding]:
    """Bytes that are not UTF-8, such as text saved in a Windows or Latin code page."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        byte = line[error.start]
        yield Finding(
            f"Byte {error.start + 1:,} of the line, 0x{byte:02X}, is not UTF-8"
            f" (in Latin-1 it would be {chr(byte)!r}).",
            "Save the file as UTF-8, or convert it: iconv -f LATIN1 -t UTF-8.",
        )


def bom_inside(line: bytes, scope: Scope) -> Iterable[Finding]:
    """A byte order mark before a row, as left by joining files."""
    if line.startswith(BOM):
        yield Finding(
            "The row starts with a byte order mark, which only the start of a file may have.",
            "Remove the three bytes EF BB BF before the row; joining files leaves them behind.",
        )


def truncated_line(line: bytes, scope: Scope) -> Iterable[Finding]:
    """A last line that stops in the middle, as an interrupted copy or download leaves it."""
    error = _syntax_error(line)
    if error is not None and _is_cut(line, error):
        yield Finding(
            f"The last line stops in the middle of a row, after {_tail(error.doc)!r}.",
            "Copy or download the file again, or remove the last line.",
        )


def invalid_json(line: bytes, scope: Scope) -> Iterable[Finding]:
    """Text that is not JSON."""
    error = _syntax_error(line)
    if error is None or _is_cut(line, error):
        return
    if _ends_too_early(error):
        yield Finding(
            f"Column {error.pos + 1:,}: the row is not complete at the end of the line.",
            r"Write each row on one line, with \n for line breaks inside text.",
        )
    elif error.msg == "Extra data":
        yield Finding(
            f"Column {error.pos + 1:,}: there is more after the row: {_snippet(error)}.",
            "Write one object per line and no commas between lines.",
        )
    else:
        expected = _EXPECTED.get(error.msg, error.msg)
        yield Finding(
            f"Column {error.pos + 1:,}: expected {expected}, found {_snippet(error)}.",
            _advice(error),
        )


def nested_too_deeply(line: bytes, scope: Scope) -> Iterable[Finding]:
    """Objects and lists nested beyond reason."""
    try:
        value = _value(line)
        deep = value is not None and is_too_deep(value)
    except RecursionError:
        deep = True
    except ValueError:
        return
    if deep:
        yield Finding(
            f"Objects and lists are nested more than {MAX_DEPTH} levels deep.",
            "Write the row with flat messages; was a row encoded into itself?",
        )


def oversized_number(line: bytes, scope: Scope) -> Iterable[Finding]:
    """A whole number with thousands of digits."""
    try:
        _value(line)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        return
    except ValueError:
        yield Finding(
            "A number has more than 4,300 digits.",
            "Write the number as text in double quotes, or remove it.",
        )


def not_an_object(line: bytes, scope: Scope) -> Iterable[Finding]:
    """A line that is JSON but not an object."""
    value = _readable(line)
    if isinstance(value, _Unread | dict):
        return
    yield Finding(
        f"The line is {kind(value)}, not an object.",
        'Write one object per line, {"messages": [...]}.',
    )


def duplicate_key(line: bytes, scope: Scope) -> Iterable[Finding]:
    """A key that stands twice in one object, so that one of the two values is lost."""
    repeated: dict[str, None] = {}

    def note(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        value: dict[str, Json] = {}
        for key, item in pairs:
            if key in value:
                repeated[key] = None
            value[key] = item
        return value

    if not isinstance(_readable(line), _Unread):
        json.loads(line.decode(), object_pairs_hook=note)
    for key in repeated:
        yield Finding(
            f"The key {shown(key)} stands twice in one object; which value counts depends on the reader.",
            "Keep one of the two.",
        )


def nan_or_infinity(line: bytes, scope: Scope) -> Iterable[Finding]:
    """NaN or infinity, which Python writes but JSON does not have."""
    constants: dict[str, None] = {}
    if not isinstance(_readable(line), _Unread):
        json.loads(line.decode(), parse_constant=lambda name: constants.setdefault(name))
    for name in constants:
        yield Finding(
            f"{name} is not JSON, although Python's json module writes it.",
            "Write null, a finite number, or text in double quotes.",
        )


def lone_surrogate(line: bytes, scope: Scope) -> Iterable[Finding]:
    """Half of a surrogate pair, as cutting text in the middle of an emoji leaves it."""
    value = _readable(line)
    if not isinstance(value, _Unread) and has_lone_surrogate(value):
        yield Finding(
            r"A \uD800-\uDFFF escape stands alone: half of a character, such as a cut emoji.",
            "Remove the escape, or write the whole character.",
        )


class _Unread:
    """Stands for the value of a line that is not even loosely JSON."""


def _value(line: bytes) -> Json:
    return cast("Json", json.loads(line.decode()))


def _readable(line: bytes) -> Json | _Unread:
    """Read a line as loosely as Python does."""
    try:
        value = _value(line)
        return _Unread() if is_too_deep(value) else value
    except (ValueError, RecursionError):
        return _Unread()


def _syntax_error(line: bytes) -> json.JSONDecodeError | None:
    if line.startswith(BOM):
        return None
    try:
        _value(line)
    except json.JSONDecodeError as error:
        return error
    except (ValueError, RecursionError):
        return None
    return None


def _ends_too_early(error: json.JSONDecodeError) -> bool:
    unfinished = error.msg.startswith("Unterminated string")
    return unfinished or error.pos >= len(error.doc.rstrip())


def _is_cut(line: bytes, error: json.JSONDecodeError) -> bool:
    """Tell whether the file stops in this line: only its last line may lack a line end."""
    return _ends_too_early(error) and not line.endswith(b"\n")


def _tail(text: str) -> str:
    return text.rstrip()[-_SNIPPET:]


def _snippet(error: json.JSONDecodeError) -> str:
    found = error.doc[error.pos : error.pos + _SNIPPET].rstrip()
    return repr(found) if found else "the end of the line"


def _advice(error: json.JSONDecodeError) -> str:
    found = error.doc[error.pos :]
    before = error.doc[: error.pos].rstrip()
    if found.startswith("'"):
        return "JSON wants double quotes; write rows with json.dumps, not str or print."
    if found.startswith(("None", "True", "False")):
        return "JSON writes null, true and false; write rows with json.dumps, not str or print."
    if before.endswith(",") and found.startswith(("}", "]")):
        return "Remove the comma before the closing bracket."
    if error.msg.startswith("Invalid \\"):
        return r"Double each backslash inside text: \\."
    return "Correct the line; writing rows with json.dumps, one per line, avoids this."
