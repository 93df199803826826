"""Rules for training data: what a provider would refuse, and what would teach a model badly.

Each rule is one small function that returns what it finds; `RULES` gives it a stable code and a severity.
One pass over the rows calls them all. Rules see limits, model and method in a `Scope` that comes from the
catalog, so no rule names a provider.
"""

from gpt4o_tune.data.checks.engine import RowRules, check, examine, scope_for
from gpt4o_tune.data.checks.rule import Rule, Scope, Source
from gpt4o_tune.data.checks.table import RULES, USUAL_RULES

__all__ = [
    "RULES",
    "USUAL_RULES",
    "RowRules",
    "Rule",
    "Scope",
    "Source",
    "check",
    "examine",
    "scope_for",
]
