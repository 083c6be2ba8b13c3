"""One tool of one server, as programs see it and as the server lists it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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

    @property
    def full_name(self) -> str:
        """What a program writes, for example `files.find`."""
        return f"{self.server}.{self.name}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameter names in the order of the schema, required ones first."""
        properties = list(self.input_schema.get("properties", {}))
        required = set(self.input_schema.get("required", ()))
        return tuple(sorted(properties, key=lambda name: name not in required))
