"""`Dataset`: rows of training data, and all that can be done with them before they are trained on."""

from __future__ import annotations

from gpt4o_tune.data.verbs.arguments import Group
from gpt4o_tune.data.verbs.arranging import Arranging
from gpt4o_tune.data.verbs.measuring import Measuring
from gpt4o_tune.data.verbs.opening import Opening
from gpt4o_tune.data.verbs.reviewing import Reviewing

__all__ = ["Dataset", "Group"]


class Dataset(Opening, Measuring, Arranging, Reviewing):
    """Rows of training data, in order. Nothing changes a dataset: every verb returns a new one.

    A dataset holds row numbers over a store of bytes that all its slices, filters and splits share, so
    they cost a few bytes a row. Rows are parsed when they are asked for and written as they stand.

    Its verbs, in the order of the work:

    - open: `from_jsonl`, `read`, `from_records`, `from_calls`
    - check: `check`, `fix`, `redact`, `probe_images`, `moderate`; `scan` reads once for all that follows
    - count and describe: `tokens`, `preview`, `cost`, `costs`, `profile`, `screen`, `card`
    - arrange: `select`, `filter`, `drop`, `duplicates`, `deduplicate`, `overlap`, `mix`, `split`
    - let people judge: `review`, `apply_review`, `to_argilla`
    - write: `to_jsonl`, `export`

    Example:
        >>> data = Dataset.from_jsonl("tickets.jsonl")
        >>> data.check(model="gpt-4o-2024-08-06").raise_for_errors()
        >>> train, validation = data.split(validation=0.1, seed=7)
    """

    __slots__ = ()
