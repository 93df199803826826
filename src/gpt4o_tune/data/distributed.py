"""Check, count and fingerprint rows where one machine is not enough: on Ray Data, Spark or Dask.

    >>> survey = RowSurvey(model="gpt-4o-2024-08-06")
    >>> facts = lines.map_batches(survey)                # Ray Data
    >>> facts = lines.mapPartitions(survey.partition)    # Spark; in Dask map_partitions
    >>> print(survey.combine(facts.iter_rows()))         # Spark: toLocalIterator()

A row is looked at wherever it is, and a small record about it comes back; what needs all rows is put
together from these records. No engine is imported here, and workers need nothing but this package.
"""

from __future__ import annotations

import threading
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from gpt4o_tune.catalog import DEFAULT_MODEL, ProviderKind
from gpt4o_tune.data._batches import column, columns_of, line_number, raw_line, records_of
from gpt4o_tune.data._row_facts import (
    COLUMNS,
    NO_ROW,
    Compared,
    RowFacts,
    add_up,
    checked,
    facts_of,
    problems_of,
    put_problems,
)
from gpt4o_tune.data._store import BOM
from gpt4o_tune.data._survey import Gatherer, Wanted
from gpt4o_tune.data._tally import Tally
from gpt4o_tune.data.checks import RULES, Source, examine
from gpt4o_tune.data.checks.corpus import COMPARING
from gpt4o_tune.data.checks.engine import corpus_problems, in_order, source_problems
from gpt4o_tune.data.formats import METHOD_OF_FORMAT, Format
from gpt4o_tune.data.overview import Overview
from gpt4o_tune.data.report import CheckReport, Problem
from gpt4o_tune.data.split import check_shares
from gpt4o_tune.errors import DatasetError, ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gpt4o_tune.catalog import Method

__all__ = ["Part", "RowFacts", "RowSurvey", "file_lines", "part_of"]

Line: TypeAlias = "str | bytes"
Part: TypeAlias = Literal["train", "validation", "test"]

_BLOCK_ROWS = 1_024
_BLOCK_BYTES = 1 << 20
_COMPARING_RULES = tuple(rule for rule in RULES if rule.check in COMPARING)
_OTHER_RULES = tuple(rule for rule in RULES if rule.check not in COMPARING)


