"""Answers that are to fit a JSON schema."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpt4o_tune._extras import import_extra
from gpt4o_tune.evaluation.graders.grader import Grade, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.evaluation.graders.grader import Item, Sample

__all__ = ["JsonSchema"]

_FAULTS_SHOWN = 3
_FEATURE = "The grader JsonSchema"


@dataclass(frozen=True)
class JsonSchema:
    """Right where the answer is JSON that fits a schema, by the `jsonschema` of the extra `[graders]`.

    References lead inside the schema only; none is ever fetched. `format` is not checked.

    Raises:
        ValueError: The schema itself is not valid.
        MissingExtraError: The extra `[graders]` is not installed.
    """

    schema: Mapping[str, object]
    """The schema; its `$schema` says which draft, the latest where it has none."""

    def __post_init__(self) -> None:
        jsonschema = import_extra("jsonschema", extra="graders", feature=_FEATURE)
        try:
            jsonschema.validators.validator_for(self.schema).check_schema(self.schema)
        except jsonschema.SchemaError as fault:
            raise ValueError(
                f"the schema is not valid at {fault.json_path}: {fault.message}"
            ) from None

    @property
    def name(self) -> str:
        """Short name for tables."""
        return "JSON schema"

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Parse the answer and hold it against the schema; the row plays no part.

        Raises:
            ValueError: The schema refers to something that it does not hold.
        """
        try:
            value = parse_json(sample.output_text)
        except ValueError as fault:
            return Grade(0.0, passed=False, reason=f"not JSON: {fault}")
        referencing = import_extra("referencing.exceptions", extra="graders", feature=_FEATURE)
        try:
            faults = sorted(self._validator().iter_errors(value), key=lambda fault: fault.json_path)
        except referencing.Unresolvable as absent:
            raise ValueError(
                f"the schema refers to {absent.ref!r}, which it does not hold"
            ) from None
        if not faults:
            return Grade(1.0, passed=True)
        shown = [f"{fault.json_path}: {fault.message}" for fault in faults[:_FAULTS_SHOWN]]
        more = len(faults) - len(shown)
        return Grade(
            0.0, passed=False, reason="; ".join([*shown, *([f"and {more} more"] if more else [])])
        )

    def _validator(self) -> Any:
        jsonschema = import_extra("jsonschema", extra="graders", feature=_FEATURE)
        registry = import_extra("referencing", extra="graders", feature=_FEATURE).Registry()
        return jsonschema.validators.validator_for(self.schema)(self.schema, registry=registry)

    def __hash__(self) -> int:
        return hash(json.dumps(self.schema, sort_keys=True))
