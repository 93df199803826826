"""Candidate pairs judged by the rules, in several processes where there are many and a file holds the rows.

Cases come in an order in which neighbours concern the same rows, and each process keeps the rows that it cut
last. Which process judges a case has no influence on the verdict.
"""

from __future__ import annotations

from functools import partial
from itertools import chain, compress, islice
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias, cast, runtime_checkable

from jiter import from_json

from gpt4o_tune.data._corpus import stock_limit, template_limit
from gpt4o_tune.data._crew import processes, share_out
from gpt4o_tune.data._judging import Common, Judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gpt4o_tune.data._store import Place
    from gpt4o_tune.data.decode import JsonObject

    FindSpan: TypeAlias = Callable[[int], "Span"]

Way: TypeAlias = Literal["near", "contained"]
Span: TypeAlias = "tuple[int, int, int]"
"""Number of the file, and where in it a row starts and ends."""

_CASES = 256
"""Cases that a process is given at a time."""
_AT_ONCE = 1 << 16
"""Cases that are held in memory, a few hundred bytes each."""
_WORTH_HELP = 8_000
"""From so many cases on, helpers save more time than they take to start."""


class Case(NamedTuple):
    """Two prompts, by number, and the rows of each that are to be compared."""

    one: int
    two: int
    rows: Sequence[int]
    others: Sequence[int]


@runtime_checkable
class Filed(Protocol):
    """Rows of a file that another process can read."""

    @property
    def place(self) -> Place | None:
        """The file; None where this process alone has the rows."""
        ...

    def span(self, index: int) -> tuple[int, int]:
        """Return where a row starts and ends."""
        ...

    def verify(self) -> None:
        """Raise `DatasetError` where the file changed."""
        ...


class Task(NamedTuple):
    """Cases, and where their rows are."""

    cases: Sequence[Case]
    spans: Mapping[int, Span]


class Question(NamedTuple):
    """What is asked of every case."""

    way: Way
    threshold: float
    in_chains: bool
    """Whether a case may go without a verdict where earlier ones joined its prompts, directly or not."""

    def asked(self, judge: Judge, row: int, other: int) -> bool:
        """Ask it of two rows."""
        if self.way == "near":
            return judge.are_near(row, other, threshold=self.threshold)
        return judge.is_contained(row, other)


class Bench(NamedTuple):
    """What another process needs to know before it can judge."""

    places: Sequence[Place]
    sample: Sequence[Span]
    """The rows that tell what is common."""
    scale: float
    """Which share of all rows the sample is."""


def common_of(rows: Iterable[Mapping[str, object]], *, scale: float) -> Common:
    """Learn what is common from a sample that is this share of all rows."""
    return Common(
        rows, template_limit=template_limit, stock_limit=partial(stock_limit, share=scale)
    )


def verdicts(
    cases: Iterable[Case], *, judge: Judge, question: Question, bench: Bench | None, span: FindSpan
) -> Iterator[Case]:
    """Yield the cases that the rules find alike, in order.

    Args:
        cases: What to judge.
        judge: Judges in this process.
        question: What to ask.
        bench: Lets other processes judge too; None where they cannot read the rows.
        span: Where a row is.
    """
    coming = iter(cases)
    helpers = processes() - 1 if bench else 0
    while held := list(islice(coming, _AT_ONCE)):
        if bench is None or not helpers or len(held) < _WORTH_HELP:
            answers = _answers(judge, held, question)
        else:
            tasks = [_task(held[at : at + _CASES], span) for at in range(0, len(held), _CASES)]
            build = partial(_judging, bench, question)
            answers = chain.from_iterable(share_out(build, tasks, helpers=helpers))
        yield from compress(held, answers)


def _task(cases: Sequence[Case], span: FindSpan) -> Task:
    rows = {row for case in cases for row in (*case.rows, *case.others)}
    return Task(cases, {row: span(row) for row in rows})


def _judging(bench: Bench, question: Question) -> Callable[[Task], bytes]:
    """Open the files and learn what is common, once for a process."""
    files = [place.open() for place in bench.places]
    spans: dict[int, Span] = {}

    def read(span: Span) -> Mapping[str, object]:
        file, start, end = span
        # Rows that are compared were found to be sound, so nothing must be refused here.
        return cast("JsonObject", from_json(next(files[file].spans([start], [end]))))

    judge = Judge(
        lambda row: read(spans[row]), common_of(map(read, bench.sample), scale=bench.scale)
    )

    def work(task: Task) -> bytes:
        spans.clear()
        spans.update(task.spans)
        return bytes(_answers(judge, task.cases, question))

    return work


def _answers(judge: Judge, cases: Iterable[Case], question: Question) -> Iterator[bool]:
    """Tell of each case whether it is alike; of those that add nothing to a chain, that it is not."""
    joined = _Chains()
    for case in cases:
        if question.in_chains and joined.root(case.one) == joined.root(case.two):
            yield False
            continue
        is_alike = any(
            question.asked(judge, row, other) for row in case.rows for other in case.others
        )
        if is_alike:
            joined[joined.root(case.one)] = joined.root(case.two)
        yield is_alike


class _Chains(dict[int, int]):
    """What is joined directly or through others, among few of many."""

    def root(self, one: int) -> int:
        while (other := self.get(one, one)) != one:
            one = other
        return one
