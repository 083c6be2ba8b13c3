"""The registry over servers that behave: what is started when, what is known from before, and how calls go."""

import asyncio
import importlib.util
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from atlas.tools_registry import (
    ArgumentError,
    Catalogue,
    Registry,
    ServerConfig,
    ServerTimeout,
    ToolFailed,
    UnknownTool,
    stub,
)

Script = Callable[..., ServerConfig]
KNOWN = Catalogue()
"""Shared by the tests whose server is slow to start."""
MODERN = Path(__file__).parent / "servers" / "modern.py"


def run(use: Callable[[Registry], Awaitable[Any]], *servers: ServerConfig, **options: Any) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(120), Registry(servers, **options) as registry:
            return await use(registry)

    return asyncio.run(main())


def own_server() -> Any:
    spec = importlib.util.spec_from_file_location("modern_server", MODERN)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.server


async def names(registry: Registry) -> list[str]:
    return sorted(registry.tools)


# servers of this process


def test_an_own_server_is_known_without_being_started_and_its_hints_are_believed() -> None:
    async def use(registry: Registry) -> None:
        tool = registry.tools["calc.add"]
        assert stub(tool) == "def calc.add(a: int, b: int = 1) -> int  # Add two numbers."
        assert tool.read_only and tool.idempotent
        assert await registry.call(tool, {"a": 20, "b": 22}) == 42
        assert registry.started == []
        (info,) = registry.servers
        assert (info.name, info.instructions, info.in_process, info.problem) == ("calc", "Ask away.", True, None)

    run(use, in_process={"calc": own_server()})


def test_structured_results_are_unwrapped_and_dicts_stay() -> None:
    async def use(registry: Registry) -> None:
        picked = await registry.call(registry.tools["m.pick"], {"colour": "red", "sizes": None})
        assert picked == {"colour": "red", "sizes": None}

    run(use, in_process={"m": own_server()})


def test_the_kind_at_the_end_of_an_own_error_text_becomes_the_kind() -> None:
    async def use(registry: Registry) -> None:
        with pytest.raises(ToolFailed) as caught:
            await registry.call(registry.tools["m.refuse"], {})
        assert (caught.value.kind, caught.value.message) == ("not_found", "no such thing: x")

    run(use, in_process={"m": own_server()})


def test_calls_run_at_the_same_time() -> None:
    async def use(registry: Registry) -> None:
        tool = registry.tools["m.meet"]
        assert await asyncio.gather(*(registry.call(tool, {"people": 5}) for _ in range(5))) == [5] * 5

    run(use, in_process={"m": own_server()})


def test_a_low_level_server_can_be_given_too() -> None:
    import mcp.types as types
    from mcp.server import Server

    async def listed(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name="hi-there", input_schema={"type": "object"})])

    async def called(context: Any, params: Any) -> types.CallToolResult:
        return types.CallToolResult(content=[types.TextContent(type="text", text=f"{params.name}!")])

    async def use(registry: Registry) -> None:
        assert await registry.call(registry.tools["low.hi_there"], {}) == "hi-there!"

    run(use, in_process={"low": Server("low", on_list_tools=listed, on_call_tool=called)})


# servers of other processes


def test_only_the_called_server_is_started(script: Script) -> None:
    async def use(registry: Registry) -> None:
        assert registry.started == []
        assert await registry.call(registry.tools["b.number"], {}) == 42
        assert registry.started == ["b"]

    run(use, *(script("plain", name=name) for name in "abc"))


def test_a_server_seen_before_is_not_started_to_be_known(script: Script, tmp_path: Path) -> None:
    pid_file = tmp_path / "catalogue.sqlite"
    first = run(names, script("plain"), catalogue=Catalogue(pid_file))
    config = script("plain")
    moved = ServerConfig("plain", command=config.command, args=config.args, env=config.env)
    told: list[str] = []
    assert run(names, moved, catalogue=Catalogue(pid_file), on_progress=told.append) == first
    assert told == []


def test_a_list_that_changed_since_is_noticed_at_the_first_connection(script: Script, tmp_path: Path) -> None:
    grown, path = tmp_path / "grown", tmp_path / "catalogue.sqlite"
    config = script("plain", "growing", env={"GROWN": str(grown)})
    assert "plain.new" not in run(names, config, catalogue=Catalogue(path))
    grown.touch()
    assert "plain.new" not in run(names, config, catalogue=Catalogue(path))

    async def use(registry: Registry) -> object:
        await registry.call(registry.tools["plain.number"], {})
        assert registry.search("new")[0].tool.full_name == "plain.new"
        return await registry.call(registry.tools["plain.new"], {"text": "hello"})

    assert run(use, config, catalogue=Catalogue(path)) == "hello"
    assert "plain.new" in run(names, config, catalogue=Catalogue(path))


def test_refresh_lists_again(script: Script, tmp_path: Path) -> None:
    grown, path = tmp_path / "grown", tmp_path / "catalogue.sqlite"
    config = script("plain", "growing", env={"GROWN": str(grown)})
    run(names, config, catalogue=Catalogue(path))
    grown.touch()

    async def use(registry: Registry) -> None:
        await registry.refresh("plain")
        assert "plain.new" in registry.tools
        assert registry.started == []
        with pytest.raises(UnknownTool):
            await registry.refresh("plane")

    run(use, config, catalogue=Catalogue(path))


def test_refresh_does_not_ask_again_what_was_asked_at_the_opening(script: Script) -> None:
    told: list[str] = []

    async def use(registry: Registry) -> None:
        await registry.refresh()
        assert told == ["listing the tools of plain"]
        await registry.refresh()
        assert len(told) == 2

    run(use, script("plain"), on_progress=told.append)


