"""Tool calls as a grammar of the text that engines write them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.local.grammar.grammar import Grammar
from gpt4o_tune.local.grammar.json_text import json_rules
from gpt4o_tune.local.grammar.nodes import Node, Repeated, either, joined, literal
from gpt4o_tune.local.grammar.schema import SchemaReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A function that may be called."""

    name: str
    parameters: Mapping[str, object] | None
    """JSON Schema of the arguments; None for any object."""


def tool_calls(tools: Sequence[OfferedTool], *, is_parallel: bool) -> Grammar:
    """The calls of these functions, one a line, as `engines.tool_calls` writes them.

    Raises:
        ValueError: No text matches, because the functions' schemas contradict themselves.
    """
    rules = json_rules(may_break_lines=False)
    options: list[Node] = []
    for tool in tools:
        reader = SchemaReader(tool.parameters or {}, prefix=f"{tool.name} ")
        options.append(joined(literal(f"{tool.name} "), reader.object_value()))
        rules |= reader.rules
    call = either(*options)
    return Grammar(
        joined(call, Repeated(joined(literal("\n"), call))) if is_parallel else call, rules
    )
