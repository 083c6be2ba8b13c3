"""The toolspace as four tools: state of each client, approvals by its user, and bounds for whatever it sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp.types as types
import pytest
from mcp import Client, MCPError

from atlas.runtime.gateway.four_tools import FourTools
from atlas.runtime.gateway.limits import GatewayLimits
from atlas.runtime.policies.scripted import ScriptedPolicy

ERAS = ("auto", "legacy")
WRITE = "files.write(path='made.txt', content='x')"


@asynccontextmanager
async def opened(
    workspace: Path, *, many_clients: bool = False, replies: Any = (), **limits: Any
) -> AsyncIterator[FourTools]:
    """A gateway of this process over a workspace, with a scripted model."""
    options = {"model": ScriptedPolicy(list(replies)), "workspace": workspace, "budget": 6_000}
    gateway = FourTools(options, approve="ask", many_clients=many_clients, limits=GatewayLimits(**limits))
    try:
        async with asyncio.timeout(120):
            await gateway.open()
            yield gateway
    finally:
        await gateway.close()


async def ran(client: Client, program: str, **more: str) -> dict[str, Any]:
    """What came of a program."""
    result = await client.call_tool("run_program", {"program": program, **more})
    assert result.structured_content is not None
    return dict(result.structured_content)


def deciding(decision: str, asked: list[str]) -> Any:
    """A user who always decides so."""

    async def answer(context: Any, params: Any) -> types.ElicitResult:
        asked.append(params.message)
        return types.ElicitResult(action="accept", content={"decision": decision})

    return answer


@pytest.mark.parametrize("mode", ERAS)
def test_tools_are_found_shown_and_called(workspace: Path, mode: str) -> None:
    async def main() -> None:
        async with opened(workspace) as gateway, Client(gateway.server, mode=mode) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            assert names == ["search_tools", "load_tools", "run_program", "run_task"]
            found = (await client.call_tool("search_tools", {"query": "count words of a file", "k": 3})).structured_content
            assert found is not None and found["tools"][0].startswith("text.count")
            shown = (await client.call_tool("load_tools", {"names": ["text.count"]})).structured_content
            assert shown is not None and "def text.count(path: str" in shown["stubs"][0]
            assert (await ran(client, "words = text.count(path='notes.md', what='words')"))["status"] == "ok"
            assert (await ran(client, "words"))["value"] == 4

    asyncio.run(main())


@pytest.mark.parametrize("mode", ERAS)
def test_a_call_that_may_change_something_is_put_to_the_user_of_the_client(workspace: Path, mode: str) -> None:
    asked: list[str] = []

    async def main() -> None:
        async with opened(workspace) as gateway:
            allow, refuse = deciding("allow this call", asked), deciding("refuse", asked)
            async with Client(gateway.server, mode=mode, elicitation_callback=refuse) as client:
                said = await ran(client, f"try:\n    {WRITE}\nexcept ToolError as error:\n    answer(error.kind)")
                assert said["value"] == "denied" and not (workspace / "made.txt").exists()
            async with Client(gateway.server, mode=mode) as client:
                said = await ran(client, WRITE)
                assert said["status"] == "error" and "cannot ask its user" in said["error"]["message"]
            assert len(asked) == 1 and "files.write" in asked[0] and "made.txt" in asked[0]
            async with Client(gateway.server, mode=mode, elicitation_callback=allow) as client:
                assert (await ran(client, WRITE))["status"] == "ok"
        assert (workspace / "made.txt").read_text() == "x"

    asyncio.run(main())


def test_two_clients_have_nothing_of_each_other(workspace: Path) -> None:
    async def main() -> None:
        async with opened(workspace, many_clients=True) as gateway:
            async with Client(gateway.server, mode="legacy") as one, Client(gateway.server, mode="legacy") as other:
                await asyncio.gather(ran(one, "x = 'one'"), ran(other, "x = 'other'"))
                assert [(await ran(client, "x"))["value"] for client in (one, other)] == ["one", "other"]
                await one.call_tool("load_tools", {"names": ["files.read"]})
                assert sorted(bench.loaded for bench in gateway._clients._benches.values()) == [(), ("files.read",)]
            assert not gateway._clients._benches

    asyncio.run(main())


def test_requests_that_stand_each_for_itself_find_their_variables_by_the_session(workspace: Path) -> None:
    async def main() -> None:
        async with opened(workspace, many_clients=True, clients=2) as gateway, Client(gateway.server) as client:
            first = await ran(client, "x = 1")
            second = await ran(client, "x = 2")
            assert first["session"] != second["session"]
            assert (await ran(client, "x", session=first["session"]))["value"] == 1
            await ran(client, "x = 3")  # the one that was not used for longest makes room
            with pytest.raises(MCPError, match="unknown or ended session"):
                await ran(client, "x", session=second["session"])
            assert (await ran(client, "x", session=first["session"]))["value"] == 1

    asyncio.run(main())


def test_one_client_too_many_is_refused(workspace: Path) -> None:
    async def main() -> None:
        async with opened(workspace, clients=1) as gateway, Client(gateway.server, mode="legacy") as first:
            await ran(first, "x = 1")
            async with Client(gateway.server, mode="legacy") as second:
                with pytest.raises(MCPError, match="clients are served already"):
                    await ran(second, "x")
            assert (await ran(first, "x"))["value"] == 1

    asyncio.run(main())


def test_hostile_programs_cost_the_gateway_nothing(workspace: Path) -> None:
    async def main() -> None:
        async with opened(workspace, result_bytes=4_000) as gateway, Client(gateway.server) as client:
            assert (await ran(client, "import os"))["status"] == "refused"
            assert (await ran(client, "().__class__.__bases__"))["status"] == "refused"
            assert (await ran(client, "#" * 70_000))["error"]["type"] == "ProgramTooLarge"
            assert (await ran(client, "x = [0]\nwhile True:\n    x = x + x"))["status"] in ("limit", "killed", "error")
            result = await client.call_tool("run_program", {"program": "'a' * 100_000"})
            assert len(result.content[0].text) < 5_000 and "cut" in result.content[0].text  # type: ignore[union-attr]
            assert (await ran(client, "1 + 1"))["value"] == 2

    asyncio.run(main())


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("run_program", {}, "'program' is a required property"),
        ("run_program", {"program": 5}, "run_program: program: 5 is not of type 'string'"),
        ("search_tools", {"query": "x", "k": 0}, "search_tools: k: 0 is less than the minimum"),
        ("load_tools", {"names": ["no.such"]}, "no tool 'no.such'"),
        ("run_task", {"task": ""}, "run_task: task"),
    ],
)
def test_wrong_arguments_are_named(workspace: Path, tool: str, arguments: dict[str, Any], says: str) -> None:
    async def main() -> None:
        async with opened(workspace) as gateway, Client(gateway.server) as client:
            result = await client.call_tool(tool, arguments)
            assert result.is_error and says in result.content[0].text  # type: ignore[union-attr]

    asyncio.run(main())


def test_a_task_is_done_by_the_model_of_the_gateway(workspace: Path) -> None:
    async def main() -> None:
        replies = ["```python\nanswer(text.count(path='notes.md', what='words'))\n```"]
        async with opened(workspace, replies=replies) as gateway, Client(gateway.server, mode="legacy") as client:
            said = (await client.call_tool("run_task", {"task": "How many words are in notes.md?"})).structured_content
            assert said is not None and (said["status"], said["answer"]) == ("answered", 4)

    asyncio.run(main())
