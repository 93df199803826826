"""The parts that a grammar is built of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, eq=False, slots=True)
class OneOf:
    """A single byte out of a set."""

    allowed: frozenset[int]


@dataclass(frozen=True, eq=False, slots=True)
class Joined:
    """Parts one after the other; no parts match nothing at all."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Either:
    """One of several parts; of none, no text matches."""

    options: tuple[Node, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Repeated:
    """A part any number of times; the part itself is never empty."""

    part: Node


@dataclass(frozen=True, eq=False, slots=True)
class Rule:
    """A part that stands elsewhere under a name, so that grammars can be recursive."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class FreeText:
    """What stands between the quotes of a string without limits."""

    content: Node


Node: TypeAlias = OneOf | Joined | Either | Repeated | Rule | FreeText

NOTHING = Joined(())


def one_of(*ranges: tuple[int, int]) -> OneOf:
    """One byte out of ranges that include both ends."""
    return OneOf(frozenset(byte for low, high in ranges for byte in range(low, high + 1)))


def literal(text: str) -> Node:
    """Exactly this text."""
    return joined(*(_byte(byte) for byte in text.encode()))


def joined(*parts: Node) -> Node:
    """One part after the other."""
    return parts[0] if len(parts) == 1 else Joined(parts)


def either(*options: Node) -> Node:
    """One of several parts."""
    return options[0] if len(options) == 1 else Either(options)


def optional(part: Node) -> Node:
    """The part, or rather nothing: examples prefer what stands first."""
    return Either((NOTHING, part))


def at_most(part: Node, times: int) -> Node:
    """The part up to so many times."""
    node: Node = NOTHING
    for _ in range(times):
        node = optional(joined(part, node))
    return node


@cache
def _byte(byte: int) -> OneOf:
    return OneOf(frozenset({byte}))


def heights(root: Node, rules: Mapping[str, Node]) -> dict[Node, float]:
    """How many rules deep each node must at least go before it can end, infinite if it never can."""
    nodes = _below([root, *rules.values()])
    found: dict[Node, float] = dict.fromkeys(nodes, math.inf)
    has_changed = True
    while has_changed:
        has_changed = False
        for node in nodes:
            height = _height(node, found, rules)
            if height < found[node]:
                found[node] = height
                has_changed = True
    return found


def _height(node: Node, found: Mapping[Node, float], rules: Mapping[str, Node]) -> float:
    match node:
        case OneOf():
            return 0 if node.allowed else math.inf
        case Joined():
            return max((found[part] for part in node.parts), default=0)
        case Either():
            return min((found[option] for option in node.options), default=math.inf)
        case Repeated():
            return 0
        case Rule():
            return 1 + found[rules[node.name]]
        case FreeText():
            return found[node.content]


def _below(roots: Iterable[Node]) -> list[Node]:
    """All nodes that can be reached, mostly parts before wholes."""
    seen: dict[Node, None] = {}
    pending = [*roots]
    while pending:
        node = pending.pop()
        if node not in seen:
            seen[node] = None
            pending += _children(node)
    return [*reversed(seen)]


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Joined():
            return node.parts
        case Either():
            return node.options
        case Repeated():
            return (node.part,)
        case FreeText():
            return (node.content,)
        case OneOf() | Rule():
            return ()
