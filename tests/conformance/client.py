"""Atlas' client, driven through the scenarios of the official conformance suite.

    python client.py URL      with MCP_CONFORMANCE_SCENARIO, _PROTOCOL_VERSION and _CONTEXT in the environment

Everything goes through `Registry`, as in a run: the server is listed, and its tools are called. Where a scenario wants
requests that programs have no use for (prompts), the registry's own connection sends them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx
import mcp.types as types

from atlas.tools_registry import Registry, RegistryError, ServerConfig
from atlas.tools_registry.oauth import auth_for

SCENARIO = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
VERSION = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2026-07-28")
CONTEXT: dict[str, Any] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
BY_TYPE: dict[Any, Any] = {
    "string": "x", "integer": 0, "number": 0, "boolean": False, "object": {}, "array": [], "null": None,
}  # fmt: skip


async def browse(config: ServerConfig, address: str) -> None:
    """The person at the browser: signs in by following the redirects, the last of which leads back to Atlas."""
    async with httpx.AsyncClient(follow_redirects=True, timeout=30) as browser:
        await browser.get(address)


async def elicit(context: Any, asked: Any) -> Any:
    """Answer with the defaults of the form."""
    properties = getattr(asked, "requested_schema", {}).get("properties", {})
    content = {name: part["default"] for name, part in properties.items() if "default" in part}
    return types.ElicitResult(action="accept", content=content or {"confirmed": True})


async def sample(context: Any, asked: Any) -> Any:
    """Answer with nothing."""
    return types.CreateMessageResult(role="assistant", content=types.TextContent(type="text", text=""), model="none")


async def roots(context: Any) -> Any:
    """No folder."""
    return types.ListRootsResult(roots=[])


def required(schema: dict[str, Any]) -> dict[str, Any]:
    """The least arguments that a schema takes."""
    properties = schema.get("properties", {})
    return {name: BY_TYPE.get(properties.get(name, {}).get("type"), "x") for name in schema.get("required", [])}


async def call_each(registry: Registry, calls: list[tuple[str, dict[str, Any]]]) -> None:
    """Call tools by their own names; one that the registry left out, or that fails, is passed over."""
    known = {tool.tool_name: tool for tool in registry.tools.values()}
    for name, arguments in calls:
        if name in known:
            try:
                print(name, await registry.call(known[name], arguments, sent=arguments), file=sys.stderr)
            except RegistryError as problem:
                print(name, problem.message, file=sys.stderr)


async def main(url: str) -> None:
    """List the server's tools and call what the scenario asks for."""
    extra = {"oauth": {
        "clientId": CONTEXT.get("client_id"), "clientSecret": CONTEXT.get("client_secret"),
        "clientMetadataUrl": "https://conformance-test.local/client-metadata.json",
    }}  # fmt: skip
    config = ServerConfig("suite", "http", url=url, extra=extra)
    auth = auth_for(config, None, browse)

    def callbacks(config: ServerConfig) -> dict[str, Any]:
        answers = {"elicitation_callback": elicit, "sampling_callback": sample, "list_roots_callback": roots}
        return answers | ({"auth": auth} if SCENARIO.startswith("auth/") else {})

    async with Registry([config], callbacks=callbacks) as registry:
        for problem in registry.warnings:
            print(problem, file=sys.stderr)
        tools = [(tool.tool_name, tool.input_schema) for tool in registry.tools.values()]
        await call_each(registry, calls_of(tools))
        if SCENARIO == "http-standard-headers":
            await read_and_prompt(registry)


def calls_of(tools: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """What to call in this scenario."""
    if CONTEXT.get("toolCalls"):
        return [(call["name"], call.get("arguments") or {}) for call in CONTEXT["toolCalls"]]
    if SCENARIO in ("tools_call", "request-metadata"):
        return [("add_numbers", {"a": 5, "b": 3})]
    if SCENARIO.startswith("auth/"):
        return [(name, {}) for name, _ in tools[:1]]
    if SCENARIO == "json-schema-2020-12-preservation":
        focal = next(schema for name, schema in tools if name == "json_schema_2020_12_tool")
        return [("json_schema_echo", {"schema": focal})]
    if SCENARIO == "sep-2322-client-request-state":
        names = ("test_mrtr_echo_state", "test_mrtr_unrelated", "test_mrtr_no_state", "test_mrtr_no_result_type")
        return [(name, {}) for name in names]
    return [(name, required(schema)) for name, schema in tools]


async def read_and_prompt(registry: Registry) -> None:
    """Read a resource and get a prompt over the registry's connection."""
    server = registry._servers["suite"]
    connection = await server.connected(registry._starting, registry._note_start)
    client = connection.client
    for resource in (await client.list_resources()).resources[:1]:
        await client.read_resource(resource.uri)
    for prompt in (await client.list_prompts()).prompts[:1]:
        await client.get_prompt(prompt.name)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
