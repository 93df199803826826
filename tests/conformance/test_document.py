"""The judge of responses itself, on a description of a few lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conformance.document import ApiDocument

if TYPE_CHECKING:
    from pathlib import Path

THING = {
    "type": "object",
    "required": ["id", "size"],
    "properties": {
        "id": {"type": "string"},
        "size": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        "owner": {"type": "string", "nullable": True},
        "kind": {"anyOf": [{"type": "object", "required": ["a", "b"]}, {"type": "integer"}]},
    },
}
ERROR = {"type": "object", "required": ["error"]}


def answers(schema: str) -> dict[str, object]:
    """The responses of an operation."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"responses": {"200": {"description": "OK", "content": content}}}


@pytest.fixture
def document(tmp_path: Path) -> ApiDocument:
    """A description with two operations."""
    path = tmp_path / "openapi.json"
    description = {
        "info": {"version": "1"},
        "paths": {
            "/things/{thing_id}": {"get": answers("Thing")},
            "/things/all": {"get": answers("Things")},
        },
        "components": {
            "schemas": {
                "Thing": THING,
                "Things": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                "ErrorResponse": ERROR,
            }
        },
    }
    path.write_text(json.dumps(description), "utf-8")
    return ApiDocument(path)


def test_a_response_that_fits_has_no_fault(document: ApiDocument) -> None:
    """The operation is found by method and path, literal parts before names."""
    document.check("GET", "/v1/things/ft:a", 200, {"id": "a", "size": 1, "owner": None, "kind": 1})
    document.check("GET", "/v1/things/all", 200, [{"id": "a", "size": 1}])
    document.check("GET", "/v1/things/gone", 404, {"error": {}})
    document.check("GET", "/v1/elsewhere", 200, "is not described")
    assert document.take_faults() == []
    assert document.checked == {
        "GET /things/{thing_id}": 1,
        "GET /things/all": 1,
        "error": 1,
    }


@pytest.mark.parametrize(
    ("path", "status", "body", "fault"),
    [
        ("/v1/things/a", 200, {"id": 1, "size": 1}, "$.id: 1 is not of type 'string'"),
        ("/v1/things/a", 200, {"id": "a"}, "'size' is a required property"),
        ("/v1/things/a", 200, {"id": "a", "size": 0}, "$.size: 0 is less than or equal to"),
        ("/v1/things/a", 200, {"id": "a", "size": 1, "kind": "x"}, "$.kind: 'x' is not of type"),
        ("/v1/things/all", 200, [{"id": None, "size": 1}], "$[0].id: None is not of type"),
        ("/v1/things/a", 500, {"detail": "no"}, "'error' is a required property"),
    ],
)
def test_a_response_that_does_not_fit_is_named(
    document: ApiDocument, path: str, status: int, body: object, fault: str
) -> None:
    """A fault says where it is; a boolean bound of OpenAPI 3.0 counts."""
    document.check("GET", path, status, body)
    (told,) = document.take_faults()
    assert fault in told
    assert document.take_faults() == []
