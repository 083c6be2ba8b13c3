"""Tool lists as servers send them: fetched page by page, checked tool by tool.

The SDK's own `list_tools` refuses a whole page for one malformed tool. Here such a tool is left out and reported, and
nothing of a listing is believed to be reasonable in size.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from .sdk_internals import adopt_listing, raw_request

LIST_SECONDS = 60.0
"""For all pages together."""
_BACKSTOP_SECONDS = 1.0
"""The SDK, which tells the server, is to notice first that one page takes too long."""
MAX_PAGES = 200
MAX_TOOLS = 10_000
MAX_TOOL_CHARS = 500_000
MAX_LISTING_CHARS = 50_000_000
"""Of all tools together; ten thousand usual ones take a third of it."""
MAX_LEVELS = 256
"""Deeper schemas than any that is meant to be read would exhaust the stack of who handles them."""


@dataclass(frozen=True)
class ListedTool:
    """One well-formed entry of a tool list, under the server's own name."""

    name: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None = None
    read_only_hint: bool = False
    idempotent_hint: bool = False
    method: str = ""
    """The request behind it, where it is no tool of the server but stands for something else that it offers."""


@dataclass(frozen=True)
class Listing:
    """All that a server said about itself and its tools."""

    tools: tuple[ListedTool, ...] = ()
    problems: tuple[str, ...] = ()
    """One line for each tool that was left out or mended."""
    instructions: str = ""
    identity: str = ""
    """Name and version by which the server calls itself."""
    protocol: str = ""
    ttl_seconds: float | None = None


@dataclass(frozen=True)
class Head:
    """What is kept of a listing beside its tools, so that a server is known without reading them."""

    problems: tuple[str, ...] = ()
    instructions: str = ""
    identity: str = ""
    protocol: str = ""
    ttl_seconds: float | None = None
    tool_count: int = 0
    digest: str = ""
    """A hash of the whole listing: equal digests, equal tools."""


def head_of(listing: Listing) -> Head:
    """The head of a listing."""
    digest = hashlib.sha256(encode(listing).encode()).hexdigest()
    said = {name: getattr(listing, name) for name in ("problems", "instructions", "identity", "protocol", "ttl_seconds")}
    return Head(**said, tool_count=len(listing.tools), digest=digest)


def encode(listing: Listing) -> str:
    """A listing as JSON; the same for equal listings."""
    return json.dumps({**vars(listing), "tools": [vars(tool) for tool in listing.tools]}, separators=(",", ":"))


def decode(text: str) -> Listing:
    """What `encode` wrote. Raises `ValueError`, `TypeError` or `KeyError` where another version wrote it."""
    data = json.loads(text)
    tools = tuple(ListedTool(**tool) for tool in data.pop("tools"))
    return Listing(tools=tools, problems=tuple(data.pop("problems")), **data)


async def fetch(client: Any, *, timeout_seconds: float = LIST_SECONDS) -> Listing:
    """List the tools of a connected SDK `Client`, and make it call them without asking again."""
    from mcp import MCPError
    from mcp_types import METHOD_NOT_FOUND

    ttl_ms, reader = None, _Reader()
    try:
        async with asyncio.timeout(timeout_seconds + _BACKSTOP_SECONDS):
            ttl_ms = await _read_pages(client.session, reader, timeout_seconds)
    except MCPError as error:
        if error.code != METHOD_NOT_FOUND:
            raise
        reader = _Reader()  # a server of resources or prompts only
    tools, problems = reader.tools, reader.problems
    kept = adopt_listing(client.session, [(tool.name, tool.input_schema) for tool in tools])
    problems += [f"{tool.name!r} left out: invalid x-mcp-header" for tool in tools if tool.name not in kept]
    info = client.server_info
    return Listing(
        tools=tuple(tool for tool in tools if tool.name in kept),
        problems=tuple(problems),
        instructions=client.instructions or "",
        identity=f"{info.name} {info.version}".strip() if info else "",
        protocol=client.protocol_version,
        ttl_seconds=ttl_ms / 1000 if isinstance(ttl_ms, int | float) and ttl_ms > 0 else None,
    )


def adopt(client: Any, listing: Listing) -> None:
    """Make a connected client call the tools of a list that was fetched earlier, without asking for it."""
    adopt_listing(client.session, [(tool.name, tool.input_schema) for tool in listing.tools if not tool.method])


