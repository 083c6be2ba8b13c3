"""A composed world as in-process MCP servers, so that the real runtime can act in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...tools_registry.tool import Tool
from .base import WorldToolError
from .composed_tools import Records

if TYPE_CHECKING:
    from mcp.server import Server


def world_servers(state: Records) -> dict[str, Server[Any]]:
    """One low-level MCP server for each server of the world, all over the same `state`."""
    by_server: dict[str, list[Tool]] = {}
    for spec in state.specs.values():
        by_server.setdefault(spec.tool.server, []).append(spec.tool)
    return {name: _server(name, tools, state) for name, tools in by_server.items()}


def _server(name: str, tools: list[Tool], state: Records) -> Server[Any]:
    import json

    import mcp_types as types
    from mcp.server import Server, ServerRequestContext

    outputs = {tool.tool_name: tool.output_schema for tool in tools}

    async def list_tools(
        ctx: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.tool_name,
                    description=tool.description or None,
                    input_schema=tool.input_schema,
                    output_schema=tool.output_schema,
                    annotations=types.ToolAnnotations(read_only_hint=tool.read_only, idempotent_hint=tool.idempotent),
                )
                for tool in tools
            ]
        )

    async def call_tool(ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            value = state.call(f"{name}.{params.name}", dict(params.arguments or {}))
        except WorldToolError as error:
            text = f"{error.message} [{error.kind}]"
            return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)
        content: list[types.ContentBlock] = [types.TextContent(type="text", text=json.dumps(value))]
        schema = outputs.get(params.name)
        if schema is None:  # without a schema a client cannot know that a result was wrapped
            return types.CallToolResult(content=content)
        wrapped = list(schema.get("properties", ())) == ["result"]
        return types.CallToolResult(content=content, structured_content={"result": value} if wrapped else value)

    return Server(name, on_list_tools=list_tools, on_call_tool=call_tool)
