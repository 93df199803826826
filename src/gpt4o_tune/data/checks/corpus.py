"""Rules over all rows together: how many, which repeat or contradict one another, what is too long."""

from __future__ import annotations

import bisect
from array import array
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from gpt4o_tune._display import plural
from gpt4o_tune.data._keys import HALF, row_key, value_key
from gpt4o_tune.data.checks.images import count_images
from gpt4o_tune.data.checks.rule import Finding
from gpt4o_tune.data.formats import METHOD_OF_FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpt4o_tune.catalog import Model
    from gpt4o_tune.data.checks.rule import Conversation, Scope
    from gpt4o_tune.data.decode import Json, JsonObject

SOUND = 1
"""Mark of a row without errors; rules over all rows look at these."""
ASKED = 2
"""Mark of a row in which a user speaks."""
SHOWS_IMAGES = 4
UNTRAINED = 8
"""Mark of a row none of whose answers is trained on."""
CRLF = 16
COUNTABLE = 32
"""Mark of a row of sound shape, whatever else is wrong with it."""

_MESSAGES = {"messages", "input", "preferred_output", "non_preferred_output"}


class Counted(Protocol):
    """What rules that only count must know of all rows: of a `Corpus`, or of sums over any number of rows."""

    @property
    def rows(self) -> int:
        """How many there are."""
        ...

    @property
    def has_one_answer(self) -> bool:
        """Whether all sound rows have the same answer."""
        ...

    def count(self, marks: int) -> int:
        """Count the rows that have all of some marks."""
        ...

    def first_line(self, mark: int) -> int:
        """Return the line of the first row that has a mark; one must."""
        ...


@dataclass
class Corpus:
    """What is remembered of the rows: two keys and a few marks each, 17 bytes a row."""

    lines: Sequence[int]
    marks: bytearray = field(default_factory=bytearray)
    """Per row; the two below run along with it."""
    prompts: array[int] = field(default_factory=lambda: array("Q"))
    """Key of everything before the last answer, tools included."""
    answers: array[int] = field(default_factory=lambda: array("Q"))

    def note(self, marks: int, prompt: int = 0, answer: int = 0) -> None:
        """Remember one more row."""
        self.marks.append(marks)
        self.prompts.append(prompt)
        self.answers.append(answer)

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.marks)

    @property
    def has_one_answer(self) -> bool:
        """Whether all sound rows have the same answer."""
        rows = zip(self.answers, self.marks, strict=True)
        return len({answer for answer, marks in rows if marks & SOUND}) == 1

    def first_line(self, mark: int) -> int:
        """Return the line of the first row that has a mark; one must."""
        return self.lines[next(row for row, marks in enumerate(self.marks) if marks & mark)]

    def count(self, marks: int) -> int:
        """Count the rows that have all of some marks."""
        return sum(count for mark, count in Counter(self.marks).items() if mark & marks == marks)

    @cached_property
    def repeated(self) -> Sequence[Sequence[int]]:
        """Sound rows with the same prompt, where there are several; each series ascending."""
        several = {key for key, after in pairwise(sorted(self.prompts)) if key == after}
        groups: dict[int, list[int]] = {}
        for row, key in enumerate(self.prompts):
            if key in several and self.marks[row] & SOUND:
                groups.setdefault(key, []).append(row)
        return [rows for rows in groups.values() if len(rows) > 1]


def marks_of(conversations: Sequence[Conversation]) -> int:
    """Return what a row's messages tell, as marks."""
    turns = conversations[0].turns
    marks = SOUND
    if any(turn.role == "user" for turn in turns):
        marks |= ASKED
    if any(count_images(turn) for turn in turns):
        marks |= SHOWS_IMAGES
    if all(turn.body.get("weight") == 0 for turn in turns if turn.role == "assistant"):
        marks |= UNTRAINED
    return marks


def corpus_keys(row: JsonObject, key: bytes | None = None) -> tuple[int, int]:
    """Return the keys of a row's prompt and answer as numbers; tools and other fields count too.

    Args:
        row: The row.
        key: That of its messages, where it is known.
    """
    key = key or row_key(row)
    prompt, answer = int.from_bytes(key[:HALF]), int.from_bytes(key[HALF:])
    rest = {name: value for name, value in row.items() if name not in _MESSAGES}
    source = row.get("input")
    if isinstance(source, dict):
        rest["input"] = {name: value for name, value in source.items() if name != "messages"}
    return prompt ^ value_key(rest) if rest else prompt, answer


def crlf(corpus: Counted, scope: Scope) -> Iterable[Finding]:
    """Line ends of Windows."""
    if ends := corpus.count(CRLF):
        yield Finding(
            f"{ends:,} of {corpus.rows:,} lines end as on Windows (CR LF).",
            r"Write the file with newline='\n'; JSON Lines asks for LF, most readers take both.",
            line=corpus.first_line(CRLF),
        )


def too_few_examples(corpus: Counted, scope: Scope) -> Iterable[Finding]:
    """Fewer examples than a job needs."""
    rows = corpus.rows
    missing = scope.limits.min_examples - rows
    if rows and missing > 0:
        yield Finding(
            f"{plural(rows, 'example')}: {missing} short of the {scope.limits.min_examples} "
            f"that {scope.service} wants.",
            f"Add at least {missing} more; 50 to 100 good ones are a sound start.",
        )


