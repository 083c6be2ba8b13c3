"""The toolbox: MCP servers that come with Atlas and run in process, confined to one workspace.

`files`, `text` and `tables` work on the files of the workspace, `clock` and `units` on values alone. `listing.json` holds
what the servers list, so that a run need not make them to know their tools; a test writes down how to renew it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..direct import DirectServer
from ..listing import Listing, read_tools
from ..tool import Tool
from . import clock, files, tables, text, units
from .arguments import checked
from .entry import Entry
from .errors import ToolboxError
from .jobs import Jobs, children_held
from .workspace import Workspace

if TYPE_CHECKING:
    from mcp.server import MCPServer

__all__ = ["ToolboxError", "toolbox_direct", "toolbox_functions", "toolbox_servers", "toolbox_tools"]

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


def toolbox_direct(workspace: Path | str, *, now: Callable[[], datetime] | None = None) -> dict[str, DirectServer]:
    """The five servers by name as a run calls them: without the SDK, and without a connection."""
    return {
        name: DirectServer(
            _listing(name),
            {entry.name: checked(entry.function) for entry in entries},
            children_held if name in _WITH_CHILDREN else None,
        )
        for name, entries in _entries(Workspace(workspace), Jobs(held=True), now).items()
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
    return tuple(
        Tool(
            server=name, name=tool.name, description=tool.description, input_schema=tool.input_schema,
            output_schema=tool.output_schema, server_name=name, tool_name=tool.name, read_only=tool.read_only_hint,
            idempotent=tool.read_only_hint or tool.idempotent_hint,
        )
        for name in _INSTRUCTIONS
        for tool in _listing(name).tools
    )  # fmt: skip


@functools.cache
def _listing(name: str) -> Listing:
    listed = json.loads((Path(__file__).parent / "listing.json").read_text(encoding="utf-8"))
    return Listing(tuple(read_tools(listed[name])[0]), (), _INSTRUCTIONS[name], name)


def _entries(workspace: Workspace, jobs: Jobs, now: Callable[[], datetime] | None) -> dict[str, list[Entry]]:
    rooms = {
        "files": files.Files(workspace).entries(),
        "text": text.Text(workspace, jobs).entries(),
        "tables": tables.Tables(workspace, jobs).entries(),
        "clock": clock.Clock(now).entries(),
        "units": units.Units(jobs).entries(),
    }
    return {name: [entry.in_turn(workspace.writing) for entry in entries] for name, entries in rooms.items()}
