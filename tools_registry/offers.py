"""What a server offers besides tools, as tools: its resources are listed and read, its prompts are listed and filled in.

Only what is really there becomes a tool: many servers declare both and have neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .keeping import Keep
from .listing import ListedTool
from .results import from_resource, from_text, native_block
from .sdk_internals import raw_request

LIST_SECONDS = 20.0
_MOST = 1_000
_NAMED = 6
_FREE: dict[str, Any] = {"type": "object", "properties": {}}
_URI = {"type": "object", "properties": {"uri": {"type": "string"}}, "required": ["uri"]}
_PROMPT = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "arguments": {"type": "object", "additionalProperties": {"type": "string"}}},
    "required": ["name"],
}


async def offered(client: Any) -> list[ListedTool]:
    """The tools that stand for the resources and prompts of a connected server."""
    capabilities = client.server_capabilities
    found: list[ListedTool] = []
    if getattr(capabilities, "resources", None) is not None:
        names = await _names(client, "resources/list", "resources", "uri")
        templates = await _names(client, "resources/templates/list", "resourceTemplates", "uriTemplate")
        if names or templates:
            said = _said([*names, *templates])
            found.append(_tool("list_resources", "List this server's resources by name and uri.", _FREE, "resources/list"))
            found.append(_tool("read_resource", f"Read a resource of this server by its uri{said}.", _URI, "resources/read"))
    if getattr(capabilities, "prompts", None) is not None:
        names = await _names(client, "prompts/list", "prompts", "name")
        if names:
            found.append(_tool("list_prompts", "List this server's prompt templates.", _FREE, "prompts/list"))
            text = f"Fill in a prompt template of this server and return its text{_said(names)}."
            found.append(_tool("get_prompt", text, _PROMPT, "prompts/get"))
    return found


def _tool(name: str, description: str, schema: dict[str, Any], method: str) -> ListedTool:
    return ListedTool(name, description, schema, method=method)


def _said(names: list[str]) -> str:
    shown = ", ".join(name[:60] for name in names[:_NAMED])
    return f": {shown}{', ...' if len(names) > _NAMED else ''}"


async def _names(client: Any, method: str, key: str, field: str) -> list[str]:
    """What is on the first page of a list; nothing where the server does not answer in time or in shape."""
    with suppress(Exception):
        async with asyncio.timeout(LIST_SECONDS + 1):
            page = await raw_request(client.session, method, {}, LIST_SECONDS)
        entries = page.get(key)
        named = [entry.get(field) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        return [name for name in named[:_MOST] if isinstance(name, str)]
    return []


async def ask(client: Any, method: str, arguments: Mapping[str, Any]) -> Any:
    """Send the request behind such a tool; the SDK's result."""
    if method == "resources/list":
        return [
            *await _pages(client.list_resources, "resources"),
            *await _pages(client.list_resource_templates, "resource_templates"),
        ]
    if method == "resources/read":
        return await client.read_resource(arguments["uri"])
    if method == "prompts/list":
        return await _pages(client.list_prompts, "prompts")
    return await client.get_prompt(arguments["name"], dict(arguments.get("arguments") or {}))


async def _pages(ask_for: Any, key: str) -> list[Any]:
    found: list[Any] = []
    cursor: str | None = None
    seen: set[str] = set()
    while True:
        try:
            page = await ask_for(cursor=cursor)
        except Exception:
            if cursor is None and key == "resource_templates":  # few servers have them
                return []
            raise
        found += getattr(page, key)
        cursor = page.next_cursor
        if not cursor or cursor in seen or len(found) >= _MOST:
            return found[:_MOST]
        seen.add(cursor)


def value_of(method: str, result: Any, keep: Keep | None) -> Any:
    """The result of such a request as a native value."""
    if method == "resources/list":
        return [_described(one, "uri") if hasattr(one, "uri") else _described(one, "uri_template") for one in result]
    if method == "resources/read":
        values = [from_resource(one, keep) for one in result.contents]
        values = [from_text(one["text"]) if "text" in one else one for one in values]
        return values[0] if len(values) == 1 else values
    if method == "prompts/list":
        asked = {one.name: [argument.name for argument in one.arguments or []] for one in result}
        return [{**_described(one), "arguments": asked[one.name]} for one in result]
    return [{"role": one.role, "content": native_block(one.content, keep)} for one in result.messages]


def _described(one: Any, place: str | None = None) -> dict[str, Any]:
    said = {"name": one.name, "description": one.description}
    return {**said, place: str(getattr(one, place))} if place else said
