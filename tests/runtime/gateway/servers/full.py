"""A server with all that the protocol has, in both eras. Usage: full.py [modern]: `modern` refuses the older era."""

import asyncio
import os
import sys

import mcp.types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError

server = MCPServer("full", instructions="Everything is here.", version="7")


@server.tool()
def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool()
async def count(to: int, ctx: Context) -> str:
    """Count aloud."""
    for number in range(1, to + 1):
        await ctx.report_progress(number, to, f"at {number}")
    return "counted"


@server.tool()
async def wait(mark: str) -> str:
    """Waits until it is cancelled; the file MARK begins there, and MARK.cancelled when it ends."""
    open(mark, "w").close()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        open(f"{mark}.cancelled", "w").close()
        raise
    return "never"


@server.tool()
async def grow(ctx: Context) -> str:
    """Adds a tool, and says so in both eras."""
    server.add_tool(lambda: "grown", name="grown", description="A new tool.")
    await ctx.notify_tools_changed()
    await ctx.session.send_tool_list_changed()
    return "grown"


@server.tool()
def die() -> str:
    """Ends the server."""
    os._exit(3)


@server.tool()
def pid() -> int:
    """The process."""
    return os.getpid()


@server.tool()
async def confirm(ctx: Context) -> types.CallToolResult | types.InputRequiredResult:
    """Asks before it answers, in the way of the era."""
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]}
    if ctx.protocol_version < "2026":
        asked = await ctx.session.elicit_form("sure?", schema, related_request_id=ctx.request_id)
        said = asked.content or {}
    elif ctx.input_responses is None:
        question = types.ElicitRequest(params=types.ElicitRequestFormParams(message="sure?", requested_schema=schema))
        return types.InputRequiredResult(input_requests={"q": question})
    else:
        said = ctx.input_responses["q"].content or {}
    return types.CallToolResult(content=[types.TextContent(type="text", text=f"sure: {said.get('sure')}")])


@server.resource("test://note")
def note() -> str:
    """A note."""
    return "a note"


@server.resource("test://page/{number}")
def page(number: str) -> str:
    """A page."""
    return f"page {number}"


@server.prompt()
def greet(name: str) -> str:
    """Greets."""
    return f"Hello {name}"


@server.completion()
async def complete(ref, argument, context):
    """Names that begin so."""
    return types.Completion(values=[name for name in ("Ada", "Alan", "Grace") if name.startswith(argument.value)])


async def no_handshake(ctx, call_next):
    """A server of 2026-07-28 only."""
    if ctx.method == "initialize":
        raise MCPError(code=types.METHOD_NOT_FOUND, message="Method not found")
    return await call_next(ctx)


if __name__ == "__main__":
    if "modern" in sys.argv:
        server._lowlevel_server.middleware.append(no_handshake)
    server.run("stdio")
