"""Rules for reinforcement data: the grader itself, and whether each row has what it reads.

The forms are those of openai 3.54 and of OpenAI's guides on graders. Types that only one other service
knows (`endpoint` on Azure, `lambda` on Bedrock) are passed on unread.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gpt4o_tune.data._turns import items, mapping, text
from gpt4o_tune.data.checks.rule import Finding, nearest, shown
from gpt4o_tune.data.formula import Formula
from gpt4o_tune.data.grader import has_open_template, leaves, templates, texts, value_at

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from gpt4o_tune.data.checks.rule import Scope, Turn
    from gpt4o_tune.data.decode import JsonObject

_TYPES = ("string_check", "text_similarity", "score_model", "label_model", "python", "multi")
_ELSEWHERE = ("endpoint", "lambda")
_OPERATIONS = ("eq", "ne", "like", "ilike")
_METRICS = ("fuzzy_match", "bleu", "gleu", "meteor", *(f"rouge_{n}" for n in "12345l"))
_NEEDED = {
    "string_check": ("name", "input", "reference", "operation"),
    "text_similarity": ("name", "input", "reference", "evaluation_metric"),
    "score_model": ("name", "model"),
    "label_model": ("name", "model"),
    "python": ("source",),
    "multi": ("calculate_output",),
}
"""Keys of each type that must hold text."""
_MAX_SOURCE_BYTES = 256_000
_SAMPLE = ("output_text", "output_json", "output_tools", "output_audio", "choices")
_ROLES = ("developer", "user", "assistant", "tool")


def invalid_grader(grader: Mapping[str, object], scope: Scope) -> Iterable[Finding]:
    """A grader that is not in the published form."""
    if grader.get("type") == "multi":
        yield from _form_faults(grader, "grader")
        yield from _multi_faults(grader)
    for path, leaf in leaves(grader):
        if leaf.get("type") == "multi":
            yield Finding("A 'multi' grader stands inside another.", "Name its parts here.", path)
        else:
            yield from _form_faults(leaf, path)
            if path == "grader" and grader.get("type") == "label_model":
                fix = "Put it into a 'multi' grader, or use 'score_model'."
                yield Finding("'label_model' rewards only inside 'multi'.", fix, "grader.type")


def _form_faults(grader: Mapping[str, object], path: str) -> Iterator[Finding]:
    kind = grader.get("type")
    if kind in _ELSEWHERE:
        return
    if not isinstance(kind, str) or kind not in _TYPES:
        guess = nearest(kind, _TYPES) if isinstance(kind, str) else None
        fix = f"Did you mean {guess!r}?" if guess else f"Use one of {', '.join(_TYPES)}."
        found = "missing" if "type" not in grader else _written(kind)
        yield Finding(f"The grader's 'type' is {found}.", fix, f"{path}.type")
        return
    for key in _NEEDED[kind]:
        if not isinstance(grader.get(key), str) or not grader[key]:
            guess = None if key in grader else nearest(key, grader)
            fix = f"Rename {guess!r} to {key!r}." if guess else f"Add {key!r}, which is text."
            yield Finding(f"A {kind!r} grader needs {key!r} as text.", fix, f"{path}.{key}")
    match kind:
        case "string_check":
            yield from _choice_faults(grader, path, "operation", _OPERATIONS)
        case "text_similarity":
            yield from _choice_faults(grader, path, "evaluation_metric", _METRICS)
        case "python":
            yield from _source_faults(grader, path)
        case "score_model" | "label_model":
            yield from _judge_faults(grader, path)
        case _:
            pass


def _choice_faults(
    grader: Mapping[str, object], path: str, key: str, choices: tuple[str, ...]
) -> Iterator[Finding]:
    value = grader.get(key)
    if isinstance(value, str) and value and value not in choices:
        guess = "ne" if value == "neq" else nearest(value, choices)
        fix = f"Write {guess!r}." if guess else f"Use one of {', '.join(choices)}."
        yield Finding(f"The {key} {shown(value)} does not exist in training.", fix, f"{path}.{key}")


def _judge_faults(grader: Mapping[str, object], path: str) -> Iterator[Finding]:
    messages = items(grader.get("input"))
    if not messages or not all(
        isinstance(mapping(message).get("role"), str) and "content" in mapping(message)
        for message in messages
    ):
        fix = 'Write [{"role": "user", "content": "... {{sample.output_text}} ..."}].'
        yield Finding("'input' is not a list of messages.", fix, f"{path}.input")
    if not isinstance(grader.get("sampling_params", {}), Mapping):
        fix = 'Write {"temperature": 0}, or leave it out.'
        yield Finding("'sampling_params' is no object.", fix, f"{path}.sampling_params")
    if grader.get("type") == "label_model":
        labels, passing = items(grader.get("labels")), items(grader.get("passing_labels"))
        if not labels or not passing or any(label not in labels for label in passing):
            fix = "List all labels in 'labels', and of these the good ones in 'passing_labels'."
            yield Finding("'passing_labels' are not among 'labels'.", fix, f"{path}.passing_labels")
    elif "range" in grader:
        ends = [end for end in items(grader["range"]) if type(end) in (int, float)]
        low, high = ends if len(ends) == 2 else (0, 0)
        if not isinstance(low, int | float) or not isinstance(high, int | float) or low >= high:
            fix = "Write the lowest and the highest score, such as [0, 1]."
            yield Finding("'range' is not two numbers, the lower first.", fix, f"{path}.range")


def _source_faults(grader: Mapping[str, object], path: str) -> Iterator[Finding]:
    source = grader.get("source")
    if not isinstance(source, str) or not source:
        return
    size = len(source.encode(errors="replace"))
    if size >= _MAX_SOURCE_BYTES:
        fix = f"Keep it under {_MAX_SOURCE_BYTES:,} bytes."
        yield Finding(f"The source has {size:,} bytes.", fix, f"{path}.source")
        return
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        place = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
        fix = "Correct the source; it must be complete Python."
        yield Finding(f"The source is not Python{place}.", fix, f"{path}.source")
        return
    grades = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "grade"
    ]
    if not grades or not _takes_two(grades[-1].args):
        fix = "Write def grade(sample, item): ... that returns a number."
        yield Finding("The source has no function grade(sample, item).", fix, f"{path}.source")


def _takes_two(arguments: ast.arguments) -> bool:
    most = len(arguments.posonlyargs) + len(arguments.args)
    least = most - len(arguments.defaults)
    return least <= 2 and (most >= 2 or arguments.vararg is not None)


def _multi_faults(grader: Mapping[str, object]) -> Iterator[Finding]:
    inside = [leaf for _, leaf in leaves(grader)]
    if not inside:
        fix = 'Write {"NAME": {"type": "string_check", ...}, ...}.'
        yield Finding("'graders' holds no graders.", fix, "grader.graders")
        return
    named = mapping(grader.get("graders"))
    # A list of graders, and a single one, go by the names that they give themselves.
    by_key = bool(named) and not isinstance(named.get("type"), str)
    names = list(named) if by_key else [text(leaf.get("name")) for leaf in inside]
    formula = grader.get("calculate_output")
    # How a formula would write other names is not documented.
    if isinstance(formula, str) and formula and all(map(str.isidentifier, names)):
        for fault in _formula_faults(formula, names):
            fix = "Write one such as 0.7 * correct + 0.3 * style, with the names of the graders."
            yield Finding(fault, fix, "grader.calculate_output")


def _formula_faults(formula: str, names: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each way in which a formula cannot be worked out from scores of these names."""
    try:
        used = Formula(formula).names
    except ValueError as fault:
        yield f"{str(fault)[0].upper()}{str(fault)[1:]}."
        return
    for name in used:
        if name not in names:
            yield f"No grader has the name {shown(name)}; there are {', '.join(names)}."


