"""Graders: from an answer and what was wanted to a score.

`StringCheck`, `TextSimilarity`, `ScoreModel`, `LabelModel`, `PythonGrader` and `MultiGrader` have the
published schema, so one object serves local evaluation, reinforcement jobs and the service's own endpoints.
The others are this library's.
"""

from gpt4o_tune.data.formula import Formula
from gpt4o_tune.evaluation.graders._sandbox import PythonLimits
from gpt4o_tune.evaluation.graders.asking import Asker, ModelRequest
from gpt4o_tune.evaluation.graders.exact_match import ExactMatch
from gpt4o_tune.evaluation.graders.grader import AssistedGrader, Case, Grade, Grader, Item, Sample
from gpt4o_tune.evaluation.graders.grading import (
    EquippedGrader,
    Grading,
    equip,
    grade_all,
    grade_all_async,
)
from gpt4o_tune.evaluation.graders.json_answers import JsonMatch, ValidJson
from gpt4o_tune.evaluation.graders.json_schema import JsonSchema
from gpt4o_tune.evaluation.graders.label import Label
from gpt4o_tune.evaluation.graders.llm_judge import AnswerPair, LlmJudge, Preference
from gpt4o_tune.evaluation.graders.means import Means
from gpt4o_tune.evaluation.graders.model_graders import LabelModel, ScoreModel
from gpt4o_tune.evaluation.graders.multi import MultiGrader, PublishedGrader, parse_grader
from gpt4o_tune.evaluation.graders.python_grader import PythonGrader
from gpt4o_tune.evaluation.graders.refusal import (
    Refusal,
    RefusalRate,
    refusal_judge,
    refusal_rate,
    refuses,
)
from gpt4o_tune.evaluation.graders.regex import Regex
from gpt4o_tune.evaluation.graders.template_check import (
    TemplateProblem,
    TemplateReport,
    check_templates,
)
from gpt4o_tune.evaluation.graders.text_graders import StringCheck, TextSimilarity
from gpt4o_tune.evaluation.graders.tool_calls import ToolCallMatch

__all__ = [
    "AnswerPair",
    "Asker",
    "AssistedGrader",
    "Case",
    "EquippedGrader",
    "ExactMatch",
    "Formula",
    "Grade",
    "Grader",
    "Grading",
    "Item",
    "JsonMatch",
    "JsonSchema",
    "Label",
    "LabelModel",
    "LlmJudge",
    "Means",
    "ModelRequest",
    "MultiGrader",
    "Preference",
    "PublishedGrader",
    "PythonGrader",
    "PythonLimits",
    "Refusal",
    "RefusalRate",
    "Regex",
    "Sample",
    "ScoreModel",
    "StringCheck",
    "TemplateProblem",
    "TemplateReport",
    "TextSimilarity",
    "ToolCallMatch",
    "ValidJson",
    "check_templates",
    "equip",
    "grade_all",
    "grade_all_async",
    "parse_grader",
    "refusal_judge",
    "refusal_rate",
    "refuses",
]
