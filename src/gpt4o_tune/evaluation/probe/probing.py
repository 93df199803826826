"""The probe as a dataset."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from gpt4o_tune.data import Dataset

__all__ = ["AREAS", "Area", "general_probe"]

Area = Literal["instructions", "arithmetic", "extraction", "formats", "refusals"]
"""What a question probes."""

AREAS: tuple[Area, ...] = get_args(Area)


def general_probe() -> Dataset:
    """Give the probe as rows; beside the messages each has its `area` and the `checks` of `ProbeGrader`.

    Mind that a row of it must not be trained on: hold it out as any other.
    """
    from importlib import resources

    from gpt4o_tune.data import Dataset

    text = (
        resources.files("gpt4o_tune.evaluation.probe").joinpath("general.jsonl").read_text("utf-8")
    )
    return Dataset.from_records(json.loads(line) for line in text.splitlines())
