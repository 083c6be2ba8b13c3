"""Work that can hold an interpreter for long (patterns, units, SQL), given to a killable child."""

from __future__ import annotations

from typing import Any

from .workspace import Workspace


class Jobs:
    """Where patterns, units and queries run: each kind in its own child, or (not `isolated`) right here."""

    def __init__(self, *, isolated: bool = True) -> None:
        self._isolated = isolated

    def patterns(self, job: str, **arguments: Any) -> Any:
        """Run a job of `patterns.py`."""
        return None

    def measures(self, job: str, **arguments: Any) -> Any:
        """Run a job of `measures.py`."""
        return None

    def query(self, workspace: Workspace, query: str) -> list[dict[str, Any]]:
        """Run one SELECT over files of the workspace."""
        return []

    def describe_table(self, workspace: Workspace, path: str) -> dict[str, Any]:
        """Row count and column types of a table file."""
        return {}
