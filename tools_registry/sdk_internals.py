"""The only uses of private names of the MCP SDK, so that an upgrade has one place to look at (and one test to break).

Written against mcp 2.3; each function says why the public way does not do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


async def raw_request(session: Any, method: str, params: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
    """Send a request and return the answer unchecked: the public form refuses a page for one malformed tool."""
    data: dict[str, Any] = {"method": method, "params": params}
    options: dict[str, Any] = {"timeout": timeout_seconds}
    session._stamp(data, options)  # the envelope and the headers that 2026-07-28 asks for
    answer = await session._dispatcher.send_raw_request(method, data["params"], options)
    return answer if isinstance(answer, dict) else {}


def adopt_listing(session: Any, tools: Iterable[tuple[str, dict[str, Any]]]) -> set[str]:
    """Tell the session which tools (name, input schema) are listed; return the names that it accepts.

    Over HTTP it needs the list for the headers of 2026-07-28. Output schemas are kept from it: it would refuse a result
    that does not fit, after the call has taken effect, and it would list again before judging an unlisted tool.
    """
    import mcp_types

    listed = mcp_types.ListToolsResult(
        tools=[mcp_types.Tool(name=name, input_schema=schema) for name, schema in tools]
    )
    return {tool.name for tool in session._absorb_tool_listing(listed, complete=True).tools}


def is_closed(session: Any) -> bool:
    """Whether the other side is known to be gone; nothing public says so before a request is sent."""
    return bool(session._dispatcher._closed)
