"""Pass-through: a client in front of the gateway sees what it would see in front of the server itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import mcp.types as types
import pytest
from mcp import Client, MCPError

from atlas.runtime.gateway import peer
from atlas.runtime.gateway.passing import PassThrough
from atlas.tools_registry import ServerConfig
from atlas.tools_registry.sdk_internals import raw_request

from ...waiting import PATIENCE_SECONDS, until
from .conftest import Upstreams, passing

ERAS = ("auto", "legacy")
Use = Callable[[Client], Awaitable[None]]


def through(use: Use, *configs: Any, mode: str = "auto", many_clients: bool = False, **options: Any) -> None:
    """Use a client of one era in front of a gateway in front of servers."""

    async def main() -> None:
        async with (
            passing(*configs, many_clients=many_clients) as gateway,
            Client(gateway.server, mode=mode, **options) as client,
        ):
            await use(client)

    asyncio.run(main())


def said(result: Any) -> str:
    """The text of a result."""
    return str(result.content[0].text)


async def accept(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"sure": True} if params.message == "sure?" else {"colour": "red"})


@pytest.mark.parametrize("mode", ERAS)
def test_everything_that_a_server_offers_is_there(upstream: Upstreams, mode: str) -> None:
    async def use(client: Client) -> None:
        assert client.instructions == "Everything is here."
        assert client.server_info is not None and client.server_info.name == "full"
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {"echo", "count", "confirm"} <= set(tools)
        assert tools["echo"].input_schema["required"] == ["text"]
        result = await client.call_tool("echo", {"text": "hello"})
        assert (said(result), result.structured_content, result.is_error) == ("hello", {"result": "hello"}, False)
        assert [str(one.uri) for one in (await client.list_resources()).resources] == ["test://note"]
        assert (await client.read_resource("test://note")).contents[0].text == "a note"  # type: ignore[union-attr]
        assert [one.uri_template for one in (await client.list_resource_templates()).resource_templates] == [
            "test://page/{number}"
        ]
        assert (await client.read_resource("test://page/4")).contents[0].text == "page 4"  # type: ignore[union-attr]
        assert [one.name for one in (await client.list_prompts()).prompts] == ["greet"]
        message = (await client.get_prompt("greet", {"name": "Ada"})).messages[0]
        assert message.content.text == "Hello Ada"  # type: ignore[union-attr]
        found = await client.complete(types.PromptReference(type="ref/prompt", name="greet"), {"name": "name", "value": "A"})
        assert found.completion.values == ["Ada", "Alan"]

    through(use, upstream("full"), mode=mode)


def test_progress_arrives_in_order(upstream: Upstreams) -> None:
    heard: list[tuple[float, float | None, str | None]] = []
    whole = asyncio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))
        if progress == 3:
            whole.set()

    async def use(client: Client) -> None:
        assert said(await client.call_tool("count", {"to": 3}, progress_callback=on_progress)) == "counted"
        await asyncio.wait_for(whole.wait(), PATIENCE_SECONDS)
        assert heard == [(1, 3, "at 1"), (2, 3, "at 2"), (3, 3, "at 3")]

    through(use, upstream("full"), mode="legacy")


@pytest.mark.parametrize("arguments", [(), ("modern",)], ids=["both eras", "the newer era only"])
@pytest.mark.parametrize("mode", ERAS)
def test_a_question_of_the_server_reaches_the_client(upstream: Upstreams, mode: str, arguments: tuple[str, ...]) -> None:
    async def use(client: Client) -> None:
        assert said(await client.call_tool("confirm", {})) == "sure: True"

    through(use, upstream("full", *arguments), mode=mode, elicitation_callback=accept)


@pytest.mark.parametrize("many_clients", [False, True])
@pytest.mark.parametrize("mode", ERAS)
def test_a_question_in_the_middle_of_a_call_of_an_older_server(upstream: Upstreams, mode: str, many_clients: bool) -> None:
    async def use(client: Client) -> None:
        assert '"colour": "red"' in said(await client.call_tool("ask", {}))
        assert said(await client.call_tool("echo", {"text": "still there"})) == "still there"

    through(use, upstream("old"), mode=mode, many_clients=many_clients, elicitation_callback=accept)


@pytest.mark.parametrize("mode", ERAS)
def test_a_client_that_takes_no_questions_is_not_asked(upstream: Upstreams, mode: str) -> None:
    async def use(client: Client) -> None:
        assert "error" in said(await client.call_tool("ask", {})) or "not" in said(await client.call_tool("ask", {}))

    through(use, upstream("old"), mode=mode)


def test_what_the_protocol_does_not_know_is_passed_on_between_clients_and_servers_of_one_era(upstream: Upstreams) -> None:
    async def use(client: Client) -> None:
        page = await raw_request(client.session, "tools/list", {}, 60.0)
        assert page["tools"][0]["vendorField"] == {"deep": [1]}
        assert page["tools"][0]["inputSchema"]["x-vendor"] == {"kept": True}

    async def main() -> None:
        async with passing(upstream("old")) as gateway, Client(gateway.server, mode="legacy") as client:
            await use(client)

    asyncio.run(main())


@pytest.mark.parametrize("mode", ERAS)
def test_errors_come_as_the_server_sent_them(upstream: Upstreams, mode: str) -> None:
    async def use(client: Client) -> None:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("fail", {})
        assert (caught.value.code, caught.value.message) == (-32099, "not today")
        assert caught.value.error.data == {"until": "tomorrow"}

    through(use, upstream("old"), mode=mode)


@pytest.mark.parametrize("mode", ERAS)
def test_a_malformed_tool_does_not_spoil_the_list(upstream: Upstreams, mode: str) -> None:
    async def use(client: Client) -> None:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["echo", "ask", "fail"]

    through(use, upstream("old"), mode=mode)


@pytest.mark.parametrize("mode", ERAS)
def test_tools_that_the_configuration_leaves_out_can_be_neither_seen_nor_called(upstream: Upstreams, mode: str) -> None:
    async def use(client: Client) -> None:
        assert "echo" not in [tool.name for tool in (await client.list_tools()).tools]
        with pytest.raises(MCPError, match="Unknown tool: echo"):
            await client.call_tool("echo", {"text": "x"})

    through(use, upstream("full", exclude_tools=frozenset({"echo"})), mode=mode)


@pytest.mark.parametrize("mode", ERAS)
def test_tools_of_several_servers_carry_the_name_of_their_server(upstream: Upstreams, mode: str) -> None:
    async def use(client: Client) -> None:
        names, cursor = [], None
        while True:
            page = await client.list_tools(cursor=cursor)
            names += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert {"full__echo", "old__echo", "old__fail"} <= set(names) and len(names) == len(set(names))
        assert said(await client.call_tool("full__echo", {"text": "new"})) == "new"
        assert said(await client.call_tool("old__echo", {"text": "old"})) == "old"
        assert (await client.read_resource("test://note")).contents[0].text == "a note"  # type: ignore[union-attr]
        assert (await client.get_prompt("full__greet", {"name": "Ada"})).messages
        with pytest.raises(MCPError, match="Unknown name: nobody__echo"):
            await client.call_tool("nobody__echo", {})

    through(use, upstream("full"), upstream("old"), mode=mode)


def test_a_server_that_cannot_start_leaves_the_others_usable(upstream: Upstreams) -> None:
    async def use(client: Client) -> None:
        assert said(await client.call_tool("old__echo", {"text": "here"})) == "here"
        with pytest.raises(MCPError, match="command not found"):
            await client.call_tool("gone__anything", {})

    from atlas.tools_registry import ServerConfig

    through(use, ServerConfig("gone", command="no-such-command-of-any-kind"), upstream("old"))


def test_a_changed_tool_list_is_told_to_a_client_of_the_older_era(upstream: Upstreams) -> None:
    changed = asyncio.Event()

    async def on_message(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            changed.set()

    async def use(client: Client) -> None:
        await client.call_tool("grow", {})
        await asyncio.wait_for(changed.wait(), PATIENCE_SECONDS)
        assert "grown" in [tool.name for tool in (await client.list_tools()).tools]

    for arguments in ((), ("modern",)):
        changed = asyncio.Event()
        through(use, upstream("full", *arguments), mode="legacy", message_handler=on_message)


def test_a_server_that_does_not_acknowledge_a_subscription_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        modern = True
        listened = False

        @asynccontextmanager
        async def listen(self, **wanted: Any) -> AsyncIterator[None]:
            self.listened = True
            await asyncio.Event().wait()
            yield

    async def main() -> None:
        monkeypatch.setattr(peer, "_ACKNOWLEDGE_SECONDS", 0.01)
        asker = peer.Peer([ServerConfig("silent", command="nothing")], None, many_clients=False, session=object())
        (server,), client = asker.upstreams, Silent()

        async def there() -> Silent:
            return client

        monkeypatch.setattr(server, "client", there)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await asker.request(server, cast(Any, None), "resources/subscribe", {"uri": "test://note"}) == {}
            assert client.listened
            await asker.close()

    asyncio.run(main())


def test_a_changed_tool_list_is_told_to_whoever_listens(upstream: Upstreams) -> None:
    async def use(client: Client) -> None:
        async with client.listen(tools_list_changed=True) as changes:
            await client.call_tool("grow", {})
            await asyncio.wait_for(anext(aiter(changes)), PATIENCE_SECONDS)
        assert "grown" in [tool.name for tool in (await client.list_tools(cache_mode="refresh")).tools]

    through(use, upstream("full"))


@pytest.mark.parametrize("mode", ERAS)
def test_a_call_that_the_client_gives_up_is_cancelled_on_the_server(upstream: Upstreams, tmp_path: Path, mode: str) -> None:
    mark = tmp_path / "mark"

    async def use(client: Client) -> None:
        call = asyncio.ensure_future(client.call_tool("wait", {"mark": str(mark)}))
        await exists(mark)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await exists(tmp_path / "mark.cancelled")
        assert said(await client.call_tool("echo", {"text": "on"})) == "on"

    through(use, upstream("full"), mode=mode)


@pytest.mark.parametrize("mode", ERAS)
def test_a_server_that_dies_is_started_anew_by_the_next_request(upstream: Upstreams, mode: str) -> None:
    async def use(client: Client) -> None:
        with pytest.raises(MCPError, match="Connection closed"):
            await client.call_tool("die", {})
        assert said(await client.call_tool("echo", {"text": "again"})) == "again"

    through(use, upstream("full"), mode=mode)


def test_each_client_of_the_older_era_has_a_server_of_its_own(upstream: Upstreams) -> None:
    async def main() -> None:
        async with passing(upstream("full"), many_clients=True) as gateway:
            async with Client(gateway.server, mode="legacy") as one, Client(gateway.server, mode="legacy") as other:
                assert said(await one.call_tool("pid", {})) != said(await other.call_tool("pid", {}))
                with pytest.raises(MCPError, match="Connection closed"):
                    await one.call_tool("die", {})
                assert said(await other.call_tool("echo", {"text": "untouched"})) == "untouched"
            await gone(gateway)

    asyncio.run(main())


def test_a_client_that_introduces_itself_anew_leaves_no_server_of_its_first_time(upstream: Upstreams) -> None:
    async def main() -> None:
        async with (
            passing(upstream("full"), clients=1) as gateway,
            Client(gateway.server, mode="legacy") as client,
        ):
            first = said(await client.call_tool("pid", {}))
            again = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "again", "version": "1"}}
            await raw_request(client.session, "initialize", again, PATIENCE_SECONDS)
            assert said(await client.call_tool("pid", {})) != first
            await asyncio.to_thread(until, lambda: len(upstream.processes()) == 1)

    asyncio.run(main())


async def gone(gateway: PassThrough) -> None:
    """Wait until the gateway has let go of its clients."""
    await asyncio.to_thread(until, lambda: not (gateway._legacy or gateway._closing))


async def exists(path: Path) -> None:
    """Wait until another process has made a file."""
    await asyncio.to_thread(until, path.exists)
