"""From plain functions to MCP servers: one entry per tool, with its truthful hints."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool as ServedTool
from mcp.types import ToolAnnotations

from .entry import Entry
from .errors import ToolboxError


def served_tool(entry: Entry) -> ServedTool:
    """The tool object that an `MCPServer` lists: schemas from the signature, text from the docstring."""
    hints = ToolAnnotations(
        read_only_hint=entry.reads,
        destructive_hint=entry.destroys,
        idempotent_hint=entry.reads or entry.idempotent,
        open_world_hint=False,
    )
    return ServedTool.from_function(
        _speaking(entry),
        name=entry.name,
        description=(entry.function.__doc__ or "").strip(),
        annotations=hints,
    )


def server(
    name: str,
    instructions: str,
    entries: Sequence[Entry],
    lifetime: Callable[[], AbstractAsyncContextManager[None]] | None = None,
) -> MCPServer:
    """An in-process server with these tools; `lifetime` is entered for as long as a client is connected."""

    @asynccontextmanager
    async def lifespan(_: MCPServer) -> AsyncIterator[None]:
        if lifetime is None:
            yield
            return
        async with lifetime():
            yield

    tools = [served_tool(entry) for entry in entries]
    with _logging_untouched():
        return MCPServer(name, instructions=instructions, tools=tools, lifespan=lifespan)


@contextmanager
def _logging_untouched() -> Iterator[None]:
    """The SDK sets up the root logger of the whole process unless there is a handler already."""
    placeholder = logging.NullHandler()
    logging.getLogger().addHandler(placeholder)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(placeholder)


def _speaking(entry: Entry) -> Callable[..., Any]:
    """Let the text of a `ToolboxError` through: the SDK masks every exception but its own `ToolError`."""

    @functools.wraps(entry.function)
    def call(*args: object, **named: object) -> object:
        try:
            return entry.function(*args, **named)
        except ToolboxError as problem:
            raise ToolError(str(problem)) from problem

    call.__name__ = entry.name  # the SDK titles the schemas by it
    return call