def unknown_grader_variable(grader: Mapping[str, object], scope: Scope) -> Iterable[Finding]:
    """A template that nothing is put in for."""
    for template in templates(grader):
        name = template.steps[0] if template.steps else ""
        if not template.source:
            fix = "Write {{item.FIELD}} for a field of the row, {{sample.output_text}} for the answer."
            written = shown(template.expression)
            yield Finding(f"The template {written} names no known value.", fix, template.path)
        elif template.source == "sample" and name not in _SAMPLE:
            guess = nearest(name, _SAMPLE)
            fix = f"Did you mean {guess!r}?" if guess else f"Use one of {', '.join(_SAMPLE)}."
            yield Finding(f"An answer has no {shown(name)}.", fix, template.path)
    for path, leaf in leaves(grader):
        for place, written in texts(leaf, path):
            if has_open_template(written):
                fix = "Write {{ and }} around each name."
                yield Finding("A template is opened and not closed.", fix, place)


def grader_ignores_answer(grader: Mapping[str, object], scope: Scope) -> Iterable[Finding]:
    """A grader that gives every answer the same score."""
    for path, leaf in leaves(grader):
        if leaf.get("type") not in ("string_check", "text_similarity", "score_model"):
            continue
        if not any(template.source == "sample" for template in templates(leaf)):
            yield Finding(
                "The grader never looks at the answer, so all answers get the same reward.",
                "Put {{sample.output_text}} where the answer is to stand.",
                path,
            )


def grader_needs_response_format(grader: Mapping[str, object], scope: Scope) -> Iterable[Finding]:
    """Use of an answer's JSON, which is there only where the job asks for JSON."""
    for template in templates(grader):
        if template.source == "sample" and template.steps[:1] == ("output_json",):
            yield Finding(
                "'sample.output_json' is there only where the job has a response format.",
                "Give the job a response format, or compare {{sample.output_text}}.",
                template.path,
            )
            return


def missing_grader_field(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """A row without a field that the grader takes from it."""
    for field in scope.item_fields:
        is_there, _ = value_at(row, field.steps)
        if not is_there:
            guess = nearest(field.steps[0], row) if field.steps[0] not in row else None
            yield Finding(
                f"The grader reads {shown(field.expression)}, which the row does not have.",
                f"Is it {guess!r}?"
                if guess
                else "Add the field to the row, or correct the grader.",
                ".".join(field.steps),
            )


def unusable_grader_field(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """A field for the grader that does not make text worth comparing."""
    for field in scope.item_fields:
        is_there, value = value_at(row, field.steps)
        if is_there and (found := _unusable(value)):
            yield Finding(
                f"The grader reads {shown(field.expression)} as text, and it is {found}.",
                "Write text or a number there, or name a field further inside.",
                ".".join(field.steps),
            )


def _unusable(value: object) -> str | None:
    if value == "":
        return "empty"
    written = _written(value)
    return written if written in ("null", "a list", "an object") else None


def role_not_in_reinforcement(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A role that the specification of reinforcement rows does not list."""
    if turn.role in _ROLES:
        return ()
    return [
        Finding(
            f"The role {turn.role!r} is not documented for reinforcement data.",
            "Write 'developer' for instructions, 'tool' for the result of a call.",
            f"{turn.path}.role",
        )
    ]


def _written(value: object) -> str:
    if isinstance(value, str):
        return shown(value)
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return str(value)
    return "a list" if isinstance(value, list | tuple) else "an object"
