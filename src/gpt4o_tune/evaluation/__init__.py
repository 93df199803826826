"""Is it better? Grade answers that are already there, and say how sure the difference is.

`compare` takes the rows and what each candidate answered, and gives a `Comparison`: an interval for every
candidate, and for each a paired test against the baseline with a verdict in plain words.
"""

from gpt4o_tune.evaluation.answers import Answer, CandidateResult, Measure
from gpt4o_tune.evaluation.bootstrap import PairedMeans, bootstrap_mean, paired_bootstrap
from gpt4o_tune.evaluation.comparison import (
    Comparison,
    Disagreement,
    SeenRows,
    comparable,
    compare,
)
from gpt4o_tune.evaluation.difference import Difference, Outcome
from gpt4o_tune.evaluation.graders import (
    ExactMatch,
    Grade,
    Grader,
    Item,
    JsonMatch,
    Sample,
    ValidJson,
)
from gpt4o_tune.evaluation.power import minimum_detectable_difference, rows_needed
from gpt4o_tune.evaluation.prompts import SplitRow, split_row
from gpt4o_tune.evaluation.statistics import Interval, holm, mcnemar_exact, tango, wilson

__all__ = [
    "Answer",
    "CandidateResult",
    "Comparison",
    "Difference",
    "Disagreement",
    "ExactMatch",
    "Grade",
    "Grader",
    "Interval",
    "Item",
    "JsonMatch",
    "Measure",
    "Outcome",
    "PairedMeans",
    "Sample",
    "SeenRows",
    "SplitRow",
    "ValidJson",
    "bootstrap_mean",
    "comparable",
    "compare",
    "holm",
    "mcnemar_exact",
    "minimum_detectable_difference",
    "paired_bootstrap",
    "rows_needed",
    "split_row",
    "tango",
    "wilson",
]
