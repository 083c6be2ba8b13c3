"""The toolbox: MCP servers that come with Atlas and run in process, confined to one workspace.

`files`, `text` and `tables` work on the files of the workspace, `clock` and `units` on values alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from . import clock, files, tables, text, units
from .arguments import checked
from .entry import Entry
from .errors import ToolboxError
from .jobs import Jobs, children_held
from .workspace import Workspace

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from ..tool import Tool

__all__ = ["ToolboxError", "toolbox_functions", "toolbox_servers", "toolbox_tools"]

_INSTRUCTIONS = {module.__name__.rpartition(".")[2]: module.INSTRUCTIONS for module in (files, text, tables, clock, units)}

_WITH_CHILDREN = frozenset({"text", "tables", "units"})


def toolbox_servers(workspace: Path | str, *, now: Callable[[], datetime] | None = None) -> dict[str, MCPServer]:
    """The five servers by name; `now` replaces the clock where a run must be repeatable."""
    from .listing import server

    rooms = _entries(Workspace(workspace), Jobs(held=True), now)
    return {
        name: server(name, _INSTRUCTIONS[name], entries, children_held if name in _WITH_CHILDREN else None)
        for name, entries in rooms.items()
    }


def toolbox_functions(
    workspace: Path | str, *, now: Callable[[], datetime] | None = None, isolated: bool = True
) -> dict[str, Callable[..., object]]:
    """The same tools as plain functions by full name; they raise `ToolboxError`.

    Without `isolated`, patterns and units run in the calling process: faster, for arguments that are trusted.
    """
    rooms = _entries(Workspace(workspace), Jobs(isolated=isolated), now)
    return {f"{name}.{entry.name}": checked(entry.function) for name, entries in rooms.items() for entry in entries}


def toolbox_tools() -> list[Tool]:
    """The tools as the registry lists them, without a connection."""
    return list(_tools())


@functools.cache
def _tools() -> tuple[Tool, ...]:
    from .listing import listed_tool

    rooms = _entries(Workspace("."), Jobs(), None)
    return tuple(listed_tool(name, entry) for name, entries in rooms.items() for entry in entries)


def _entries(workspace: Workspace, jobs: Jobs, now: Callable[[], datetime] | None) -> dict[str, list[Entry]]:
    return {
        "files": files.Files(workspace).entries(),
        "text": text.Text(workspace, jobs).entries(),
        "tables": tables.Tables(workspace, jobs).entries(),
        "clock": clock.Clock(now).entries(),
        "units": units.Units(jobs).entries(),
    }
