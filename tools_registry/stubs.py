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
_READ_CHARS = 4000
_DEPTH = 3
_NESTING = 12
"""Longest chain of `anyOf`, `$ref`, ... that is followed: a hostile schema must end too."""
_CHOICES = 12
_LITERAL_CHARS = 60
_NAMES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def stub(tool: Tool) -> str:
    """Return the one-line stub of `tool`."""
    properties, required = tool.properties, tool.required
    parameters = [
        _parameter(name, properties[original], original in required, tool.input_schema)
        for name, original in tool.parameter_identifiers.items()
    ]
    result = _result(tool.output_schema)
    arrow = f" -> {result}" if result else ""
    summary = summary_line(tool.description)
    comment = f"  # {summary}" if summary else ""
    return f"def {tool.full_name}({', '.join(parameters)}){arrow}{comment}"


def summary_line(description: str) -> str:
    """First sentence of a description, on one line, at most `DESCRIPTION_CHARS` characters."""
    text = " ".join(description[:_READ_CHARS].split())
    if not text.isprintable():  # control characters could drive the terminal, lone surrogates break encoding
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
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


def _literal(value: Any, limit: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= limit and text.isprintable() else "..."


def _result(schema: dict[str, Any] | None) -> str:
    if not isinstance(schema, dict) or not schema:
        return ""
    properties = schema.get("properties")
    if isinstance(properties, dict) and list(properties) == ["result"]:  # the SDK wraps results that are not objects
        return type_text(properties["result"], schema)
    return type_text(schema, schema)


def type_text(schema: Any, root: dict[str, Any], depth: int = 0, nesting: int = 0) -> str:
    """Python annotation of a JSON Schema; `root` resolves local `$ref`s, deep or recursive parts become `object`."""
    if not isinstance(schema, dict) or depth > _DEPTH or nesting > _NESTING:
        return "object"
    nesting += 1
    if "$ref" in schema:
        return type_text(_resolve(str(schema["$ref"]), root), root, depth + 1, nesting)
    if "const" in schema:
        return _choice([schema["const"]])
    if isinstance(schema.get("enum"), list):
        return _choice(schema["enum"])
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), list):
            return _union([type_text(part, root, depth, nesting) for part in schema[word][:_CHOICES]])
    if isinstance(schema.get("allOf"), list) and schema["allOf"]:
        return type_text(schema["allOf"][0], root, depth, nesting)
    kind = schema.get("type")
    if isinstance(kind, list):
        return _union([type_text({**schema, "type": one}, root, depth, nesting) for one in kind[:_CHOICES]])
    if kind == "array":
        item = type_text(schema.get("items"), root, depth + 1, nesting)
        return "list" if item == "object" else f"list[{item}]"
    if kind == "object" or "properties" in schema:
        return _object(schema, root, depth, nesting)
    return _NAMES.get(str(kind), "object")


def _choice(values: list[Any]) -> str:
    texts = [_literal(value, _LITERAL_CHARS) for value in values[:_CHOICES]]
    return f"Literal[{', '.join(texts)}]" if texts else "object"


def _union(parts: list[str]) -> str:
    unique = list(dict.fromkeys(parts))
    unique.sort(key=lambda part: part == "None")
    return " | ".join(unique) if unique else "object"


def _object(schema: dict[str, Any], root: dict[str, Any], depth: int, nesting: int) -> str:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        properties = {}
    writable = all(name.isidentifier() and not keyword.iskeyword(name) for name in properties)
    if not properties or not writable or depth >= _DEPTH or len(properties) > 10:
        values = schema.get("additionalProperties")
        if isinstance(values, dict) and values and not properties:
            return f"dict[str, {type_text(values, root, depth + 1, nesting)}]"
        return "dict"
    fields = ", ".join(f"{name}={type_text(part, root, depth + 1, nesting)}" for name, part in properties.items())
    return f"dict({fields})"


def _resolve(reference: str, root: dict[str, Any]) -> Any:
    node: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if not isinstance(node, dict) or step not in node:
            return None
        node = node[step]
    return node
