"""What Google says a body may look like: the discovery document that its own library brings along.

Its schemas become JSON Schema, with nothing allowed that they do not name: a misspelt field is an error.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match


@cache
def document() -> dict[str, Any]:
    """The description of calendar v3."""
    folder = files("googleapiclient.discovery_cache").joinpath("documents")
    return json.loads(folder.joinpath("calendar.v3.json").read_text("utf-8"))


@cache
def validator(name: str) -> Draft7Validator:
    schemas = {key: _closed(schema) for key, schema in document()["schemas"].items()}
    return Draft7Validator({"$ref": f"#/$defs/{name}", "$defs": schemas})


def problem(name: str, body: Any) -> str | None:
    """What is wrong with a body that should be a `name` ("Event"); None when nothing is."""
    error = best_match(validator(name).iter_errors(body))
    return None if error is None else f"{name} at {list(error.absolute_path)}: {error.message}"


def _closed(schema: Any) -> Any:
    """A schema of the discovery document's as JSON Schema."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    closed: dict[str, Any] = {"type": schema["type"]} if "type" in schema else {}
    if "properties" in schema:
        closed["properties"] = {name: _closed(one) for name, one in schema["properties"].items()}
        closed["additionalProperties"] = False
    elif "additionalProperties" in schema:
        closed["additionalProperties"] = _closed(schema["additionalProperties"])
    if "items" in schema:
        closed["items"] = _closed(schema["items"])
    return closed
