"""What a rule is: the vocabulary that all rules share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gpt4o_tune.catalog import Limits, Method, Model, Offer, ProviderKind
    from gpt4o_tune.data.decode import Json, JsonObject
    from gpt4o_tune.data.formats import Format
    from gpt4o_tune.data.grader import ItemField
    from gpt4o_tune.data.pixels import Pixels
    from gpt4o_tune.data.report import Severity

CHAT: frozenset[Format] = frozenset({"chat"})
PREFERENCE: frozenset[Format] = frozenset({"preference"})
REINFORCEMENT: frozenset[Format] = frozenset({"reinforcement"})
EVERY_FORMAT = CHAT | PREFERENCE | REINFORCEMENT


_SHOWN_CHARS = 40
_SHOWN_NUMBER = 10**15


class Finding(NamedTuple):
    """What a rule found; the rule's place in the table adds code and severity."""

    message: str
    """What is wrong."""
    fix: str
    """What to do next."""
    path: str = ""
    """Place inside the row; empty for the row itself."""
    line: int = 0
    """For rules that see more than one row: the line meant, 0 for the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a dataset is checked for; rules take every limit from here."""

    service: str
    """The provider as messages call it."""
    provider: ProviderKind
    method: Method
    format: Format
    limits: Limits
    model: Model | None
    """None where the provider serves models that the catalog does not know."""
    offer: Offer | None
    """What the provider sells of the model; None where the catalog has no entry."""
    grader: Mapping[str, object] | None = None
    """What is to reward answers; None where it is not to be looked at."""
    item_fields: Sequence[ItemField] = ()
    """What the templates of the grader take from each row."""


class Source(NamedTuple):
    """The file as a whole, as far as a whole file is checked."""

    head: bytes
    """Its first bytes."""
    size: int
    """Bytes that would be uploaded."""
    has_bom: bool
    blank_lines: Sequence[int]
    name: str = ""
    """Name of the file; empty where it is no whole file."""


class Turn(NamedTuple):
    """One message that is an object and has a role that exists."""

    path: str
    role: str
    body: JsonObject


class Stray(NamedTuple):
    """What stands in a list of messages and cannot be taken for one."""

    path: str
    value: Json


class Conversation(NamedTuple):
    """The sound messages of one list, with the row that they stand in."""

    path: str
    """Where the list is: `messages`, `input.messages`, `preferred_output` …"""
    turns: Sequence[Turn]
    tools: Mapping[str, JsonObject]
    """Parameters of each tool or function that the row declares, by name."""
    complete: bool
    """Whether every message of the list is among the turns."""


class Fetched(NamedTuple):
    """What the address of an image gave."""

    path: str
    """Place of the address inside the row."""
    url: str
    fault: str
    """Why there is no answer to look at; empty where there is one."""
    content_type: str = ""
    """As the server declares it, without parameters; empty where it does not."""
    size: int = 0
    """Bytes, or one more than the limit where there are at least as many."""
    format: str | None = None
    """By the first bytes; None where they are no image of a known format."""
    pixels: Pixels | None = None


class Verdict(NamedTuple):
    """What a moderation service says of one message."""

    path: str
    categories: Sequence[str]
    """Those that it was flagged for; empty where it was not."""


Subject: TypeAlias = Literal[
    "source",
    "grader",
    "line",
    "row",
    "tools",
    "stray",
    "message",
    "parts",
    "calls",
    "conversation",
    "exchange",
    "size",
    "text",
    "corpus",
    "fetched",
    "verdict",
]
"""What a rule looks at, and so what it is called with before the `Scope`.

    source        Source: the file as a whole, before any row is read
    grader        Mapping: what is to reward answers, where one was given
    line          bytes: a line that could not be read strictly
    row           JsonObject: a row that could be read
    tools         JsonObject: one that declares tools or functions
    stray         Stray: a message that is no object, or has no role that exists
    message       Turn: any other message
    parts         Turn: one whose content is a list
    calls         Turn: one of the assistant's with calls
    conversation  Conversation: the messages of one list
    exchange      Conversation: one with calls or results of tools
    size          JsonObject, int: a row, and how many bytes it takes
    text          bytes, JsonObject | None: a line, and its row where it could be read
    corpus        Corpus: what is known of all rows, at the end
    fetched       Fetched: an image behind an address, for `probe_images` only
    verdict       Verdict: a message that was looked at, for `moderate` only
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table of rules."""

    code: str
    severity: Severity
    subject: Subject
    check: Callable[..., Iterable[Finding]]
    formats: frozenset[Format] = EVERY_FORMAT
    is_shape: bool = False
    """Whether a row with this fault cannot be read into its model."""
    is_final: bool = False
    """Whether other rules on the same source or row make no sense once this one found something."""
    on_request: bool = False
    """Whether it is applied only where personal data is asked for."""


def kind(value: Json) -> str:
    """Name the JSON type of `value` with its article: `a list`, `null`."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case dict():
            return "an object"


def shown(value: Json) -> str:
    """Write a value for a message: long text cut, numbers as they are, anything larger by its kind."""
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN_CHARS else value[:_SHOWN_CHARS] + "…")
    if isinstance(value, list | dict | bool) or value is None:
        return kind(value)
    return str(value) if abs(value) < _SHOWN_NUMBER else kind(value)


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that `word` most likely stands for, if any is close."""
    import difflib

    close = difflib.get_close_matches(word.lower(), list(choices), n=1, cutoff=0.7)
    return close[0] if close else None
