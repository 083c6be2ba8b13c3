"""A tool as one line of typed Python, a fifth of the tokens of its JSON Schema.

`def files.find(pattern: str) -> list[str]  # Find files by pattern.`

Nested objects are written as `dict(name=str, size=int)`, so that every annotation is a Python expression.
"""

from __future__ import annotations

import keyword
import re
from typing import Any

from .tool import Tool

DESCRIPTION_CHARS = 100
_DEPTH = 3
_NAMES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def stub(tool: Tool) -> str:
    """Return the one-line stub of `tool`."""
    schema = tool.input_schema
    properties = schema.get("properties", {})
    required = set(schema.get("required", ()))
    parameters = [
        _parameter(name, properties[name], name in required, schema) for name in tool.parameters
    ]
    result = _result(tool.output_schema)
    arrow = f" -> {result}" if result else ""
    summary = summary_line(tool.description)
    comment = f"  # {summary}" if summary else ""
    return f"def {tool.full_name}({', '.join(parameters)}){arrow}{comment}"


def summary_line(description: str) -> str:
    """First sentence of a description, on one line, at most `DESCRIPTION_CHARS` characters."""
    text = " ".join(description.split())
    sentence = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
    return sentence if len(sentence) <= DESCRIPTION_CHARS else sentence[: DESCRIPTION_CHARS - 3].rstrip() + "..."


def _parameter(name: str, schema: Any, required: bool, root: dict[str, Any]) -> str:
    kind = type_text(schema, root)
    if required:
        return f"{name}: {kind}"
    default = schema.get("default") if isinstance(schema, dict) else None
    if default is None and not kind.endswith("None") and kind != "object":
        kind = f"{kind} | None"
    return f"{name}: {kind} = {_literal(default)}"


def _literal(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else "..."


def _result(schema: dict[str, Any] | None) -> str:
    if not schema:
        return ""
    properties = schema.get("properties", {})
    if list(properties) == ["result"]:  # the SDK wraps results that are not objects
        return type_text(properties["result"], schema)
    return type_text(schema, schema)


def type_text(schema: Any, root: dict[str, Any], depth: int = 0) -> str:
    """Python annotation of a JSON Schema; `root` resolves local `$ref`s, deep or recursive parts become `object`."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return "object"
    if "$ref" in schema:
        return type_text(_resolve(str(schema["$ref"]), root), root, depth + 1)
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if isinstance(schema.get("enum"), list):
        return f"Literal[{', '.join(repr(value) for value in schema['enum'][:12])}]"
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), list):
            return _union([type_text(part, root, depth) for part in schema[word]])
    if isinstance(schema.get("allOf"), list) and schema["allOf"]:
        return type_text(schema["allOf"][0], root, depth)
    kind = schema.get("type")
    if isinstance(kind, list):
        return _union([type_text({**schema, "type": one}, root, depth) for one in kind])
    if kind == "array":
        item = type_text(schema.get("items"), root, depth + 1)
        return "list" if item == "object" else f"list[{item}]"
    if kind == "object" or "properties" in schema:
        return _object(schema, root, depth)
    return _NAMES.get(str(kind), "object")


def _union(parts: list[str]) -> str:
    unique = list(dict.fromkeys(parts))
    unique.sort(key=lambda part: part == "None")
    return " | ".join(unique) if unique else "object"


def _object(schema: dict[str, Any], root: dict[str, Any], depth: int) -> str:
    properties = schema.get("properties") or {}
    writable = all(name.isidentifier() and not keyword.iskeyword(name) for name in properties)
    if not properties or not writable or depth >= _DEPTH or len(properties) > 10:
        values = schema.get("additionalProperties")
        if isinstance(values, dict) and values and not properties:
            return f"dict[str, {type_text(values, root, depth + 1)}]"
        return "dict"
    fields = ", ".join(f"{name}={type_text(part, root, depth + 1)}" for name, part in properties.items())
    return f"dict({fields})"


def _resolve(reference: str, root: dict[str, Any]) -> Any:
    node: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if not isinstance(node, dict) or step not in node:
            return None
        node = node[step]
    return node
