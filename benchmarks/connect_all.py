"""What an agent without lazy loading does before its first turn: start every configured server and list its tools."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client


async def _list(entry: dict[str, Any]) -> int:
    parameters = StdioServerParameters(command=str(entry["command"]), args=list(entry["args"]), env=entry.get("env"))
    async with Client(stdio_client(parameters)) as client:
        return len((await client.list_tools()).tools)


async def main() -> None:
    servers = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["mcpServers"]
    print(sum(await asyncio.gather(*(_list(entry) for entry in servers.values()))))


asyncio.run(main())
