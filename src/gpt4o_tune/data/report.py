"""What `Dataset.check` returns: problems as values, and a report that renders them."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from gpt4o_tune._display import plural, width
from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpt4o_tune.catalog import Method, ProviderKind
    from gpt4o_tune.data.dataset import Dataset

__all__ = ["CheckReport", "Problem", "Severity"]

Severity: TypeAlias = Literal["error", "warning"]

_COLUMNS = 100
_SOURCE_CHARS = 90
_SHOWN_PER_CODE = 3
_SHOWN_IN_EXCEPTION = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault, where it is and what to do about it."""

    line: int
    """Line of the file, or number of the record, from 1; 0 where the fault is in the whole."""
    path: str
    """Place inside the row, such as `messages[2].content`; empty where the row itself is meant."""
    code: str
    """Stable name of the rule, with a heading of its own in `docs/reference/checks.md`."""
    severity: Severity
    """An error stops a launch; a warning does not."""
    message: str
    """What is wrong."""
    fix: str
    """What to do next."""

    def __str__(self) -> str:
        return f"{self._place}: {self.severity} {self.code}: {self.message} {self.fix}"

    @property
    def _place(self) -> str:
        where = f"line {self.line:,}" if self.line else "the whole file"
        return f"{where}, {_printable(self.path)}" if self.path else where


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """Every problem that a check found, sorted by line.

    Example:
        >>> report = Dataset.from_jsonl("tickets.jsonl").check(model="gpt-4o-2024-08-06")
        >>> report.raise_for_errors()
    """

    problems: tuple[Problem, ...]
    source: str
    """The file that was checked, or `records`."""
    rows: int
    """Rows that were checked."""
    model: str | None
    """The model that the rules were chosen for; None where the catalog does not know it."""
    provider: ProviderKind
    method: Method

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings may remain."""
        return not self.errors

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stop a launch."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that deserve a look and stop nothing."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")

    def without(self, *codes: str) -> CheckReport:
        """Return the report without the problems of some rules.

        Example:
            >>> validation.check().without("too-few-examples").raise_for_errors()

        Raises:
            ValueError: There is no such rule.
        """
        from gpt4o_tune.data.checks import RULES

        known = {rule.code for rule in RULES}
        for code in codes:
            if code not in known:
                raise ValueError(
                    f"there is no rule {code!r}; docs/reference/checks.md lists them all"
                )
        kept = tuple(problem for problem in self.problems if problem.code not in codes)
        return replace(self, problems=kept)

    def raise_for_errors(self) -> None:
        """Do nothing where there is no error.

        Raises:
            DatasetError: There are errors; all of them are in `.problems`.
        """
        if self.errors:
            raise broken(self.source, self.errors)

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values, ready for `json.dumps`.

        Keys: `ok`, `source`, `rows`, `model`, `provider`, `method`, `errors` and `warnings` (counts),
        and `problems`: a list of objects with the fields of `Problem`.
        """
        return {
            "ok": self.ok,
            "source": self.source,
            "rows": self.rows,
            "model": self.model,
            "provider": self.provider,
            "method": self.method,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "problems": [asdict(problem) for problem in self.problems],
        }

    def to_text(self) -> str:
        """Lay the report out in at most 100 columns: per code a count, the first lines and the fix."""
        groups: dict[str, list[Problem]] = {}
        for problem in (*self.errors, *self.warnings):
            groups.setdefault(problem.code, []).append(problem)
        blocks = [_group(problems) for problems in groups.values()]
        return "\n\n".join([self._headline(), *blocks])

    def _headline(self) -> str:
        found = (
            f"{plural(len(self.errors), 'error')}, {plural(len(self.warnings), 'warning')}"
            if self.problems
            else "no problems"
        )
        target = f"{self.model} at {self.provider}" if self.model else self.provider
        scope = f"in {plural(self.rows, 'row')}, for {target} ({self.method})"
        name = (
            "…" + self.source[1 - _SOURCE_CHARS :]
            if len(self.source) > _SOURCE_CHARS
            else self.source
        )
        line = f"{name}: {found} {scope}"
        return line if width(line) <= _COLUMNS else f"{name}:\n{found} {scope}"

    def __str__(self) -> str:
        return self.to_text()

    def to_html(self, rows: Dataset | None = None) -> str:
        """Lay the report out as a page of its own, to be opened without a network.

        The page groups problems by rule, with a filter; at most 200 of each rule are shown.

        Args:
            rows: The dataset that was checked, to show beside each problem what stands there, with
                placeholders for secrets and personal data; None shows messages only.
        """
        from gpt4o_tune.data._report_page import page

        return page(self, rows)

    def _repr_html_(self) -> str:
        from gpt4o_tune.data._report_page import summary

        return summary(self)


def broken(source: str, problems: Sequence[Problem], *, doing: str = "") -> DatasetError:
    """Build the error for rows that cannot be used.

    Args:
        source: The file, or `records`.
        problems: All the problems; the message shows the first five.
        doing: What could not be done because of them, such as `count tokens`.
    """
    shown = [f"  {problem}" for problem in problems[:_SHOWN_IN_EXCEPTION]]
    rest = len(problems) - len(shown)
    if rest:
        codes = Counter(problem.code for problem in problems[len(shown) :])
        named = ", ".join(f"{code} x {count:,}" for code, count in codes.most_common(8))
        shown.append(f"  and {rest:,} more ({named})")
    opening = f"Cannot {doing}: {source} has" if doing else f"{source} has"
    advice = "Run check() for the whole report; drop(report.errors) leaves the rows out."
    text = "\n".join([f"{opening} {plural(len(problems), 'error')}.", *shown, advice])
    return DatasetError(text, problems=problems)


def _group(problems: Sequence[Problem]) -> str:
    first = problems[0]
    count = f"  x {len(problems):,}" if len(problems) > 1 else ""
    lines = [f"{first.severity}[{first.code}]{count}"]
    for problem in problems[:_SHOWN_PER_CODE]:
        place = f"{problem.line:>7,}" if problem.line else "   file"
        where = f"{_printable(problem.path)}: " if problem.path else ""
        lines += _wrap(where + problem.message, first=f"{place} | ", rest=" " * 7 + " | ")
    if len(problems) > _SHOWN_PER_CODE:
        lines += _wrap(_more(problems), first=" " * 7 + " | ", rest=" " * 7 + " | ")
    lines += _wrap(first.fix, first=" " * 7 + " = fix: ", rest=" " * 15)
    return "\n".join(lines)


def _more(problems: Sequence[Problem]) -> str:
    rest = problems[_SHOWN_PER_CODE:]
    numbers = list(dict.fromkeys(problem.line for problem in rest if problem.line))
    listed = ", ".join(f"{number:,}" for number in numbers[:8])
    tail = ", …" if len(numbers) > 8 else ""
    return f"… and {len(rest):,} more" + (f", on lines {listed}{tail}" if listed else "")


def _wrap(text: str, *, first: str, rest: str) -> Iterable[str]:
    import textwrap

    return textwrap.wrap(
        " ".join(text.split()),
        width=_COLUMNS,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    )


def _printable(path: str) -> str:
    """Escape what a key from a file must not do to a terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in path)
