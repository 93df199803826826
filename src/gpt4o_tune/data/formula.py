"""The formula language of multi graders, read by a parser of its own: nothing is ever evaluated as code.

    sum      = product (("+" | "-") product)*
    product  = signed (("*" | "/") signed)*
    signed   = "-" signed | power
    power    = atom ("^" signed)?
    atom     = number | name | function "(" sum ("," sum)* ")" | "(" sum ")"

So `-2^2` is -4, `2^3^2` is 2^9, and `2^-1` is a half, as in mathematics and in Python.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from gpt4o_tune.errors import GraderError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FUNCTIONS", "MAX_CHARS", "MAX_DEPTH", "Formula"]

MAX_CHARS = 2000
"""Longest formula; the service publishes no limit, and nobody reads a longer one."""

MAX_DEPTH = 50
"""Deepest nesting of parentheses, functions, signs and powers."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)|(?P<mark>.))",
    re.DOTALL,
)


def _floor(value: float) -> float:
    return float(math.floor(value))


def _ceil(value: float) -> float:
    return float(math.ceil(value))


FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "abs": float.__abs__,
    "floor": _floor,
    "ceil": _ceil,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "log": math.log,
}
"""By name; `log` is the natural logarithm, `min` and `max` take one value or more, the others just one."""

_VARIADIC = ("min", "max")
_OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": float.__add__,
    "-": float.__sub__,
    "*": float.__mul__,
    "/": float.__truediv__,
    "^": math.pow,
}


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


@dataclass(frozen=True, slots=True)
class _Operation:
    """A function or operator that takes so many values off the stack and puts its own there."""

    name: str
    call: Callable[..., float]
    takes: int


_Step: TypeAlias = _Operation | float | str
"""A number, the name of a grader whose score is meant, or an operation."""


@dataclass(frozen=True)
class Formula:
    """Arithmetic over the scores of graders.

    Example:
        >>> formula = Formula("0.7 * accuracy + 0.3 * min(style, 1)")
        >>> formula.names
        ('accuracy', 'style')
        >>> round(formula.value({"accuracy": 1.0, "style": 0.5}), 6)
        0.85

    Raises:
        ValueError: The text is no formula; the message says where and why.
    """

    text: str
    _steps: tuple[_Step, ...] = field(init=False, repr=False, compare=False)
    """In postfix order, so that a long chain of additions takes no deep stack."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_steps", tuple(_Parser(self.text).parse()))

    @property
    def names(self) -> tuple[str, ...]:
        """The graders that it uses, each once, in the order of their first use."""
        return tuple(dict.fromkeys(step for step in self._steps if isinstance(step, str)))

    def value(self, scores: Mapping[str, float]) -> float:
        """Work the formula out for the scores of one answer.

        Raises:
            GraderError: The result is no finite number, as after a division by zero.
            KeyError: A score is missing.
        """
        stack: list[float] = []
        for step in self._steps:
            if isinstance(step, _Operation):
                values = [stack.pop() for _ in range(step.takes)][::-1]
                stack.append(_apply(step, values))
            else:
                stack.append(float(scores[step]) if isinstance(step, str) else step)
        return stack.pop()

    def __reduce__(self) -> tuple[type[Formula], tuple[str]]:
        return Formula, (self.text,)

    def __str__(self) -> str:
        return self.text


class _Parser:
    """Reads one formula from left to right, a token at a time."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_CHARS:
            raise ValueError(
                f"the formula has {len(text):,} characters, more than {MAX_CHARS:,}; join some"
                " graders in a python grader"
            )
        self._text, self._depth = text, 0
        self._tokens = [
            _Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup))
            for found in _TOKEN.finditer(text.rstrip())
            if found.lastgroup is not None
        ]
        self._next = 0
        self._steps: list[_Step] = []

    def parse(self) -> list[_Step]:
        if not self._tokens:
            raise ValueError("the formula is empty; write one such as '0.5 * first + 0.5 * second'")
        self._sum()
        if self._peek() is not None:
            raise self._fault("expected an operator")
        return self._steps

    def _sum(self) -> None:
        self._product()
        while mark := self._take("+", "-"):
            self._product()
            self._operate(mark)

    def _product(self) -> None:
        self._signed()
        while mark := self._take("*", "/"):
            if mark == "*" and self._is_next("*"):
                raise self._fault("a power is written ^")
            self._signed()
            self._operate(mark)

    def _signed(self) -> None:
        # Every way to nest comes through here.
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(
                f"the formula is nested more than {MAX_DEPTH} levels deep; simplify it"
            )
        if self._take("-"):
            self._signed()
            self._steps.append(_Operation("-", float.__neg__, 1))
        else:
            self._power()
        self._depth -= 1

    def _power(self) -> None:
        self._atom()
        if self._take("^"):
            self._signed()
            self._operate("^")

    def _atom(self) -> None:
        token = self._peek()
        if token is None or (token.kind == "mark" and token.text != "("):
            raise self._fault("expected a number, the name of a grader, or '('")
        self._next += 1
        if token.kind == "number":
            self._steps.append(float(token.text))
        elif token.kind == "mark":
            self._sum()
            self._require(")")
        elif self._is_next("("):
            self._call(token)
        elif token.text in FUNCTIONS:
            raise self._fault(f"{token.text} is a function, expected '(' after it")
        else:
            self._steps.append(token.text)

    def _call(self, name: _Token) -> None:
        if name.text not in FUNCTIONS:
            close = difflib.get_close_matches(name.text.lower(), FUNCTIONS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(FUNCTIONS)}"
            self._next -= 1
            raise self._fault(f"there is no function {name.text}; {hint}")
        self._require("(")
        self._sum()
        takes = 1
        while self._take(","):
            self._sum()
            takes += 1
        self._require(")")
        if takes > 1 and name.text not in _VARIADIC:
            raise ValueError(f"{name.text} takes one value, got {takes} in {self._text!r}")
        # Python's min and max of one value want a list.
        call = float if takes == 1 and name.text in _VARIADIC else FUNCTIONS[name.text]
        self._steps.append(_Operation(name.text, call, takes))

    def _operate(self, mark: str) -> None:
        self._steps.append(_Operation(mark, _OPERATORS[mark], 2))

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _is_next(self, mark: str) -> bool:
        token = self._peek()
        return token is not None and token.text == mark

    def _take(self, *marks: str) -> str | None:
        token = self._peek()
        if token is None or token.text not in marks:
            return None
        self._next += 1
        return token.text

    def _require(self, mark: str) -> None:
        if self._take(mark) is None:
            raise self._fault(f"expected {mark!r}")

    def _fault(self, reason: str) -> ValueError:
        token = self._peek()
        place = f"at {token.text!r}, character {token.place + 1}" if token else "at its end"
        return ValueError(f"the formula {self._text!r} cannot be read: {place}, {reason}")


def _apply(operation: _Operation, values: list[float]) -> float:
    try:
        value = operation.call(*values)
    except (ArithmeticError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise GraderError(_impossible(operation, values), code="formula_failed")
    return value


def _impossible(operation: _Operation, values: list[float]) -> str:
    shown = ", ".join(f"{value:g}" for value in values)
    if operation.name == "/" and values[1] == 0:
        return f"the formula divides {values[0]:g} by zero; guard it with max(..., 0.001)"
    if operation.name in FUNCTIONS:
        written = f"{operation.name}({shown})"
    else:
        written = f" {operation.name} ".join(f"{value:g}" for value in values)
    return f"the formula comes to {written}, which is no finite number; guard it with min or max"
