"""What programs must know of every tool: its name, its parameters and what kind of value each takes.

A card is a tenth of a tool's listing. Cards of whole toolspaces are handed to the sandbox, tools are read one by one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .tool import Tool

_SAID = frozenset({"type", "enum", "items", "anyOf", "oneOf"})
_DEPTH = 6
_MOST_CHOICES = 100


@dataclass(frozen=True, slots=True)
class Card:
    """One tool as programs call it."""

    full_name: str
    read_only: bool
    schema: dict[str, Any]
    """`Tool.program_schema`, of each parameter only what kind of value it takes."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameter names as programs write them, required ones first."""
        return tuple(self.schema["properties"])


def card(tool: Tool) -> Card:
    """The card of a tool."""
    whole = tool.program_schema
    schema: dict[str, Any] = {
        "properties": {name: _kind(part) for name, part in whole["properties"].items()}, "required": whole["required"],
    }  # fmt: skip
    extra = whole.get("additionalProperties")
    if "patternProperties" in whole:  # the server is the judge of such names
        schema["additionalProperties"] = True
    elif isinstance(extra, bool | dict):
        schema["additionalProperties"] = extra is not False
    return Card(tool.full_name, tool.read_only, schema)


def _kind(schema: Any, depth: int = 0) -> Any:
    if not isinstance(schema, dict) or depth > _DEPTH:
        return {}
    kind: dict[str, Any] = {}
    for word in _SAID & schema.keys():
        value = schema[word]
        if isinstance(value, list) and len(value) > _MOST_CHOICES:
            continue  # nobody judges a value by so many
        if word in ("type", "enum"):
            kind[word] = value
        else:
            kind[word] = [_kind(part, depth + 1) for part in value] if isinstance(value, list) else _kind(value, depth + 1)
    return kind


def packed(cards: Iterable[Card]) -> str:
    """Cards as JSON."""
    return json.dumps([[one.full_name, one.read_only, one.schema] for one in cards], separators=(",", ":"))


def unpacked(text: str) -> list[Card]:
    """What `packed` wrote."""
    return [Card(*row) for row in json.loads(text)]
