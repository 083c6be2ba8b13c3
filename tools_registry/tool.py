"""One tool of one server, as programs see it and as the server lists it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .identifiers import parameter_identifiers


@dataclass(frozen=True, slots=True)
class Tool:
    """A callable tool: `server` and `name` are Python identifiers, `server_name` and `tool_name` the originals."""

    server: str
    name: str
    description: str
    input_schema: dict[str, Any] = field(hash=False)
    output_schema: dict[str, Any] | None = field(default=None, hash=False)
    server_name: str = ""
    tool_name: str = ""
    read_only: bool = False
    """Trusted knowledge that calling changes nothing; a server's own hint counts only where the user trusts it."""
    idempotent: bool = False
    """Trusted knowledge that calling twice equals calling once."""
    observed_schema: dict[str, Any] | None = field(default=None, hash=False)
    """The shape of results seen so far, where the server declares none."""
    method: str = ""
    """The request behind it, where it stands for something else than a tool: `resources/read`, `prompts/get`, ..."""

    @property
    def full_name(self) -> str:
        """What a program writes, for example `files.find`."""
        return f"{self.server}.{self.name}"

    def same_offer(self, other: Tool) -> bool:
        """Whether both are described in the same words and take the same: what a person who approves a call sees."""
        return (self.description, self.input_schema) == (other.description, other.input_schema)

    def lost_by(self, other: Tool) -> str | None:
        """What is known of this tool and not of `other`, and was a reason to call it unasked, or twice."""
        if self.read_only and not other.read_only:
            return "read-only"
        return "idempotent" if self.idempotent and not other.idempotent else None

    @property
    def properties(self) -> dict[str, Any]:
        """The parameter schemas by original name; parts of the listing that are not what they should be are left out."""
        properties = self.input_schema.get("properties")
        undeclared: dict[str, Any] = {name: {} for name in _names(self.input_schema.get("required"))}
        declared = properties if isinstance(properties, dict) else {}
        return declared | {name: part for name, part in undeclared.items() if name not in declared}

    @property
    def required(self) -> frozenset[str]:
        """Original names of the required parameters."""
        return frozenset(_names(self.input_schema.get("required")))

    @property
    def parameter_identifiers(self) -> dict[str, str]:
        """Identifier of each parameter -> its original name, required ones first, else in the order of the schema."""
        return dict(_identifiers(self))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameter names as programs write them, required ones first, else in the order of the schema."""
        return tuple(self.parameter_identifiers)

    @property
    def program_schema(self) -> dict[str, Any]:
        """The input schema with parameters named and ordered as in the stub, so that positions mean the same."""
        names = self.parameter_identifiers
        required = self.required
        return {
            **self.input_schema,
            "properties": {name: self.properties[original] for name, original in names.items()},
            "required": [name for name, original in names.items() if original in required],
        }


@lru_cache(maxsize=1_000)
def _identifiers(tool: Tool) -> Mapping[str, str]:
    """Asked for several times in every call."""
    required = tool.required
    given = parameter_identifiers(tool.properties)
    return {given[name]: name for name in sorted(given, key=lambda name: name not in required)}


def _names(required: object) -> list[str]:
    return [name for name in required if isinstance(name, str)] if isinstance(required, list | tuple) else []
