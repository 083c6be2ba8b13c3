"""The servers as a client of the MCP SDK sees them."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import subprocess
import sys
from importlib.resources import files

import pytest
from mcp import Client

from atlas.tools_registry.errors import ToolFailed
from atlas.tools_registry.results import native
from atlas.tools_registry.stubs import stub
from atlas.tools_registry.toolbox import child, toolbox_direct, toolbox_functions, toolbox_servers, toolbox_tools

LISTING = """
files.list(path: str = '.') -> list[str]
files.find(pattern: str) -> list[str]
files.read(path: str) -> str
files.write(path: str, content: str) -> str
files.append(path: str, content: str) -> str
files.move(source: str, target: str) -> str
files.copy(source: str, target: str) -> str
files.delete(path: str) -> str
files.make_folder(path: str) -> str
files.info(path: str) -> dict(path=str, kind=Literal['file', 'folder'], size=int, modified=str)
text.count(path: str, what: Literal['lines', 'words', 'chars'] = 'words') -> int
text.search(path: str, pattern: str, ignore_case: bool = False) -> list[dict(line=int, text=str)]
text.replace(path: str, old: str, new: str) -> int
text.extract(path: str, pattern: str) -> list[str]
tables.describe(path: str) -> dict(rows=int, columns=dict[str, str])
tables.sql(query: str) -> list[dict]
tables.write(path: str, rows: list[dict]) -> int
clock.now(timezone: str = 'UTC') -> str
clock.convert(time: str, source: str, target: str) -> str
clock.add(time: str, days: int = 0, hours: int = 0, minutes: int = 0) -> str
clock.difference(start: str, end: str, unit: Literal['days', 'hours', 'minutes', 'seconds'] = 'days') -> float
units.convert(value: float, source: str, target: str) -> float
""".strip().splitlines()


def test_the_listing_is_the_one_that_nano_was_trained_on():
    stubs = [stub(tool) for tool in toolbox_tools()]
    assert [line.removeprefix("def ").split("  # ")[0] for line in stubs] == LISTING
    for line in stubs:
        assert len(line.split("  # ")[1].split()) <= 10, line


def test_the_listing_is_what_the_servers_list(workspace):
    async def listed() -> dict[str, object]:
        tools = {}
        for name, server in toolbox_servers(workspace).items():
            async with asyncio.timeout(20), Client(server) as client:
                assert client.instructions
                for tool in (await client.list_tools()).tools:
                    tools[f"{name}.{tool.name}"] = tool
        return tools

    served = asyncio.run(listed())
    assert list(served) == [tool.full_name for tool in toolbox_tools()] == list(toolbox_functions(workspace))
    for tool in toolbox_tools():
        told = served[tool.full_name]
        assert (tool.description, tool.input_schema) == (told.description, told.input_schema)
        assert tool.output_schema == told.output_schema and tool.output_schema is not None
        assert tool.read_only == told.annotations.read_only_hint
        assert tool.idempotent == told.annotations.idempotent_hint


def test_listing_json_is_what_the_servers_list(workspace):
    async def listed() -> dict[str, object]:
        return {
            name: [tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in await server.list_tools()]
            for name, server in toolbox_servers(workspace).items()
        }

    now = json.dumps(asyncio.run(listed()), indent=1) + "\n"
    kept = (files("atlas.tools_registry.toolbox") / "listing.json").read_text(encoding="utf-8")
    assert kept == now, "the toolbox changed: write the right-hand text to listing.json (and train nano on the new tools)"


def test_hints_are_truthful():
    tools = {tool.full_name: tool for tool in toolbox_tools()}
    changing = {"files.write", "files.append", "files.move", "files.copy", "files.delete", "files.make_folder",
                "text.replace", "tables.write"}  # fmt: skip
    assert {name for name, tool in tools.items() if not tool.read_only} == changing
    repeatable = {"files.write", "files.copy", "files.make_folder", "tables.write"}
    assert {name for name in changing if tools[name].idempotent} == repeatable


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_calls_through_a_client(workspace, mode, caplog):
    async def use() -> list[object]:
        servers = toolbox_servers(workspace)
        results: list[object] = []
        async with asyncio.timeout(60):
            async with Client(servers["files"], mode=mode) as files, Client(servers["tables"], mode=mode) as tables:
                calls = [
                    (files, "list", {}),
                    (files, "write", {"path": "a.json", "content": '{"a": 1}'}),
                    (files, "read", {"path": "a.json"}),
                    (files, "info", {"path": "sales.csv"}),
                    (tables, "sql", {"query": "SELECT count(*) AS n FROM 'sales.csv'"}),
                    (tables, "describe", {"path": "sales.csv"}),
                    (tables, "write", {"path": "t.csv", "rows": [{"a": 1}]}),
                ]
                for client, name, arguments in calls:
                    result = await client.call_tool(name, arguments)
                    assert not result.is_error, result
                    results.append(result.structured_content)
                missing = await files.call_tool("read", {"path": "Notes.md"})
                results.append((missing.is_error, missing.content[0].text))
        return results

    listed, written, read, info, rows, described, count, missing = asyncio.run(use())
    assert listed == {"result": ["docs/", "notes.md", "sales.csv"]}
    assert written == {"result": "a.json"} and read == {"result": '{"a": 1}'}
    assert info["kind"] == "file" and info["size"] > 0
    assert rows == {"result": [{"n": 3}]} and count == {"result": 1}
    assert described["columns"]["name"] == "VARCHAR"
    assert missing == (True, "Error executing tool read: no such file: Notes.md (did you mean notes.md?) [not_found]")


CALLS = [
    ("files.list", {}),
    ("files.read", {"path": "Notes.md"}),
    ("files.info", {"path": "docs"}),
    ("files.delete", {"path": "../x"}),
    ("tables.sql", {"query": "SELECT * FROM 'sales.csv'"}),
    ("tables.sql", {"query": "SELECT 'x' AS a, 2.50 AS b, NULL AS c"}),
    ("tables.describe", {"path": "sales.csv"}),
    ("text.search", {"path": "notes.md", "pattern": "("}),
    ("units.convert", {"value": 5, "source": "km", "target": "m"}),
    ("units.convert", {"value": 5, "source": "km", "target": "kg"}),
    ("clock.now", {"timezone": "Mars"}),
    ("clock.difference", {"start": "2026-01-01", "end": "2026-03-01"}),
]


def test_a_direct_call_gives_what_the_client_of_the_server_gets(workspace):
    async def through_client(name: str, arguments: dict[str, object]) -> object:
        server, _, tool = name.partition(".")
        async with Client(toolbox_servers(workspace)[server]) as client:
            result = await client.call_tool(tool, arguments)
        schema = next(one.output_schema for one in toolbox_tools() if one.full_name == name)
        return native(result, tool=name, output_schema=schema, own=True)

    async def directly(name: str, arguments: dict[str, object]) -> object:
        server, _, tool = name.partition(".")
        direct = toolbox_direct(workspace)[server]
        try:
            return await direct.call(tool, arguments, timeout_seconds=20)
        finally:
            await direct.close()

    async def told(way, name: str, arguments: dict[str, object]) -> object:
        try:
            return await way(name, arguments)
        except ToolFailed as failure:
            return failure.kind, failure.message, failure.where

    for name, arguments in CALLS:
        expected = asyncio.run(told(through_client, name, arguments))
        assert asyncio.run(told(directly, name, arguments)) == expected, name
    assert child.PATTERNS.pid is None and child.QUERIES.pid is None


def test_a_result_over_the_limit_is_refused_by_a_direct_call(workspace):
    with pytest.raises(ToolFailed, match="more than the limit"):
        asyncio.run(toolbox_direct(workspace)["files"].call("list", {}, timeout_seconds=20, result_bytes=8))


def test_no_child_remains_when_the_last_client_closes(workspace):
    async def use() -> int | None:
        servers = toolbox_servers(workspace)
        async with asyncio.timeout(60), Client(servers["text"]) as text:
            async with Client(servers["tables"]) as tables:
                await text.call_tool("search", {"path": "notes.md", "pattern": "milk"})
                await tables.call_tool("sql", {"query": "SELECT 1 AS a"})
            return child.PATTERNS.pid

    assert asyncio.run(use()) is not None
    assert child.PATTERNS.pid is None and child.QUERIES.pid is None


def test_making_servers_leaves_the_logging_of_the_process_alone(workspace):
    before = list(logging.getLogger().handlers), logging.getLogger().level
    toolbox_servers(workspace)
    assert (list(logging.getLogger().handlers), logging.getLogger().level) == before


def test_functions_have_the_signatures_of_the_listing(workspace):
    functions = toolbox_functions(workspace)
    for tool in toolbox_tools():
        assert tuple(inspect.signature(functions[tool.full_name]).parameters) == tool.parameters


def test_the_toolbox_loads_neither_duckdb_nor_pint_nor_mcp_by_itself():
    source = (
        "import sys; from atlas.tools_registry.toolbox import toolbox_functions; toolbox_functions('.');"
        "print(sorted({'duckdb', 'pint', 'mcp'} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "[]\n"
