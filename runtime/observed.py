"""What tools without an output schema returned so far, as types for their stubs: read from the log of episodes.

Only results of the very same tool count, by description and input schema, and only those that a program got. The stub says
that its type was observed. Field names are text of a server: the stub writes them only where they are identifiers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .episodes.journal import offer_hash

if TYPE_CHECKING:
    from ..tools_registry.tool import Tool
    from .episodes.store import EpisodeStore

RESULTS = 8
_ITEMS = 5
_FIELDS = 12
_DEPTH = 3


class Observed:
    """The observed types of one log; each tool is looked up once."""

    def __init__(self, store: EpisodeStore) -> None:
        self._store = store
        self._known: dict[tuple[str, str], dict[str, Any] | None] = {}

    def typed(self, tool: Tool) -> Tool:
        """The tool with the type of its results so far, where it declares none."""
        if tool.output_schema is not None:
            return tool
        key = (tool.full_name, offer_hash(tool))
        if key not in self._known:
            self._known[key] = schema_of(self._store.results(*key, limit=RESULTS))
        schema = self._known[key]
        return tool if schema is None else replace(tool, observed_schema=schema)


def schema_of(values: Sequence[Any]) -> dict[str, Any] | None:
    """A JSON Schema that all these values fit; None of nothing."""
    return _joined([_schema(value, 0) for value in values]) if values else None


def _schema(value: Any, depth: int) -> dict[str, Any]:
    if value is None:
        return {"type": "null"}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "integer" if isinstance(value, int) else "number"}
    if isinstance(value, str):
        return {"type": "string"}
    if depth >= _DEPTH:
        return {"type": "array" if isinstance(value, list) else "object"}
    if isinstance(value, list):
        items = _joined([_schema(item, depth + 1) for item in value[:_ITEMS]]) if value else None
        return {"type": "array", **({"items": items} if items else {})}
    fields = list(value.items())[:_FIELDS]
    return {"type": "object", "properties": {str(name): _schema(part, depth + 1) for name, part in fields}}


def _joined(schemas: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One schema for all: objects by field, lists by item, else a union."""
    by_type: dict[str, list[dict[str, Any]]] = {}
    for schema in schemas:
        for part in schema.get("anyOf", [schema]):
            by_type.setdefault(part["type"], []).append(part)
    if {"integer", "number"} <= by_type.keys():
        by_type["number"] += by_type.pop("integer")
    merged = [_same(kind, parts) for kind, parts in by_type.items()]
    return merged[0] if len(merged) == 1 else {"anyOf": merged}


def _same(kind: str, schemas: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if kind == "array":
        items = [schema["items"] for schema in schemas if "items" in schema]
        return {"type": "array", **({"items": _joined(items)} if items else {})}
    if kind == "object":
        fields: dict[str, list[dict[str, Any]]] = {}
        for schema in schemas:
            for name, part in schema.get("properties", {}).items():
                fields.setdefault(name, []).append(part)
        return {"type": "object", "properties": {name: _joined(parts) for name, parts in list(fields.items())[:_FIELDS]}}
    return {"type": kind}
