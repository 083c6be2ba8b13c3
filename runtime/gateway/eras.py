"""Results that cross from one protocol era to another: what the other side must have is added, what it forbids left out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, methods
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from .caller import Caller, Json

Send = Callable[[Json], Awaitable[Json]]
_ROUNDS = 10


def shaped(method: str, result: Json, version: str) -> Json:
    """A result as `version` of the protocol wants it. Raises `MCPError` where it cannot be said in that version."""
    if method == "tools/list":
        result = {**result, "tools": [tool for tool in result.get("tools") or [] if usable_tool(tool, version)]}
    if version in MODERN_PROTOCOL_VERSIONS:
        result = {"resultType": "complete", **_cache_defaults(method), **result}
    try:
        return methods.serialize_server_result(method, version, result)
    except KeyError:
        return result
    except ValidationError:
        message = f"the server's answer to {method} does not fit protocol {version}"
        raise MCPError(code=INTERNAL_ERROR, message=message) from None


def understood(said: str, version: str) -> bool:
    """Whether a client of `version` takes what is said in the version `said`: the same one, or an older one of its era."""
    modern = said in MODERN_PROTOCOL_VERSIONS, version in MODERN_PROTOCOL_VERSIONS
    return said == version or (modern == (False, False) and said < version)


def usable_tool(tool: object, version: str) -> bool:
    """Whether a client of `version` would take a tool; one that it would not take spoils its whole list."""
    page = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": [tool]}
    try:
        methods.validate_server_result("tools/list", version, page)
    except ValidationError:
        return False
    return True


async def drive(caller: Caller, params: Mapping[str, Any], send: Send) -> Json:
    """Make a call of a 2026-07-28 server for an older client: its questions are asked, and the call is made again."""
    sent = dict(params)
    for _ in range(_ROUNDS):
        result = await send(sent)
        if not methods.is_input_required(result):
            return result
        asked = result.get("inputRequests") or {}
        answers = {key: await caller.ask(one["method"], one.get("params") or {}) for key, one in asked.items()}
        state = {"requestState": result["requestState"]} if result.get("requestState") is not None else {}
        sent = {**params, "inputResponses": answers, **state}
    raise MCPError(code=INTERNAL_ERROR, message=f"the server still asks after {_ROUNDS} rounds")


def _cache_defaults(method: str) -> Json:
    return {"ttlMs": 0, "cacheScope": "private"} if method in methods.CACHEABLE_METHODS else {}
