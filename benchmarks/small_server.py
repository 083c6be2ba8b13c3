"""An MCP server with five tools, of which the cold-start benchmark configures twenty: python small_server.py NAME"""

from __future__ import annotations

import sys

from mcp.server import MCPServer

server = MCPServer(sys.argv[1])


def _add(number: int) -> None:
    @server.tool(name=f"get_{sys.argv[1]}_{number}", description=f"Get record {number} of {sys.argv[1]}.")
    def get(key: str, limit: int = 10) -> list[str]:
        return [f"{key}-{place}" for place in range(limit)]


for place in range(5):
    _add(place)

server.run()