def method_mismatch(corpus: Counted, scope: Scope) -> Iterable[Finding]:
    """Rows of a format that the training method does not take."""
    wanted = METHOD_OF_FORMAT[scope.format]
    if scope.method != wanted:
        yield Finding(
            f"The rows have the {scope.format} format, which method {scope.method!r} does not take.",
            f"Train with method={wanted!r}, or convert the rows.",
        )


def too_many_image_examples(corpus: Counted, scope: Scope) -> Iterable[Finding]:
    """More examples with images than a file may have."""
    limit = scope.limits.max_image_examples
    shown = corpus.count(SOUND | SHOWS_IMAGES)
    if shown > limit:
        yield Finding(
            f"{shown:,} rows have images; {scope.service} takes {limit:,} a file.",
            "Select fewer rows with images.",
        )


def nothing_to_train(corpus: Counted, scope: Scope) -> Iterable[Finding]:
    """A dataset none of whose answers is trained on."""
    sound = corpus.count(SOUND)
    if sound and corpus.count(SOUND | UNTRAINED) == sound:
        yield Finding(
            "Every answer in every row has weight 0, so there is nothing to train.",
            "Remove the weights, or set those of the answers to learn to 1.",
        )


def duplicate_row(corpus: Corpus, scope: Scope) -> Iterable[Finding]:
    """A row that stands in the data before: the same tools and messages."""
    for rows in corpus.repeated:
        first: dict[int, int] = {}
        for row in rows:
            earlier = first.setdefault(corpus.answers[row], row)
            if earlier != row:
                yield Finding(
                    f"The row repeats line {corpus.lines[earlier]:,}.",
                    "Call deduplicate(), unless the example is meant to count twice.",
                    line=corpus.lines[row],
                )


def conflicting_answers(corpus: Corpus, scope: Scope) -> Iterable[Finding]:
    """A prompt that another row answers otherwise."""
    for first, *others in corpus.repeated:
        for row in others:
            if corpus.answers[row] != corpus.answers[first] and corpus.marks[row] & ASKED:
                yield Finding(
                    f"Line {corpus.lines[first]:,} answers the same prompt differently.",
                    "Keep the better answer, unless variety is what the model is to learn.",
                    line=corpus.lines[row],
                )


def contradicting_preference(corpus: Corpus, scope: Scope) -> Iterable[Finding]:
    """A pair that another row has the other way round."""
    for rows in corpus.repeated:
        first: dict[int, int] = {}
        for row in rows:
            answer = corpus.answers[row]
            if (opposite := first.get(-answer % 2**64)) is not None:
                yield Finding(
                    f"Line {corpus.lines[opposite]:,} prefers the other one of the same two outputs.",
                    "Keep the judgement that you trust.",
                    line=corpus.lines[row],
                )
            first.setdefault(answer, row)


def identical_answers(corpus: Counted, scope: Scope) -> Iterable[Finding]:
    """Many different prompts with one and the same answer."""
    sound = corpus.count(SOUND)
    if sound >= scope.limits.min_examples and corpus.has_one_answer:
        yield Finding(
            f"All {sound:,} rows have the same answer; the model learns to say it always.",
            "Check how the answers were filled in; add rows with other answers.",
        )


COMPARING = (duplicate_row, conflicting_answers, contradicting_preference)
"""The rules that set rows with the same prompt side by side; all others over all rows count."""


def too_long(row: JsonObject, size: int, scope: Scope) -> Iterable[Finding]:
    """A row over the training context, whose end is cut off before training.

    A token takes at least one byte, so a row without images and with no more bytes than the limit needs
    no counting.
    """
    limit = scope.model.training_context if scope.model else None
    if scope.model is None or limit is None or (size <= limit and not _may_have_images(row)):
        return
    from gpt4o_tune.data.tokens import count_row

    tokens = count_row(row, model=scope.model)
    if tokens > limit:
        path, what = _cut_off(row, scope.model, limit)
        yield Finding(
            f"The row has {tokens:,} tokens; {scope.model.name!r} trains on the first {limit:,}, so "
            f"{tokens - limit:,} at the end would be cut off{what}.",
            "Shorten the row, split it, or leave it out.",
            path,
        )


def _cut_off(row: JsonObject, model: Model, limit: int) -> tuple[str, str]:
    """Return the path of the first message that would lose something, and say what is lost."""
    from gpt4o_tune.data.tokens import count_row

    messages = row.get("messages")
    if not isinstance(messages, list):
        return "", ""

    def counted(first: int) -> int:
        return count_row({**row, "messages": messages[:first]}, model=model)

    # Tokens only grow with the messages, so the first that does not fit is found by halving.
    place = bisect.bisect_right(range(len(messages)), limit, key=lambda last: counted(last + 1))
    if counted(0) >= limit:
        return "", ": the tools alone fill the context"
    before, through = counted(place), counted(place + 1)
    role = message.get("role") if isinstance(message := messages[place], dict) else None
    lost = f": {through - limit:,} of the {through - before:,} of the {role} message"
    later = messages[place + 1 :]
    if later:
        lost += f" and the {'message' if len(later) == 1 else f'{len(later):,} messages'} after it"
    if role != "assistant" and _answers(later) and not _answers(messages[:place]):
        lost += ", so no answer is left to learn"
    return f"messages[{place}]", lost


def _answers(messages: Sequence[Json]) -> bool:
    """Tell whether any message is the assistant's."""
    roles = (message.get("role") for message in messages if isinstance(message, dict))
    return "assistant" in roles


def _may_have_images(row: JsonObject) -> bool:
    messages = row.get("messages")
    return isinstance(messages, list) and any(
        isinstance(message, dict) and isinstance(message.get("content"), list)
        for message in messages
    )
