"""The part of JSON Schema (draft 2020-12) that the OpenAPI document uses: does a value fit?"""

import datetime
import re


def is_type(value, name):
    if name == "integer":
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, {"string": str, "boolean": bool, "object": dict, "array": list, "null": type(None)}[name])


def faults(value, schema, document, at=""):
    """What is wrong with `value`, one line each; `document` resolves references."""
    if "$ref" in schema:
        schema = resolved(schema, document)
    unknown = set(schema) - {"type", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern", "format", "properties",
                             "required", "additionalProperties", "maxProperties", "items", "maxItems", "anyOf", "description",
                             "default"}
    assert not unknown, f"this check does not know {unknown}"
    if "anyOf" in schema:
        found = [faults(value, form, document, at) for form in schema["anyOf"]]
        return [] if [] in found else [f"{at or '/'} fits no form: {found}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at or '/'} is {value!r}, not one of {schema['enum']}"]
    if "type" in schema and not is_type(value, schema["type"]):
        return [f"{at or '/'} is {value!r}, not of type {schema['type']}"]
    return [f"{at or '/'} {fault}" for fault in own_faults(value, schema)] + [
        fault for name, inner, form in inner_values(value, schema) for fault in faults(inner, form, document, f"{at}/{name}")]


def own_faults(value, schema):
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1 << 60):
            yield f"has {len(value)} characters"
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{value!r} does not match {schema['pattern']}"
        if schema.get("format") == "date-time":
            try:
                datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
            except ValueError:
                yield f"{value!r} is no time"
    elif is_type(value, "number"):
        if not schema.get("minimum", -1e400) <= value <= schema.get("maximum", 1e400):
            yield f"{value} is out of range"
    elif isinstance(value, list) and len(value) > schema.get("maxItems", 1 << 60):
        yield f"has {len(value)} items"
    elif isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                yield f"lacks {name}"
        if len(value) > schema.get("maxProperties", 1 << 60):
            yield f"has {len(value)} members"
        if schema.get("additionalProperties") is False:
            for name in sorted(set(value) - set(schema.get("properties", {}))):
                yield f"has {name}, which is not documented"


def inner_values(value, schema):
    if isinstance(value, list) and "items" in schema:
        yield from ((i, item, schema["items"]) for i, item in enumerate(value))
    elif isinstance(value, dict):
        more = schema.get("additionalProperties")
        for name, member in value.items():
            form = schema.get("properties", {}).get(name, more)
            if isinstance(form, dict):
                yield name, member, form


def resolved(node, document):
    """What a `$ref` of this document points to, or the node itself."""
    while "$ref" in node:
        place = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        node = place
    return node