def test_a_notice_that_the_list_changed_is_heeded_by_the_next_call(script: Script, tmp_path: Path) -> None:
    grown = tmp_path / "grown"

    async def use(registry: Registry) -> None:
        await registry.call(registry.tools["plain.number"], {})
        grown.touch()
        await registry.call(registry.tools["plain.late"], {})
        await registry.call(registry.tools["plain.number"], {})
        assert "plain.new" in registry.tools

    run(use, script("plain", "growing", env={"GROWN": str(grown)}))


def test_a_current_server_tells_of_changes_through_a_subscription(script: Script) -> None:
    async def use(registry: Registry) -> None:
        await registry.call(registry.tools["modern.grow"], {})
        async with asyncio.timeout(60):
            while "modern.grown" not in registry.tools:
                await registry.call(registry.tools["modern.add"], {"a": 1})
        assert await registry.call(registry.tools["modern.grown"], {}) == "grown"

    run(use, script("modern"), catalogue=KNOWN)


def test_a_time_out_cancels_the_call_on_the_server(script: Script) -> None:
    async def use(registry: Registry) -> None:
        assert registry.servers[0].protocol == "2026-07-28"
        with pytest.raises(ServerTimeout):
            await registry.call(registry.tools["modern.wait"], {"seconds": 60}, timeout_seconds=0.2)
        async with asyncio.timeout(60):
            while await registry.call(registry.tools["modern.count_cancelled"], {}) == 0:
                pass

    run(use, script("modern"), catalogue=KNOWN)


def test_cancelling_the_caller_cancels_the_call_on_the_server(script: Script) -> None:
    async def use(registry: Registry) -> None:
        call = asyncio.create_task(registry.call(registry.tools["modern.wait"], {"seconds": 60}))
        while not registry.started or not await registry.call(registry.tools["modern.add"], {"a": 1}):
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(60):
            while await registry.call(registry.tools["modern.count_cancelled"], {}) == 0:
                pass

    run(use, script("modern"), catalogue=KNOWN)


def test_a_child_sees_the_variables_of_its_configuration_and_none_of_ours(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "x")

    async def use(registry: Registry) -> object:
        return await registry.call(registry.tools["plain.environment"], {})

    seen = run(use, script("plain", env={"GIVEN": "1"}))
    assert "GIVEN" in seen
    assert "SECRET_OF_OURS" not in seen


def test_hints_of_a_foreign_server_count_only_when_the_user_trusts_them(script: Script) -> None:
    async def use(registry: Registry) -> tuple[bool, bool]:
        return registry.tools["modern.add"].read_only, registry.tools["modern.wait"].idempotent

    assert run(use, script("modern"), catalogue=KNOWN) == (False, False)
    trusted = script("modern", trust_hints=True, idempotent_tools=frozenset({"wait"}))
    assert run(use, trusted, catalogue=KNOWN) == (True, True)


def test_included_and_excluded_tools(script: Script) -> None:
    assert run(names, script("plain", include_tools=frozenset({"echo", "pid"}))) == ["plain.echo", "plain.pid"]
    config = script("plain", include_tools=frozenset({"echo", "pid"}), exclude_tools=frozenset({"pid"}))
    assert run(names, config) == ["plain.echo"]


# names and arguments


def test_servers_with_clashing_names_get_suffixes(script: Script) -> None:
    async def use(registry: Registry) -> list[tuple[str, str]]:
        return [(server.name, server.server_name) for server in registry.servers]

    servers = [script("plain", "pages", name=name) for name in ("files", "print", "a-b", "a_b")]
    assert run(use, *servers, in_process={"files": own_server()}) == [
        ("files", "files"),
        ("files_2", "files"),
        ("print_2", "print"),
        ("a_b_2", "a-b"),
        ("a_b", "a_b"),
    ]


def test_a_server_given_twice_is_one_server(script: Script) -> None:
    async def use(registry: Registry) -> int:
        return len(registry.servers)

    config = script("plain")
    assert run(use, config, config) == 1


def test_wrong_arguments_are_refused_before_anything_is_started(script: Script) -> None:
    async def use(registry: Registry) -> None:
        with pytest.raises(ArgumentError) as caught:
            await registry.call(registry.tools["plain.echo"], {"txt": "x"})
        assert "no parameter 'txt', did you mean 'text'?" in caught.value.message
        assert registry.started == []

    run(use, script("plain"))


def test_unknown_tools_are_answered_with_near_ones() -> None:
    async def use(registry: Registry) -> None:
        assert registry.nearest("calc.ad")[0] == "calc.add"
        assert registry.nearest("other.pick")[0] == "calc.pick"
        with pytest.raises(UnknownTool) as caught:
            registry.tool("calc.refused")
        assert "did you mean calc.refuse" in caught.value.message

    run(use, in_process={"calc": own_server()})


def test_results_are_plain_json_values() -> None:
    async def use(registry: Registry) -> None:
        for name, arguments in (("add", {"a": 1}), ("pick", {"colour": "green"}), ("environment", {"name": "PATH"})):
            json.dumps(await registry.call(registry.tools[f"m.{name}"], arguments))

    run(use, in_process={"m": own_server()})


def test_an_empty_registry_is_a_registry() -> None:
    async def use(registry: Registry) -> None:
        assert (dict(registry.tools), registry.search("x"), registry.first_view("x"), registry.nearest("a.b")) == (
            {},
            [],
            [],
            [],
        )

    run(use)
