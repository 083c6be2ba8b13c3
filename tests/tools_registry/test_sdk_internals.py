"""The private names of the SDK that the registry leans on; an upgrade that moves them fails here first."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from mcp import Client, StdioServerParameters
from mcp.server import MCPServer

from atlas.tools_registry import sdk_internals

PLAIN = Path(__file__).parent / "servers" / "plain.py"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_raw_requests_in_memory_on_both_eras(mode: Literal["auto", "legacy"]) -> None:
    server = MCPServer("s")
    server.add_tool(lambda: "hi", name="hello", description="Says hi.")

    async def main() -> None:
        async with asyncio.timeout(60), Client(server, mode=mode) as client:
            page = await sdk_internals.raw_request(client.session, "tools/list", {}, 10.0)
            assert [tool["name"] for tool in page["tools"]] == ["hello"]
            assert sdk_internals.adopt_listing(client.session, [("hello", {"type": "object"})]) == {"hello"}
            assert not sdk_internals.is_closed(client.session)

    asyncio.run(main())


def test_an_adopted_listing_keeps_the_session_from_listing_and_from_judging_results() -> None:
    asked: list[Any] = []

    async def main() -> None:
        import mcp.types as types
        from mcp.server import Server

        async def listed(context: Any, params: Any) -> types.ListToolsResult:
            asked.append(params)
            return types.ListToolsResult(tools=[])

        async def called(context: Any, params: Any) -> types.CallToolResult:
            return types.CallToolResult(content=[types.TextContent(type="text", text="ok")])

        async with asyncio.timeout(60), Client(Server("s", on_list_tools=listed, on_call_tool=called)) as client:
            sdk_internals.adopt_listing(client.session, [("t", {"type": "object"})])
            await client.call_tool("t", {})

    asyncio.run(main())
    assert asked == []


def test_a_server_that_died_is_seen_before_the_next_request() -> None:
    async def main() -> None:
        parameters = StdioServerParameters(command=sys.executable, args=[str(PLAIN)])
        async with asyncio.timeout(60), Client(parameters) as client:
            with pytest.raises(Exception, match="Connection closed"):
                await client.session.call_tool("die", {})
            assert sdk_internals.is_closed(client.session)

    asyncio.run(main())


def test_messages_nested_too_deeply_for_pydantic_are_read_and_rubbish_is_not() -> None:
    import mcp_types

    from atlas.tools_registry.sdk_internals import accept_odd_messages

    def nested(levels: int) -> str:
        return '{"jsonrpc": "2.0", "id": 1, "result": ' + '{"in": ' * levels + "{}" + "}" * levels + "}"

    accept_odd_messages()
    accept_odd_messages()  # twice is as once
    read = mcp_types.jsonrpc_message_adapter.validate_json
    assert read(nested(500), by_name=False).id == 1
    for text in (nested(100_000), nested(300)[:-1]):
        answer: Any = read(text, by_name=False)
        assert answer.id == 1 and '"result": {"in": ' in answer.error.message
    for text in ('{"jsonrpc": "2.0"}', '{"jsonrpc": "2.0", "id": 1, "method": null}', "[" * 100_000, "", "\"" * 100_000):
        with pytest.raises(ValueError):
            read(text, by_name=False)


def test_half_a_character_in_a_deep_message_is_replaced_as_everything_must_be_encodable() -> None:
    import mcp_types

    sdk_internals.accept_odd_messages()
    nest = '{"in": ' * 300 + r'"\ud800 \ud83d\ude00"' + "}" * 300
    text = '{"jsonrpc": "2.0", "id": 1, "result": {"in": ' + nest + r', "\udfff": []}}'
    for data in (text, text.encode()):
        answer: Any = mcp_types.jsonrpc_message_adapter.validate_json(data, by_name=False)
        said = json.dumps(answer.result, ensure_ascii=False)
        assert said.encode() and "\ufffd \U0001f600" in said and "\ufffd" in answer.result
