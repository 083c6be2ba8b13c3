"""What tools and prompts are called when several servers are passed through together, and which server has a resource."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...tools_registry.identifiers import server_identifiers

_BETWEEN = "__"


class Names:
    """Names as clients see them. One server keeps its own; of several, each name begins with its server: `git__log`."""

    def __init__(self, servers: Sequence[str]) -> None:
        self.identifiers = list(servers) if len(servers) == 1 else server_identifiers(servers)
        self._single = len(servers) == 1
        self._homes: dict[str, int] = {}

    def outward(self, server: int, name: str) -> str:
        """The name by which clients call it."""
        return name if self._single else f"{self.identifiers[server]}{_BETWEEN}{name}"

    def inward(self, name: str) -> tuple[int, str] | None:
        """The server and its own name of what clients call `name`; None where no server is named."""
        if self._single:
            return 0, name
        fitting = [
            (place, name.removeprefix(f"{one}{_BETWEEN}"))
            for place, one in enumerate(self.identifiers)
            if name.startswith(f"{one}{_BETWEEN}")
        ]
        return min(fitting, key=lambda found: len(found[1]), default=None)

    def note_home(self, server: int, uri: object) -> None:
        """Remember which server listed a resource or a template; the first one keeps it."""
        if isinstance(uri, str):
            self._homes.setdefault(uri, server)

    def homes(self, uri: object) -> list[int]:
        """The servers to ask for a resource: who listed it first, then whose template begins like it, then the others."""
        everyone = range(len(self.identifiers))
        text = str(uri)
        known = self._homes.get(text)
        alike = [server for template, server in self._homes.items() if _head(template) and text.startswith(_head(template))]
        return list(dict.fromkeys([*([known] if known is not None else []), *alike, *everyone]))


def _head(template: str) -> str:
    head, brace, _ = template.partition("{")
    return head if brace else ""


def renamed(page: dict[str, Any], key: str, name: Any) -> dict[str, Any]:
    """A page of a listing with every `name` under `key` passed through `name`."""
    items = [one for one in page.get(key) or [] if isinstance(one, dict) and "name" in one]
    return {**page, key: [{**one, "name": name(one["name"])} for one in items]}
