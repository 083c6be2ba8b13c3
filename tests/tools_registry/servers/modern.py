"""A server on the current SDK: both protocol eras, structured results, concurrent and cancellable calls."""

import asyncio
import os
from typing import Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

server = MCPServer("modern", instructions="Ask away.", version="3")
waiting = 0
cancelled = 0


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
async def meet(people: int) -> int:
    """Returns when so many calls are in flight."""
    global waiting
    waiting += 1
    while waiting < people:
        await asyncio.sleep(0.001)
    return waiting


@server.tool()
async def wait(seconds: float) -> str:
    """Wait."""
    global cancelled
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        cancelled += 1
        raise
    return "done"


@server.tool()
def count_cancelled() -> int:
    """How many waits were cancelled."""
    return cancelled


@server.tool()
def pick(colour: Literal["red", "green"], sizes: list[int] | None = None) -> dict[str, object]:
    """Pick one."""
    return {"colour": colour, "sizes": sizes}


@server.tool()
def refuse() -> str:
    """Always fails."""
    raise ToolError("no such thing: x [not_found]")


@server.tool()
def header(name: str, ctx: Context) -> str:
    """A header of the request."""
    return (ctx.headers or {}).get(name, "")


@server.tool()
def environment(name: str) -> str:
    """A variable of the environment."""
    return os.environ.get(name, "")


@server.tool()
async def grow(ctx: Context) -> str:
    """Adds a tool."""
    server.add_tool(lambda: "grown", name="grown", description="A new tool.")
    await ctx.notify_tools_changed()
    return "grown"


if __name__ == "__main__":
    server.run("stdio")