async def _read_pages(session: Any, reader: _Reader, timeout_seconds: float) -> Any:
    """Read all pages; return for how long the first one says that the list holds."""
    cursors: set[str] = set()
    cursor, ttl_ms = None, None
    while True:
        page = await raw_request(session, "tools/list", {"cursor": cursor} if cursor else {}, timeout_seconds)
        found = page.get("tools")
        if not isinstance(found, list):
            reader.problems.append("the tool list has no list of tools")
            return ttl_ms
        reader.read(found)
        ttl_ms = page.get("ttlMs") if ttl_ms is None else ttl_ms
        cursor = page.get("nextCursor")
        if not cursor or not isinstance(cursor, str) or reader.is_full:
            return ttl_ms
        if cursor in cursors or len(cursors) >= MAX_PAGES:
            reader.problems.append(f"the tool list does not end; only the first {len(reader.tools)} tools are used")
            return ttl_ms
        cursors.add(cursor)


def read_tools(raw: list[Any]) -> tuple[list[ListedTool], list[str]]:
    """The well-formed tools of a raw list, and a line for each one that was left out or mended."""
    reader = _Reader()
    reader.read(raw)
    return reader.tools, reader.problems


class _Reader:
    """Reads a list page by page, so that no more is held than what is used of it."""

    def __init__(self) -> None:
        self.tools: list[ListedTool] = []
        self.problems: list[str] = []
        self.is_full = False
        """Whether more was listed than is used of any list."""
        self._names: set[str] = set()
        self._entries = self._chars = 0

    def read(self, entries: list[Any]) -> None:
        for entry in entries:
            if self._entries >= MAX_TOOLS or self._chars >= MAX_LISTING_CHARS:
                self.is_full = True
                self.problems.append(f"the tool list is too long; only the first {len(self.tools)} tools are used")
                return
            self._read(entry)

    def _read(self, entry: Any) -> None:
        tool, chars = _read_tool(entry, self._entries, self.problems)
        self._entries += 1
        self._chars += chars
        if tool is not None and tool.name in self._names:
            self.problems.append(f"{_shown(tool.name)} is listed twice; the first one is used")
        elif tool is not None:
            self._names.add(tool.name)
            self.tools.append(tool)


def _read_tool(entry: Any, place: int, problems: list[str]) -> tuple[ListedTool | None, int]:
    """A tool, or None where it is malformed, and how many characters it takes."""
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name.strip() or len(name) > 512:
        problems.append(f"tool {place + 1} left out: it has no usable name")
        return None, 0
    hints = entry.get("annotations")
    hints = hints if isinstance(hints, dict) else {}
    description = entry.get("description") or entry.get("title") or hints.get("title") or ""
    description = description if isinstance(description, str) else ""
    output, ignored = _read_output(entry.get("outputSchema"))
    wrong = _wrong_schema(entry.get("inputSchema", ...))
    chars = 0 if wrong else len(json.dumps([description, entry["inputSchema"], output], default=str))
    if wrong or chars > MAX_TOOL_CHARS:
        problems.append(f"{_shown(name)} left out: {wrong or 'its description and schemas are too large'}")
        return None, chars
    if ignored:
        problems.append(f"{_shown(name)}: its outputSchema is ignored, {ignored}")
    tool = ListedTool(
        name=name,
        description=description,
        input_schema={"type": "object", **entry["inputSchema"]},
        output_schema=output,
        read_only_hint=hints.get("readOnlyHint") is True,
        idempotent_hint=hints.get("idempotentHint") is True,
    )
    return tool, chars


def _read_output(schema: Any) -> tuple[dict[str, Any] | None, str]:
    """An output schema, and why it is ignored where it is."""
    if schema is None or (isinstance(schema, dict) and not _is_too_deep(schema)):
        return schema, ""
    return None, f"it is nested more than {MAX_LEVELS} levels deep" if isinstance(schema, dict) else "it is no object"


def _is_too_deep(schema: dict[str, Any]) -> bool:
    """Counted level by level: what is too deep for the stack can be counted all the same."""
    level: list[Any] = [schema]
    for _ in range(MAX_LEVELS):
        inner = [one for part in level for one in (part.values() if isinstance(part, dict) else part)]
        level = [one for one in inner if isinstance(one, dict | list)]
        if not level:
            return False
    return True


def _wrong_schema(schema: Any) -> str:
    if schema is ...:
        return "it has no inputSchema"
    if not isinstance(schema, dict):
        return "its inputSchema is no object"
    if schema.get("type", "object") != "object":
        return f"its inputSchema has type {str(schema['type'])[:40]!r} instead of 'object'"
    if not isinstance(schema.get("properties", {}), dict):
        return "the properties of its inputSchema are no object"
    if _is_too_deep(schema):
        return f"its inputSchema is nested more than {MAX_LEVELS} levels deep"
    return ""


def _shown(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:57]}...")


async def of_own_server(server: Any) -> Listing | None:
    """The list of an `MCPServer` of this process without a connection; None where that takes one."""
    from mcp.server import MCPServer

    if not isinstance(server, MCPServer):
        return None
    raw = [tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in await server.list_tools()]
    tools, problems = read_tools(raw)
    return Listing(tuple(tools), tuple(problems), server.instructions or "", server.name)
