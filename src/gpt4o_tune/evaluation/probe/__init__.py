"""A small probe of general abilities, of this library's own writing, with answers that a rule can judge.

It holds questions that narrow training tends to spoil: following instructions word by word, arithmetic,
taking facts out of a text, keeping a format, refusing what is harmful and nothing else.
"""

from gpt4o_tune.evaluation.probe.checks import ProbeGrader
from gpt4o_tune.evaluation.probe.probing import AREAS, Area, general_probe

__all__ = ["AREAS", "Area", "ProbeGrader", "general_probe"]
