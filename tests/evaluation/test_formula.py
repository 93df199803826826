"""The formula language of multi graders, held against Python's own arithmetic."""

import ast
import builtins
import math
import operator
import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.errors import GraderError
from gpt4o_tune.evaluation import Formula

OPERATORS: dict[type[ast.operator], Callable[[float, float], object]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
SCORES = {"a": 0.25, "b_2": 3.0, "größe": -1.5}

leaves = st.sampled_from([*SCORES, "0", "2", "0.5", ".25", "3.", "1e1"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions from smaller ones: operators bare, so that precedence is put to the test."""
    binary = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "^", " - ", " ^ "]), inner)
    return st.one_of(
        binary.map("".join),
        inner.map(lambda text: f"-{text}"),
        inner.map(lambda text: f"({text})"),
        st.tuples(st.sampled_from(["abs", "floor", "ceil", "exp", "sqrt", "log"]), inner).map(
            lambda parts: f"{parts[0]}({parts[1]})"
        ),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
            lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"
        ),
    )


def python_value(text: str) -> float:
    """Work a formula out by Python's grammar, which agrees once powers are written its way."""

    def value(node: ast.expr) -> float:
        match node:
            case ast.Constant(value=int() | float() as number):
                found: object = float(number)
            case ast.Name(id=name):
                found = SCORES[name]
            case ast.UnaryOp(operand=operand):
                found = -value(operand)
            case ast.BinOp(left=left, op=sign, right=right):
                found = OPERATORS[type(sign)](value(left), value(right))
            case ast.Call(func=ast.Name(id=name), args=parts):
                call = getattr(math, name, None) or getattr(builtins, name)
                found = float(call(*map(value, parts)))
            case _:
                raise AssertionError(ast.dump(node))
        # Python gives the root of a negative number as a complex one, and some overflows as infinite.
        if not isinstance(found, float) or not math.isfinite(found):
            raise ValueError("no finite number")
        return found

    try:
        return value(ast.parse(text.replace("^", "**"), mode="eval").body)
    except (ArithmeticError, ValueError):
        return math.nan


@given(st.recursive(leaves, grown, max_leaves=12))
def test_formulas_come_to_what_python_makes_of_them(text: str) -> None:
    """Precedence, signs, right-associative powers and functions agree with Python; no value is an error."""
    wanted = python_value(text)

    if math.isfinite(wanted):
        assert Formula(text).value(SCORES) == pytest.approx(wanted, rel=1e-9)
    else:
        with pytest.raises(GraderError) as caught:
            Formula(text).value(SCORES)
        assert caught.value.code == "formula_failed"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2^2", -4),
        ("2^3^2", 512),
        ("2^-1", 0.5),
        ("8/4/2", 1),
        ("1 - 2 - 3", -4),
        ("--2", 2),
        ("min(3)", 3),
        ("max(1, 2, 5, 4)", 5),
        ("+".join(["1"] * 1000), 1000),
    ],
)
def test_precedence(text: str, value: float) -> None:
    """Signs bind looser than powers, powers go from the right, and long chains need no deep stack."""
    assert Formula(text).value({}) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("1 +", "at its end, expected a number"),
        ("a b", "at 'b', character 3, expected an operator"),
        ("(1", r"expected '\)'"),
        ("2 ** 3", r"a power is written \^"),
        ("sqr(2)", "no function sqr; did you mean sqrt"),
        ("sqrt", r"expected '\(' after it"),
        ("sqrt(1, 2)", "takes one value, got 2"),
        ("a.b", "at '.'"),
        ("__import__('os')", "no function __import__"),
        ("a if a else 1", "expected an operator"),
        ("1" + "+1" * 1000, "more than 2,000"),
        ("(" * 60 + "1" + ")" * 60, "nested more than 50 levels"),
        ("-" * 60 + "1", "nested more than 50 levels"),
        ("2" + "^2" * 60, "nested more than 50 levels"),
    ],
)
def test_what_is_no_formula_is_refused(text: str, reason: str) -> None:
    """The error says where reading stopped and what was expected there."""
    with pytest.raises(ValueError, match=reason):
        Formula(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 / a", r"divides 1 by zero; guard it with max"),
        ("log(a)", r"log\(0\), which is no finite number"),
        ("9 ^ 9 ^ 9", r"9 \^ 3.8742e\+08, which is no finite"),
        ("1e308 * 10", "no finite number"),
        ("(0 - 1) ^ 0.5", "no finite number"),
        ("exp(1000)", "no finite number"),
    ],
)
def test_impossible_results_are_errors(text: str, reason: str) -> None:
    """Division by zero, logarithm of zero and overflow never pass for a score."""
    with pytest.raises(GraderError, match=reason):
        Formula(text).value({"a": 0.0})


def test_formulas_are_values() -> None:
    """A formula names its graders once, in order, compares by its text and survives pickling."""
    formula = Formula("b + a * b")

    assert formula.names == ("b", "a")
    assert pickle.loads(pickle.dumps(formula)) == formula  # noqa: S301 - our own bytes
    assert str(formula) == "b + a * b"
