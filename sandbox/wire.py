"""What the host tells a worker: the tools that exist, and their results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .frames import without_surrogates


def _fallback(value: Any) -> Any:
    """JSON for what tools written in Python return."""
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"a {type(value).__name__} is not JSON")


result_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=True, separators=(",", ":"), default=_fallback)


def json_value(value: Any) -> Any:
    """`value`, its text made valid Unicode where it is not."""
    if isinstance(value, str):
        return value if value.isascii() else without_surrogates(value)
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if isinstance(value, dict):
        return {json_value(key): json_value(item) for key, item in value.items()}
    return value


def tool_spec(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a worker must know of a tool's JSON Schema: parameter names, required ones first."""
    properties = schema.get("properties")
    names = [str(name) for name in properties] if isinstance(properties, Mapping) else []
    required = schema.get("required")
    needed = {name for name in required if name in names} if isinstance(required, (list, tuple)) else set()
    spec: dict[str, Any] = {
        "parameters": sorted(names, key=lambda name: name not in needed), "required": len(needed),
    }
    if isinstance(schema.get("x-variadic"), str):
        spec["variadic"] = schema["x-variadic"]
    extra = schema.get("additionalProperties")
    if extra is True or isinstance(extra, dict) or (not names and extra is not False):
        spec["open"] = True
    return spec


def tool_specs(tools: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The specs of all tools."""
    return {name: tool_spec(schema) for name, schema in tools.items()}
