"""Does every row have what a grader's templates name? To be asked before anything is run or paid for."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gpt4o_tune._display import html_text, plural
from gpt4o_tune.errors import DatasetError
from gpt4o_tune.evaluation.graders.grader import Item
from gpt4o_tune.evaluation.graders.model_graders import LabelModel, ScoreModel
from gpt4o_tune.evaluation.graders.multi import MultiGrader
from gpt4o_tune.evaluation.graders.templates import NAMESPACES, SAMPLE_NAMES, variables
from gpt4o_tune.evaluation.graders.text_graders import StringCheck, TextSimilarity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gpt4o_tune.evaluation.graders.templates import Variable

__all__ = ["TemplateProblem", "TemplateReport", "check_templates"]

_ROWS_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateProblem:
    """One variable that cannot be filled in."""

    grader: str
    variable: str
    """As written in the template, braces included."""

    message: str
    fix: str
    rows: tuple[int, ...] = ()
    """The rows that lack it, counted from 0; none where the name itself cannot be."""

    def __str__(self) -> str:
        return f"{self.grader}: {self.message} {self.fix}"


@dataclass(frozen=True, slots=True)
class TemplateReport:
    """The variables of a grader, held against rows."""

    rows: int
    """How many rows were looked at."""

    problems: tuple[TemplateProblem, ...]

    @property
    def ok(self) -> bool:
        """Whether every variable has a value in every row."""
        return not self.problems

    def raise_for_problems(self) -> None:
        """Raise where there are problems.

        Raises:
            DatasetError: With all problems in the message and in `.problems`.
        """
        if self.problems:
            raise DatasetError(str(self), problems=self.problems)

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes."""
        return {
            "rows": self.rows,
            "ok": self.ok,
            "problems": [asdict(problem) for problem in self.problems],
        }

    def __str__(self) -> str:
        if self.ok:
            return f"every template variable has a value in {plural(self.rows, 'row')}"
        head = f"{plural(len(self.problems), 'template variable')} cannot be filled in:"
        return "\n".join([head, *(f"  {problem}" for problem in self.problems)])

    def _repr_html_(self) -> str:
        return html_text(str(self))


def check_templates(
    grader: object,
    rows: Iterable[Mapping[str, object] | Item],
    *,
    response_format: Mapping[str, object] | None = None,
) -> TemplateReport:
    """Hold every `{{item...}}` and `{{sample...}}` of a grader against the rows it is to judge.

    A grader without templates has none to check and passes.

    Args:
        grader: A grader of the published schema, with the parts of a multi grader.
        rows: The rows as parsed from their lines, or as items.
        response_format: What the answers are asked to be; without one, `{{sample.output_json}}` is a
            problem, since nothing makes a model write JSON.
    """
    return report(grader, rows, is_json_sure=response_format is not None)


def report(
    grader: object, rows: Iterable[Mapping[str, object] | Item], *, is_json_sure: bool
) -> TemplateReport:
    """As `check_templates`, for callers who have the answers already and see which of them are JSON."""
    items = [row if isinstance(row, Item) else Item.from_row(row) for row in rows]
    seen = [item.to_dict() for item in items]
    problems = [
        problem
        for name, variable in _variables(grader)
        for problem in _problems(name, variable, seen, is_json_sure)
    ]
    return TemplateReport(len(items), tuple(problems))


def _variables(grader: object) -> Iterator[tuple[str, Variable]]:
    """Yield each variable of each part of a grader once."""
    if isinstance(grader, MultiGrader):
        for part in grader.named.values():
            yield from _variables(part)
        return
    if isinstance(grader, StringCheck | TextSimilarity):
        templates: object = [grader.input, grader.reference]
    elif isinstance(grader, ScoreModel | LabelModel):
        templates = grader.input
    else:
        return
    found = {str(variable): variable for variable in variables(templates)}
    yield from ((grader.name, variable) for variable in found.values())


def _problems(
    grader: str, variable: Variable, rows: Sequence[Mapping[str, object]], is_json_sure: bool
) -> Iterator[TemplateProblem]:
    def problem(message: str, fix: str, numbers: Sequence[int] = ()) -> TemplateProblem:
        return TemplateProblem(
            grader=grader, variable=str(variable), message=message, fix=fix, rows=tuple(numbers)
        )

    first = variable.steps[0] if variable.steps else None
    if variable.namespace not in NAMESPACES:
        fix = _guess(variable.namespace, NAMESPACES, "Begin with item or sample.")
        yield problem(f"{variable} begins with {variable.namespace!r}.", fix)
    elif first is None:
        fix = "Name a field of it, such as {{sample.output_text}} or {{item.answer}}."
        yield problem(f"{variable} names no field.", fix)
    elif variable.namespace == "sample" and first not in SAMPLE_NAMES:
        fix = _guess(str(first), SAMPLE_NAMES, f"There are {', '.join(SAMPLE_NAMES)}.")
        yield problem(f"{variable} does not exist in a sample.", fix)
    elif first == "output_json" and variable.namespace == "sample" and not is_json_sure:
        fix = "Pass response_format=, the one that the job or request has, or use output_text."
        yield problem(f"{variable} needs answers that are JSON, and nothing asks for JSON.", fix)
    elif variable.namespace == "item":
        lacking = [number for number, row in enumerate(rows) if not _has(variable, row)]
        if lacking:
            yield problem(*_lacking(variable, rows, lacking), lacking)


def _has(variable: Variable, row: Mapping[str, object]) -> bool:
    try:
        variable.find(row)
    except KeyError:
        return False
    return True


def _lacking(
    variable: Variable, rows: Sequence[Mapping[str, object]], lacking: Sequence[int]
) -> tuple[str, str]:
    if len(lacking) < len(rows):
        shown = ", ".join(map(str, lacking[:_ROWS_SHOWN]))
        more = f" and {len(lacking) - _ROWS_SHOWN} more" if len(lacking) > _ROWS_SHOWN else ""
        word = "row" if len(lacking) == 1 else "rows"
        message = f"{variable} has no value in {len(lacking)} of {len(rows)} rows."
        return message, f"Add it to {word} {shown}{more}, counted from 0, or leave these out."
    fields = list(dict.fromkeys(key for row in rows for key in row if key != "messages"))
    there = f"The rows have {', '.join(fields)}." if fields else "The rows have no further fields."
    return f"{variable} has no value in any row.", _guess(str(variable.steps[0]), fields, there)


def _guess(word: str, choices: Sequence[str], otherwise: str) -> str:
    close = [each for each in difflib.get_close_matches(word, choices, n=1) if each != word]
    return f"Did you mean {close[0]!r}?" if close else otherwise
