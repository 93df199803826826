"""The grader of a reinforcement job, as the API takes it: is it sound, and what does it read from the rows?

Nothing of a grader is ever run here: templates are read, formulas and Python source are parsed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data._turns import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gpt4o_tune.data.report import Problem

__all__ = ["ItemField", "Template", "item_fields", "templates", "validate_grader"]

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_VARIABLE = re.compile(r"(item|sample)((?:\.[\w-]+|\[\d+\])*)")
_STEP = re.compile(r"[\w-]+")
_TEMPLATE_KEYS = ("input", "reference")


class Template(NamedTuple):
    """One `{{...}}` of a grader."""

    path: str
    """Place of the text that holds it, from `grader`."""
    expression: str
    """What stands between the braces."""
    source: str
    """`item`, `sample`, or empty where the expression names neither."""
    steps: tuple[str, ...]
    """Names, and numbers of list places, that lead from the source to the value."""


class ItemField(NamedTuple):
    """What a grader takes from each row."""

    path: str
    expression: str
    steps: tuple[str, ...]


def leaves(
    grader: Mapping[str, object], path: str = "grader"
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield the graders that score by themselves, with their places: those inside a `multi`, or itself.

    What is no object reads as an empty one.
    """
    if grader.get("type") != "multi":
        yield path, grader
        return
    named, listed = mapping(grader.get("graders")), items(grader.get("graders"))
    if isinstance(named.get("type"), str):
        yield f"{path}.graders", named
        return
    for name, child in named.items():
        yield f"{path}.graders.{name}", mapping(child)
    for place, child in enumerate(listed):
        yield f"{path}.graders[{place}]", mapping(child)


def texts(grader: Mapping[str, object], path: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of one grader that may hold templates, with their places."""
    waiting: list[tuple[str, object]] = [
        (f"{path}.{key}", grader.get(key)) for key in _TEMPLATE_KEYS
    ]
    while waiting:
        place, value = waiting.pop(0)
        if isinstance(value, str):
            yield place, value
        for key in ("content", "text"):
            if key in mapping(value):
                waiting.append((f"{place}.{key}", mapping(value)[key]))
        waiting += [(f"{place}[{number}]", item) for number, item in enumerate(items(value))]


def has_open_template(written: str) -> bool:
    """Tell whether a template is begun in a text and never closed."""
    return written.count("{{") > len(_TEMPLATE.findall(written))


def templates(grader: Mapping[str, object]) -> Iterator[Template]:
    """Yield every template of a grader and of those inside it."""
    for path, leaf in leaves(grader):
        for place, written in texts(leaf, path):
            for found in _TEMPLATE.finditer(written):
                expression = found.group(1).strip()
                variable = _VARIABLE.fullmatch(expression)
                source, rest = variable.groups() if variable else ("", "")
                yield Template(place, expression, source, tuple(_STEP.findall(rest)))


def item_fields(grader: Mapping[str, object]) -> tuple[ItemField, ...]:
    """Return what the templates of a grader take from each row, each once."""
    found = {
        template.steps: ItemField(template.path, template.expression, template.steps)
        for template in reversed([*templates(grader)])
        if template.source == "item" and template.steps
    }
    return tuple(reversed(found.values()))


def validate_grader(
    grader: Mapping[str, object], *, response_format: Mapping[str, object] | None = None
) -> tuple[Problem, ...]:
    """Check a grader against its published form, without rows and without sending or running anything.

    `Dataset.check(grader=...)` does the same and also looks for every `{{item...}}` in every row.

    Args:
        grader: As `FineTuneJob.create` takes it.
        response_format: What the job will ask answers to be; `{{sample.output_json}}` needs one.

    Returns:
        The problems found, errors and warnings; their `path` begins with `grader`.

    Example:
        >>> validate_grader({"type": "string_check", "operation": "neq"})[0].code
        'invalid-grader'
    """
    from gpt4o_tune.catalog import DEFAULT_MODEL
    from gpt4o_tune.data.checks import examine, scope_for

    scope = scope_for(
        DEFAULT_MODEL,
        provider="openai",
        method="reinforcement",
        format="reinforcement",
        grader=grader,
    )
    problems = examine("grader", grader, scope)
    if response_format is None:
        return tuple(problems)
    return tuple(p for p in problems if p.code != "grader-needs-response-format")


def value_at(row: Mapping[str, object], steps: Sequence[str]) -> tuple[bool, object]:
    """Follow steps into a row; return whether they lead somewhere, and the value there."""
    value: object = row
    for step in steps:
        inside, listed = mapping(value), items(value)
        if step in inside:
            value = inside[step]
        elif step.isdecimal() and int(step) < len(listed):
            value = listed[int(step)]
        else:
            return False, None
    return True, value
