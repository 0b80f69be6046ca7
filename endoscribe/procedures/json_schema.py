"""The format of schema files as JSON Schema, from the models that read them: editors complete and check with it."""

from typing import Any

from pydantic import BaseModel

from endoscribe.procedures.schema import (
    Advice,
    AdviceRow,
    Check,
    Code,
    Course,
    Cues,
    Derived,
    Example,
    ExampleCell,
    FieldSchema,
    Headings,
    NarrativePart,
    Normal,
    Offline,
    ProcedureSchema,
    Reference,
    RowCues,
    Saying,
    TableSchema,
    Term,
    Threshold,
    WordList,
)
from endoscribe.procedures.yaml_source import Location

#: The file's name beside the schemas, as `# yaml-language-server: $schema=` names it.
FORMAT_FILE = "schema.json"

_MODELS: dict[str, type[BaseModel]] = {
    "fields": FieldSchema, "columns": FieldSchema, "tables": TableSchema, "derived": Derived, "checks": Check,
    "references": Reference, "values": Term, "codes": Code, "cues": Cues, "course": Course, "thresholds": Threshold,
    "advice": Advice, "rows": AdviceRow, "examples": Example, "cells": ExampleCell,
    "narrative": NarrativePart, "say": Saying, "normals": Normal,
    "headings": Headings, "offline": Offline, "lists": WordList,
}  # fmt: skip
#: Parts of which a file may change some keys only, where an included file holds the rest.
_OVERRIDABLE = (FieldSchema, TableSchema, Derived, Check, Threshold, Advice, AdviceRow, NarrativePart, Normal)
#: What the files give as a key, not as a value.
_KEY = "id"

SchemaJson = dict[str, Any]


def allowed_keys(location: Location) -> list[str]:
    """The keys that may stand beside the last part of a location."""
    model: type[BaseModel] = ProcedureSchema
    for depth, part in enumerate(location[:-1]):
        model = _MODELS.get(str(part), model)
        if part == "cues" and location[0] == "tables" and depth == 2:
            model = RowCues
    return [name for name in model.model_fields if name != _KEY]


def json_schema() -> SchemaJson:
    """The JSON Schema (draft 2020-12) of a procedure's file, and of the parts that files include."""
    schema = ProcedureSchema.model_json_schema()
    parts: SchemaJson = schema["$defs"]
    for part in (schema, *parts.values()):
        _without_key(part)
    for model in _OVERRIDABLE:
        parts[model.__name__].pop("required", None)
    parts["FieldSchema"]["properties"]["values"] = _values()
    parts["NarrativePart"]["properties"]["say"]["items"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Saying"}]}
    whole = [name for name in schema.pop("required") if name != _KEY]
    schema["properties"] = {"include": _list_of({"type": "string"}), **schema["properties"]}
    schema["if"] = {"required": ["title"], "not": {"required": ["include"]}}
    schema["then"] = {"required": whole}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "EndoScribe procedure"}


def _without_key(part: SchemaJson) -> None:
    part.get("properties", {}).pop(_KEY, None)
    if _KEY in part.get("required", ()):
        part["required"].remove(_KEY)


def _values() -> SchemaJson:
    """Allowed values: a list of words, or each with its ways of being said, short or in full."""
    words = _list_of({"type": ["string", "number"]})
    term: SchemaJson = {"anyOf": [{"$ref": "#/$defs/Term"}, {"type": ["string", "null"]}, _list_of({"type": "string"})]}
    return {"title": "Values", "anyOf": [{"type": "object", "additionalProperties": term}, words]}


def _list_of(items: SchemaJson) -> SchemaJson:
    return {"type": "array", "items": items}
