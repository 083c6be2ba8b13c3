"""What the host tells a worker: the tools that exist, and their results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .frames import encode


def _fallback(value: Any) -> Any:
    """JSON for what tools written in Python return."""
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"a {type(value).__name__} is not JSON")


_RESULTS = json.JSONEncoder(ensure_ascii=False, allow_nan=True, separators=(",", ":"), default=_fallback)


def encode_result(number: int, value: Any) -> bytes:
    """The frame that returns `value` for call `number`; text that is not valid Unicode is made so."""
    message = {"t": "ret", "id": number, "value": value}
    try:
        return encode(message, _RESULTS)
    except UnicodeEncodeError:
        text = _RESULTS.encode(message).encode("utf-8", "replace").decode("utf-8")
        return encode(json.loads(text), _RESULTS)


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
