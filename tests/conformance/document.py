"""OpenAI's published API description as a judge of responses.

The description is not part of this repository. Tests that want it take its path, JSON or YAML, from the
environment variable `OPENAI_OPENAPI`, and are skipped without it.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

if TYPE_CHECKING:
    from jsonschema import ValidationError

VARIABLE = "OPENAI_OPENAPI"
_HERE = "urn:openai"
_ERROR = "ErrorResponse"
DEVIATIONS = {
    r"fine_tuning/jobs.*\.status: '(pausing|paused)' is not one of": (
        "the description has no state for a pause; its own example of a pause answers `paused`"
    ),
    r"files.*\.purpose: 'evals' is not one of": (
        "the description takes files with this purpose and has no such files"
    ),
    r"completions/\{completion_id\}/messages: .*": (
        "the description knows the messages of assistants only; its own example lists a user's"
    ),
    r"GET /(chat/completions|files): \$\.(first|last)_id: None is not of type 'string'": (
        "the description has no page without entries for these"
    ),
}
"""Faults that the server shares with the examples of the description, and why they stay."""
PREFIX = "/v1"


class ApiDocument:
    """The parsed description.

    Args:
        path: The document; a name that ends in `.json` is JSON, every other is YAML.

    Attributes:
        checked: How many responses of each operation were compared, those of errors under `error`.
        deviations: How often each of `DEVIATIONS` was met, by its reason.
        faults: What else did not fit, one line each.
    """

    def __init__(self, path: Path) -> None:
        document = normalised(_read(path))
        self.version = document["info"]["version"]
        self.checked: Counter[str] = Counter()
        self.deviations: Counter[str] = Counter()
        self.faults: list[str] = []
        self._paths: dict[str, dict[str, Any]] = document["paths"]
        resource = DRAFT202012.create_resource(document)
        self._registry = Registry().with_resource(_HERE, resource)
        self._validators: dict[str, Draft202012Validator] = {}

    def check(self, method: str, path: str, status: int, body: object) -> None:
        """Compare a JSON response with the schema of its operation, or of errors."""
        template = self._template(path.removeprefix(PREFIX), method)
        if status >= 400:
            self._compare("error", f"/components/schemas/{_ERROR}", body)
        elif template is not None:
            self._compare(
                f"{method} {template}", _pointer(template, method, "application/json"), body
            )

    def check_event(self, method: str, path: str, body: object) -> None:
        """Compare one server-sent event with the schema of its operation."""
        template = self._template(path.removeprefix(PREFIX), method)
        assert template is not None, path
        self._compare(
            f"{method} {template} (stream)", _pointer(template, method, "text/event-stream"), body
        )

    def take_faults(self) -> list[str]:
        """Give the faults since the last call."""
        faults, self.faults = self.faults, []
        return faults

    def summary(self) -> str:
        """Say how much was compared."""
        lines = [f"{count:5} {name}" for name, count in sorted(self.checked.items())]
        total = sum(self.checked.values())
        known = [f"{count:5} times: {reason}" for reason, count in self.deviations.items()]
        title = f"{total} responses compared with version {self.version} of the description"
        return "\n".join([title, *lines, "known deviations:", *known])

    def _compare(self, name: str, pointer: str, body: object) -> None:
        if pointer not in self._validators:
            schema = {"$ref": f"{_HERE}#{pointer}"}
            self._validators[pointer] = Draft202012Validator(schema, registry=self._registry)
        self.checked[name] += 1
        for error in self._validators[pointer].iter_errors(body):
            for line in _explain(error):
                self._note(f"{name}: {line}")

    def _note(self, fault: str) -> None:
        for pattern, reason in DEVIATIONS.items():
            if re.search(pattern, fault):
                self.deviations[reason] += 1
                return
        self.faults.append(fault)

    def _template(self, path: str, method: str) -> str | None:
        """Find the path of the document that a request was for; literal parts go before names."""
        for template in sorted(self._paths, key=lambda each: each.count("{")):
            if method.lower() in self._paths[template] and _pattern(template).fullmatch(path):
                return template
        return None


def document_from_environment() -> ApiDocument | None:
    """Open the document that the environment names, None where it names none."""
    path = os.environ.get(VARIABLE)
    return ApiDocument(Path(path)) if path else None


def normalised(value: Any) -> Any:
    """Say in the words of JSON Schema what the document still says in those of OpenAPI 3.0."""
    if isinstance(value, list):
        return [normalised(each) for each in value]
    if not isinstance(value, dict):
        return value
    schema = {key: normalised(each) for key, each in value.items()}
    for bound, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(bound), bool):
            is_exclusive = schema.pop(bound)
            if is_exclusive and inclusive in schema:
                schema[bound] = schema.pop(inclusive)
    if schema.get("nullable") is True:
        del schema["nullable"]
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


def _read(path: Path) -> Any:
    if path.suffix == ".json":
        return json.loads(path.read_text("utf-8"))
    import yaml

    with path.open(encoding="utf-8") as file:
        return yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def _pointer(template: str, method: str, media_type: str) -> str:
    parts = ["paths", template, method.lower(), "responses", "200", "content", media_type, "schema"]
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)))


def _explain(error: ValidationError) -> list[str]:
    """Name the place of an error; of alternatives, the faults of the one that nearly fits."""
    if error.context:
        branches: dict[int, list[ValidationError]] = {}
        for each in error.context:
            branches.setdefault(each.schema_path[0], []).append(each)
        nearest = min(branches.values(), key=len)
        return [line for each in nearest for line in _explain(each)]
    return [f"{error.json_path}: {error.message[:200]}"]
