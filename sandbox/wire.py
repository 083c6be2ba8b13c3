"""What the host tells a worker: the tools that exist, and their results."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from .frames import encode, make_encoder, without_surrogates
from .literal_types import literal_types


def _fallback(value: Any) -> Any:
    """JSON for what tools written in Python return."""
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"a {type(value).__name__} is not JSON")


_RESULTS = make_encoder(_fallback, allow_nan=True)


def encode_result(number: int, value: Any) -> bytes:
    """The frame that returns `value` for call `number`; text that is not valid Unicode is made so."""
    try:
        return encode([number, value], _RESULTS)
    except UnicodeEncodeError:
        text = _RESULTS([number, value]).encode("utf-8", "replace").decode("utf-8")
        return encode(json.loads(text), _RESULTS)


def encode_text(message: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A message and its frame; half a character, which a listing may hold, is replaced in both."""
    try:
        return message, encode(message)
    except UnicodeEncodeError:
        whole: dict[str, Any] = without_surrogates(message)
        return whole, encode(whole)


def tool_spec(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a worker must know of a tool's JSON Schema: parameter names, required ones first."""
    properties = schema.get("properties")
    names = [str(name) for name in properties] if isinstance(properties, Mapping) else []
    required = schema.get("required")
    needed = {name for name in required if name in names} if isinstance(required, (list, tuple)) else set()
    spec: dict[str, Any] = {
        "parameters": sorted(names, key=lambda name: name not in needed), "required": len(needed),
    }
    variadic = schema.get("x-variadic")
    if isinstance(variadic, str) and variadic in names:
        spec["variadic"] = variadic
    types = literal_types(properties)
    if types:
        spec["types"] = types
    extra = schema.get("additionalProperties")
    if extra is True or isinstance(extra, dict) or "patternProperties" in schema or (not names and extra is not False):
        spec["open"] = True
    return spec


def tool_specs(tools: Mapping[str, Mapping[str, Any]], read_only: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """The specs of all tools; those that are known to change nothing say so."""
    specs = {name: tool_spec(schema) for name, schema in tools.items()}
    for name in read_only:
        if name in specs:
            specs[name]["read_only"] = True
    return specs


class Shape(NamedTuple):
    """Which arguments a call of a tool must and may have; `allowed` None: any."""

    required: frozenset[str]
    allowed: frozenset[str] | None


def shapes(specs: Mapping[str, Mapping[str, Any]]) -> dict[str, Shape]:
    """The shapes of all tools, for the host to judge calls by."""
    return {
        name: Shape(
            frozenset(spec["parameters"][: spec["required"]]), None if spec.get("open") else frozenset(spec["parameters"])
        )
        for name, spec in specs.items()
    }
