"""Rules over all rows together: how many, which repeat or contradict one another, what is too long."""

from __future__ import annotations

import bisect
from array import array
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from gpt4o_tune._display import plural
from gpt4o_tune.data.checks.images import count_images
from gpt4o_tune.data.checks.rule import Finding
from gpt4o_tune.data.formats import METHOD_OF_FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gpt4o_tune.catalog import Model
    from gpt4o_tune.data.checks.rule import Conversation, Scope, Turn
    from gpt4o_tune.data.decode import Json, JsonObject

_NO_PROMPT = 0


@dataclass(slots=True)
class Corpus:
    """What is remembered of the rows: three hashes and a line number each, 32 bytes a row.

    Hashes are Python's own of 64 bits; among a million rows, two different ones collide with a chance of
    3e-8.
    """

    rows: int = 0
    """All rows, sound or not."""
    rows_with_images: int = 0
    rows_without_training: int = 0
    crlf_lines: int = 0
    first_crlf_line: int = 0
    lines: array[int] = field(default_factory=lambda: array("q"))
    """Line of each sound row; the three below run along with it."""
    examples: array[int] = field(default_factory=lambda: array("q"))
    prompts: array[int] = field(default_factory=lambda: array("q"))
    """Everything before the last answer; `_NO_PROMPT` where no user speaks there."""
    answers: array[int] = field(default_factory=lambda: array("q"))
    """Of a preference pair, the better output less the worse: the pair turned round has the negative."""

    def note_line(self, line: int, raw: bytes) -> None:
        """Count a row, and its line end where it is that of Windows."""
        self.rows += 1
        if raw.endswith(b"\r\n"):
            self.crlf_lines += 1
            self.first_crlf_line = self.first_crlf_line or line

    def note_row(self, line: int, row: JsonObject, conversations: Sequence[Conversation]) -> None:
        """Remember a sound row by its hashes."""
        turns = conversations[0].turns
        rest = {key: value for key, value in row.items() if key != "messages"}
        if len(conversations) > 1:
            better, worse = rest.pop("preferred_output"), rest.pop("non_preferred_output")
            prompt, answer = _digest(rest), _difference(_digest(better), _digest(worse))
        else:
            last = _last_answer(turns)
            prompt = hash((_digest(rest), *(_digest(turn.body) for turn in turns[:last])))
            answer = hash(tuple(_digest(turn.body) for turn in turns[last:]))
        self.lines.append(line)
        self.examples.append(hash((prompt, answer)))
        self.prompts.append(prompt if any(turn.role == "user" for turn in turns) else _NO_PROMPT)
        self.answers.append(answer)
        self.rows_with_images += any(count_images(turn) for turn in turns)
        self.rows_without_training += all(
            turn.body.get("weight") == 0 for turn in turns if turn.role == "assistant"
        )


def _difference(hash_: int, other: int) -> int:
    """Subtract as a signed number of 64 bits does."""
    return (hash_ - other + 2**63) % 2**64 - 2**63


def _last_answer(turns: Sequence[Turn]) -> int:
    """Return the place of the last assistant message, or the end where there is none."""
    places = range(len(turns) - 1, -1, -1)
    return next((place for place in places if turns[place].role == "assistant"), len(turns))


def _digest(value: Json) -> int:
    """Hash a value so that equal ones have equal hashes in this process, whatever their keys' order."""
    if isinstance(value, dict):
        return hash(frozenset([(key, _digest(item)) for key, item in value.items()]))
    if isinstance(value, list):
        return hash(tuple(map(_digest, value)))
    return hash(value)


def _groups(keys: array[int]) -> Iterator[list[int]]:
    """Yield the positions of each key that stands more than once, ascending."""
    order = sorted(range(len(keys)), key=keys.__getitem__)
    for key, positions in groupby(order, key=keys.__getitem__):
        group = list(positions)
        if len(group) > 1 and key != _NO_PROMPT:
            yield group


