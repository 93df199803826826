"""Grammars of answers: which bytes may follow, so that an answer cannot leave its format."""

from gpt4o_tune.local.grammar.grammar import Grammar, State
from gpt4o_tune.local.grammar.json_text import json_object
from gpt4o_tune.local.grammar.schema import SchemaError, json_of_schema, require_strict
from gpt4o_tune.local.grammar.tool_calls import OfferedTool, tool_calls

__all__ = [
    "Grammar",
    "OfferedTool",
    "SchemaError",
    "State",
    "json_object",
    "json_of_schema",
    "require_strict",
    "tool_calls",
]
