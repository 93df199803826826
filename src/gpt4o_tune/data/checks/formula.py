"""The formula by which a `multi` grader joins its scores: parsed, never evaluated."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

FUNCTIONS = ("min", "max", "abs", "floor", "ceil", "exp", "sqrt", "log")
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UAdd, ast.USub)
_MAX_CHARS = 2_000
"""Parsing deeper nesting than such a text can hold would exhaust the stack."""


def formula_faults(formula: str, names: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each way in which `formula` cannot be calculated from scores of these names."""
    if len(formula) > _MAX_CHARS:
        yield f"The formula has {len(formula):,} characters, which is beyond what can be checked."
        return
    try:
        # Python writes powers otherwise, and has the rest of the grammar in common.
        tree = ast.parse(formula.strip().replace("^", "**"), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield f"The formula {shown(formula)} cannot be read."
        return
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if node in called:
                if node.id not in FUNCTIONS:
                    yield f"{shown(node.id)} is no function of formulas; there are {', '.join(FUNCTIONS)}."
            elif node.id not in names:
                yield f"No grader has the name {shown(node.id)}; there are {', '.join(names)}."
        elif not _is_allowed(node):
            yield f"The formula {shown(formula)} has more than + - * / ^, numbers, names and functions."
            return


def _is_allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and not node.keywords
    allowed = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Load, *_OPERATORS)
    return isinstance(node, allowed)