def crlf(corpus: Corpus, scope: Scope) -> Iterable[Finding]:
    """Line ends of Windows."""
    if corpus.crlf_lines:
        yield Finding(
            f"{corpus.crlf_lines:,} of {corpus.rows:,} lines end as on Windows (CR LF).",
            r"Write the file with newline='\n'; JSON Lines asks for LF, most readers take both.",
            line=corpus.first_crlf_line,
        )


def too_few_examples(corpus: Corpus, scope: Scope) -> Iterable[Finding]:
    """Fewer examples than a job needs."""
    missing = scope.limits.min_examples - corpus.rows
    if corpus.rows and missing > 0:
        yield Finding(
            f"{plural(corpus.rows, 'example')}: {missing} short of the {scope.limits.min_examples} "
            f"that {scope.service} wants.",
            f"Add at least {missing} more; 50 to 100 good ones are a sound start.",
        )


def method_mismatch(corpus: Corpus, scope: Scope) -> Iterable[Finding]:
    """Rows of a format that the training method does not take."""
    wanted = METHOD_OF_FORMAT[scope.format]
    if scope.method != wanted:
        yield Finding(
            f"The rows have the {scope.format} format, which method {scope.method!r} does not take.",
            f"Train with method={wanted!r}, or convert the rows.",
        )


def too_many_image_examples(corpus: Corpus, scope: Scope) -> Iterable[Finding]:
    """More examples with images than a file may have."""
    limit = scope.limits.max_image_examples
    if corpus.rows_with_images > limit:
        yield Finding(
            f"{corpus.rows_with_images:,} rows have images; {scope.service} takes {limit:,} a file.",
            "Select fewer rows with images.",
        )


def nothing_to_train(corpus: Corpus, scope: Scope) -> Iterable[Finding]:
    """A dataset none of whose answers is trained on."""
    sound = len(corpus.lines)
    if sound and corpus.rows_without_training == sound:
        yield Finding(
            "Every answer in every row has weight 0, so there is nothing to train.",
            "Remove the weights, or set those of the answers to learn to 1.",
        )


def duplicate_row(corpus: Corpus, scope: Scope) -> Iterable[Finding]:
    """A row that stands in the data before: the same tools and messages."""
    for first, *others in _groups(corpus.examples):
        for position in others:
            yield Finding(
                f"The row repeats line {corpus.lines[first]:,}.",
                "Call deduplicate(), unless the example is meant to count twice.",
                line=corpus.lines[position],
            )


def conflicting_answers(corpus: Corpus, scope: Scope) -> Iterable[Finding]:
    """A prompt that another row answers otherwise."""
    for first, *others in _groups(corpus.prompts):
        for position in others:
            if corpus.answers[position] != corpus.answers[first]:
                yield Finding(
                    f"Line {corpus.lines[first]:,} answers the same prompt differently.",
                    "Keep the better answer, unless variety is what the model is to learn.",
                    line=corpus.lines[position],
                )


def contradicting_preference(corpus: Corpus, scope: Scope) -> Iterable[Finding]:
    """A pair that another row has the other way round."""
    first: dict[tuple[int, int], int] = {}
    for line, prompt, answer in zip(corpus.lines, corpus.prompts, corpus.answers, strict=True):
        # Equal outputs have the difference 0 and a rule of their own.
        if answer and (opposite := first.get((prompt, -answer))):
            yield Finding(
                f"Line {opposite:,} prefers the other one of the same two outputs.",
                "Keep the judgement that you trust.",
                line=line,
            )
        first.setdefault((prompt, answer), line)


def identical_answers(corpus: Corpus, scope: Scope) -> Iterable[Finding]:
    """Many different prompts with one and the same answer."""
    answers = len(corpus.answers)
    if answers >= scope.limits.min_examples and len(set(corpus.answers)) == 1:
        yield Finding(
            f"All {answers:,} rows have the same answer; the model learns to say it always.",
            "Check how the answers were filled in; add rows with other answers.",
        )


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