class RowSurvey:
    """Looks at rows wherever they are. Small, and picklable: tokenizers are made where they are used.

    Call it with a batch of columns, as Ray Data has them, or `partition` with an iterator of lines, as
    Spark and Dask have them, in any number of processes and threads. Each process loads the vocabulary
    once (0.2 s, 80 MB).

    Example:
        >>> survey = RowSurvey(model="gpt-4o-2024-08-06")
        >>> with open("tickets.jsonl") as lines:
        ...     print(survey.combine(survey.partition(lines)))
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        provider: ProviderKind = "openai",
        method: Method | None = None,
        format: Format = "chat",  # noqa: A002  # as in Dataset
        grader: Mapping[str, object] | None = None,
        pii: bool = False,
        text: str = "text",
        line: str | None = None,
        keep: Sequence[str] = (),
    ) -> None:
        """Choose what to look for; arguments are checked here, before anything is sent to a worker.

        Args:
            model: The model to train; `DEFAULT_MODEL` where none is given.
            provider: Where; limits and prices follow from it.
            method: How; the one that the format is for where none is given.
            format: What the rows are; no worker sees enough of them to tell.
            grader: As for `Dataset.check`.
            pii: As for `Dataset.check`.
            text: The column of a batch that holds the lines.
            line: The column that holds their numbers, from 1; `line` where none is named and there is one.
            keep: Further columns of a batch to give back as they are, such as `path`.

        Raises:
            ProviderError: The catalog does not know the model, or there is no such provider.
            ValueError: There is no such format, a grader came with another method, or a column to keep
                has the name of one that is added.
        """
        if format not in get_args(Format):
            known = ", ".join(map(repr, get_args(Format)))
            raise ValueError(f"format must be one of {known}, got {format!r}")
        if provider not in get_args(ProviderKind):
            known = ", ".join(map(repr, get_args(ProviderKind)))
            raise ProviderError(f"provider must be one of {known}, got {provider!r}")
        if taken := [name for name in keep if name in COLUMNS]:
            raise ValueError(f"a column {taken[0]!r} is added; rename yours to keep it")
        self._wanted = Wanted(
            format=format,
            model=model or DEFAULT_MODEL,
            provider=provider,
            method=method or METHOD_OF_FORMAT[format],
            grader=grader,
            judge=True,
            count=True,
            pii=pii,
        )
        self._wanted.scope()
        self._text, self._line, self._keep = text, line, tuple(keep)

    def __repr__(self) -> str:
        wanted = self._wanted
        return f"RowSurvey({wanted.model!r}, {wanted.provider}, {wanted.method}, {wanted.format})"

    def __call__(self, batch: object) -> dict[str, list[object]]:
        """Look at a batch of lines; for `map_batches` of Ray Data.

        Args:
            batch: Columns by name: a mapping, a pandas frame or an arrow table. Bytes are taken as they
                stand; text without a line end gets one, as readers take it away.

        Returns:
            The columns of `RowFacts` and those to keep; one entry for each line.

        Raises:
            DatasetError: A column is missing, or holds something else than lines or whole numbers.
        """
        columns = columns_of(batch)
        raws = [*map(raw_line, column(columns, self._text))]
        if self._line is None:
            numbers = columns.get("line") or [0] * len(raws)
        else:
            numbers = column(columns, self._line)
        facts = [*self._look([*map(line_number, numbers)], raws)]
        found: dict[str, list[object]] = {name: [one[name] for one in facts] for name in COLUMNS}
        return found | {name: [*column(columns, name)] for name in self._keep}

    def partition(self, lines: Iterable[Line | tuple[int, Line]]) -> Iterator[RowFacts]:
        """Look at lines one after the other; for `mapPartitions` of Spark and `map_partitions` of Dask.

        Dask sends results from process to process, where no generator can go, so make a list there.

        Args:
            lines: Lines as in a batch, or pairs of a line number, from 1, and a line. About a megabyte of
                them is held at a time.

        Raises:
            DatasetError: Something is no line.
        """
        numbers: list[int] = []
        raws: list[bytes] = []
        size = 0
        for item in lines:
            is_pair = isinstance(item, tuple) and len(item) == 2
            number, line = item if is_pair else (0, item)
            numbers.append(line_number(number))
            raws.append(raw_line(line))
            size += len(raws[-1])
            if len(raws) == _BLOCK_ROWS or size > _BLOCK_BYTES:
                yield from self._look(numbers, raws)
                numbers, raws, size = [], [], 0
        yield from self._look(numbers, raws)

    def combine(
        self,
        facts: Iterable[Mapping[str, object]],
        *,
        source: str = "records",
        repeats: bool = True,
    ) -> Overview:
        """Put together what was found of each row, with what only all rows can tell.

        The report equals that of `Dataset.check` on one file of these lines, but for what stands in no
        row: the name of the file, and what its first bytes say.

        Args:
            facts: The records of all rows, in any order; read once. Rows without line numbers are numbered
                as they come; where two have the same number, which one repeats the other is left to order.
            source: What the report calls the data.
            repeats: Whether to look for repeated rows and conflicting answers, for which 25 bytes a row
                are held, and several times as many for a moment at the end. Without it, memory does not
                grow with the rows, only with their problems; the method `repeats` then does the rest.

        Raises:
            DatasetError: A record lacks a column.
        """
        scope = self._wanted.scope()
        tally = Tally(training_context=scope.model.training_context if scope.model else None)
        compared = Compared()
        problems: list[Problem] = []
        for place, record in enumerate(facts, start=1):
            one = checked(record)
            line = int(one["line"]) or place
            problems += problems_of(one, line=line)
            if one["bytes"]:
                add_up(tally, one, line=line)
                if repeats:
                    compared.add(one, line=line)
        source_found = source_problems(Source(b"", tally.size, False, ()), scope, RULES)
        found = source_found.problems
        if not source_found.are_final:
            found += problems
            found += corpus_problems(tally, scope, _OTHER_RULES)
            found += corpus_problems(compared.in_order(), scope, _COMPARING_RULES)
        return Overview(
            check=CheckReport(
                problems=tuple(in_order(found)),
                source=source,
                rows=tally.rows,
                model=scope.model.name if scope.model else None,
                provider=scope.provider,
                method=scope.method,
            ),
            tokens=tally.tokens if scope.model else None,
            trained_tokens=tally.trained if scope.model else None,
            unreadable=tally.unreadable,
            billed=tally.bill(scope.model) if scope.model else None,
        )

    def repeats(self, facts: object) -> tuple[Problem, ...]:
        """Find repeated rows and conflicting answers in what an engine grouped by `prompt`.

        Args:
            facts: The records of all rows with one `prompt`, one by one or as columns. They need line
                numbers. Rows that cannot be read have an empty `prompt`, and nothing to find here.

        Returns:
            What `combine` would find, but for `repeats=False`.

        Raises:
            DatasetError: A record lacks a column or a line number.
        """
        compared = Compared()
        for one in map(checked, records_of(facts)):
            if not one["line"]:
                raise DatasetError(
                    "A record has no line number, so a problem could not say which row it means. "
                    "Number the lines before you survey them."
                )
            compared.add(one, line=int(one["line"]))
        scope = self._wanted.scope()
        return tuple(in_order(corpus_problems(compared.in_order(), scope, _COMPARING_RULES)))

    def _look(self, lines: Sequence[int], raws: Sequence[bytes]) -> Iterator[RowFacts]:
        """Look at a block of lines."""
        marked = {
            place for place, line in enumerate(lines) if line == 1 and raws[place].startswith(BOM)
        }
        bare = [raw.removeprefix(BOM) if n in marked else raw for n, raw in enumerate(raws)]
        places = [place for place, raw in enumerate(bare) if raw and not raw.isspace()]
        gathered = _GATHERERS.of(self._wanted).gather(places, [bare[place] for place in places])
        facts = dict(zip(places, facts_of(gathered, places), strict=True))
        problems: dict[int, list[Problem]] = {}
        for problem in gathered.problems:
            problems.setdefault(problem.line, []).append(problem)
        for place, line in enumerate(lines):
            found = problems.get(place, [])
            one = facts.get(place)
            if one is None or place in marked:
                blank = (line,) if one is None else ()
                about = Source(b"", 1, has_bom=place in marked, blank_lines=blank)
                found = [*examine("source", about, self._wanted.scope()), *found]
            one = one or NO_ROW.copy()
            one["line"] = line
            one["bytes"] = len(bare[place]) if place in facts else 0
            if found:
                put_problems(one, found)
            yield one


def part_of(key: str, *, validation: float = 0.1, test: float = 0.0, seed: int = 0) -> Part:
    """Tell which part of a split rows with a key belong to, from the key alone.

    For rows that no single place can gather. It differs from `Dataset.split` in what it promises:

    - No row ever moves, whatever is added: the part is drawn by a fixed threshold. So shares hold on the
      average alone: a tenth of 100 rows is 10, give or take 3; of a million, 100,000 give or take 300.
    - Rows with equal keys stay together, and nothing else does. Near-duplicates may straddle the split.
    - A larger share takes rows from the training part only, and none from the other held-out part.

    Args:
        key: What must stay together: the `prompt` of a row's facts, or a customer's number.
        validation: Share of the keys to hold out for validation.
        test: Share of the keys to hold out for testing.
        seed: Another seed gives another draw.

    Raises:
        ValueError: The key is empty, a share is negative, or the shares leave nothing to train on.
    """
    check_shares(validation=validation, test=test)
    if not key:
        raise ValueError("the key is empty; leave out rows that cannot be read, or give a key")
    draw = int.from_bytes(blake2b(b"%d:" % seed + key.encode(), digest_size=8).digest()) / 2**64
    if draw < test:
        return "test"
    return "validation" if draw >= 1 - validation else "train"


def file_lines(file: Mapping[str, object], *, first: int = 1) -> list[dict[str, object]]:
    """Cut a file into lines with their numbers; for `flat_map` after `ray.data.read_binary_files`.

    Ray's `read_text` also cuts at characters that may stand inside a row, such as U+2028, and so breaks
    rows that are sound.

    Args:
        file: The file under `bytes`; `path` and other columns go along with each line.
        first: The number of its first line. Numbers tell rows apart, so with several files each should
            begin where another ends.

    Raises:
        DatasetError: There are no bytes.
    """
    data = file.get("bytes")
    if not isinstance(data, bytes):
        raise DatasetError(
            "A file has no column 'bytes'. Read files with ray.data.read_binary_files."
        )
    more = {name: value for name, value in file.items() if name != "bytes"}
    *whole, last = data.split(b"\n")
    lines = [line + b"\n" for line in whole] + ([last] if last else [])
    return [{**more, "line": number, "text": line} for number, line in enumerate(lines, first)]


class _Gatherers(threading.local):
    """What reads rows, kept from batch to batch; one per thread, as it is busy with one at a time."""

    def __init__(self) -> None:
        self._known: dict[Wanted, Gatherer] = {}

    def of(self, wanted: Wanted) -> Gatherer:
        if wanted not in self._known:
            self._known[wanted] = Gatherer(wanted)
        return self._known[wanted]


_GATHERERS = _Gatherers()
