"""The API's documentation as a plain page, made from the OpenAPI document. No script, nothing from elsewhere."""

from __future__ import annotations

import json
import re
from typing import Any

METHODS = ("get", "post", "put", "delete")
DEPTH_MAX = 3  # of fields within fields


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every operation with its parameters, bodies and answers, as the page shows them."""
    found = []
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                found.append(_operation(document, path, method, item[method]))
    return found


def _operation(document: dict[str, Any], path: str, method: str, said: dict[str, Any]) -> dict[str, Any]:
    body = said.get("requestBody", {}).get("content", {})
    answers = []
    for status, answer in sorted(said.get("responses", {}).items()):
        if answer.get("description") == "Validation Error":  # FastAPI's own 422; ours is a 400
            continue
        content = answer.get("content", {})
        schema = next((each.get("schema") for each in content.values() if each.get("schema")), None)
        shape = _fields(document, schema) if schema and status.startswith("2") else []
        answers.append({"status": status, "description": inline(answer.get("description", "")), "fields": shape})
    return {
        "anchor": f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}",
        "method": method.upper(),
        "path": path,
        "summary": said.get("summary", ""),
        "blocks": blocks(said.get("description", "")),
        "parameters": [_parameter(document, each) for each in said.get("parameters", [])],
        "body": [field for each in body.values() for field in _fields(document, each.get("schema"))],
        "examples": [
            (example.get("summary", name), json.dumps(example["value"], indent=2, ensure_ascii=False))
            for each in body.values()
            for name, example in each.get("examples", {}).items()
        ],
        "answers": answers,
    }


def blocks(text: str) -> list[dict[str, Any]]:
    """A description's paragraphs and lists (lines that begin with a dash), each line as `inline` parts."""
    found = []
    for block in text.split("\n\n"):
        lines = [each.strip() for each in block.strip().splitlines()]
        if lines and all(each.startswith("- ") for each in lines):
            found.append({"kind": "list", "lines": [inline(each[2:]) for each in lines]})
        elif lines:
            found.append({"kind": "text", "lines": [inline(" ".join(lines))]})
    return found


def inline(text: str) -> list[tuple[bool, str]]:
    """Text in parts: (whether it stood in backticks, the part)."""
    return [(at % 2 == 1, part) for at, part in enumerate(re.split(r"`([^`]+)`", text)) if part]


def _parameter(document: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": said["name"],
        "where": said["in"],
        "type": _type(document, said.get("schema", {})),
        "required": said.get("required", False),
        "description": inline(said.get("description", "")),
    }


def _fields(document: dict[str, Any], schema: dict[str, Any] | None, prefix: str = "", depth: int = 0) -> list[Any]:
    """A schema's fields as rows, nested ones under dotted names."""
    schema = _resolved(document, schema or {})
    if schema.get("type") == "array":
        return _fields(document, schema.get("items"), f"{prefix}[]", depth)
    rows = []
    for name, said in schema.get("properties", {}).items():
        full = f"{prefix}.{name}" if prefix else name
        rows.append(
            {
                "name": full,
                "type": _type(document, said),
                "required": name in schema.get("required", []),
                "description": inline(said.get("description") or ""),
            }
        )
        for label, inner in _inner(document, said) if depth < DEPTH_MAX else ():
            rows.extend(_fields(document, inner, f"{full}{label}", depth + 1))
    return rows


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference names."""
    reference = schema.get("$ref")
    if not reference:
        return schema
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def _alternatives(document: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What a schema may be, references followed, without 'or null'."""
    schema = _resolved(document, schema)
    either = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return [_resolved(document, each) for each in either if each.get("type") != "null"]


def _inner(document: dict[str, Any], schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The objects and lists in a field, each with what tells it from the others."""
    found = [each for each in _alternatives(document, schema) if each.get("properties") or each.get("items")]
    return [(f" ({each['title']})" if len(found) > 1 else "", each) for each in found]


def _type(document: dict[str, Any], schema: dict[str, Any]) -> str:
    either = schema.get("anyOf") or schema.get("oneOf")
    if either:
        return " or ".join(dict.fromkeys(_type(document, each) for each in either))
    resolved = _resolved(document, schema)
    if "enum" in resolved:
        return " | ".join(f"{each}" or "''" for each in resolved["enum"])
    name = str(resolved.get("type", "any"))
    if name == "array":
        return f"list of {_type(document, resolved.get('items', {}))}"
    bounds = [
        f"{word} {resolved[key]}"
        for key, word in (
            ("minimum", "from"),
            ("maximum", "to"),
            ("minLength", "at least"),
            ("maxLength", "at most"),
        )
        if key in resolved
    ]
    unit = " characters" if name == "string" and bounds else ""
    return f"{name} ({', '.join(bounds)}{unit})" if bounds else name
