"""What a tool's JSON Schema says about single values, in the short form that a worker checks literals against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})
_MOST_CHOICES = 100


def literal_type(schema: Any, depth: int = 0) -> dict[str, Any] | None:
    """`{"type": [...], "enum": [...], "items": {...}}` as far as it is certain; None where nothing is.

    Every part is necessary for a value to be valid, so a literal that breaks one can be refused; what is not
    understood (references, patterns, combinations of objects) is left to the tool.
    """
    if not isinstance(schema, Mapping) or depth > 4:
        return None
    found: dict[str, Any] = {}
    kinds = _kinds(schema, depth)
    if kinds is not None:
        found["type"] = kinds
    choices = schema.get("enum")
    if isinstance(choices, list) and 0 < len(choices) <= _MOST_CHOICES and all(type(one) is str for one in choices):
        found["enum"] = choices
    items = literal_type(schema.get("items"), depth + 1) if kinds == ["array"] else None
    if items is not None:
        found["items"] = items
    return found or None


def _kinds(schema: Mapping[str, Any], depth: int) -> list[str] | None:
    kind = schema.get("type")
    if kind is None:
        return _kinds_of_parts(schema.get("anyOf", schema.get("oneOf")), depth)
    kinds = [kind] if isinstance(kind, str) else kind
    known = isinstance(kinds, list) and kinds and all(isinstance(one, str) and one in _TYPES for one in kinds)
    return list(kinds) if known else None


def _kinds_of_parts(parts: Any, depth: int) -> list[str] | None:
    """The types of a union, where each part has one."""
    if not isinstance(parts, list) or not parts or depth > 4:
        return None
    kinds: list[str] = []
    for part in parts:
        some = _kinds(part, depth + 1) if isinstance(part, Mapping) else None
        if some is None:
            return None
        kinds += [one for one in some if one not in kinds]
    return kinds


def literal_types(properties: Any) -> dict[str, dict[str, Any]]:
    """The short form of each parameter that has one."""
    if not isinstance(properties, Mapping):
        return {}
    found = {str(name): literal_type(part) for name, part in properties.items()}
    return {name: one for name, one in found.items() if one is not None}
