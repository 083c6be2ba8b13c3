"""The toolspace of a registry with its catalogue on disk: known servers are neither started nor read."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atlas.tools_registry import Catalogue, Registry, ServerConfig, Tool, stub
from atlas.tools_registry.cards import card, packed, unpacked
from atlas.tools_registry.listing import ListedTool, Listing
from atlas.tools_registry.server import Server

from ..waiting import PATIENCE_SECONDS, side_by_side

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["days"]}
CONFIGS = [ServerConfig(name, command=f"/nowhere/to/be/started/{name}") for name in ("weather", "mail", "crm")]


def listing(server: str, *names: str) -> Listing:
    return Listing(tuple(ListedTool(name, f"{name} of {server}.", SCHEMA) for name in names), (), f"All about {server}.")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A catalogue that knows three servers."""
    path = tmp_path / "catalogue.db"
    known = (("weather", "get-forecast", "get-alerts"), ("mail", "send_message"), ("crm", "find_clients", "add_client"))
    for config, (server, *names) in zip(CONFIGS, known, strict=True):
        Catalogue(path).put(config.fingerprint, server, listing(server, *names), "auto")
    return path


def ask(file: Path, use: Callable[[Registry], Any], configs: list[ServerConfig] = CONFIGS) -> Any:
    async def main() -> Any:
        async with Registry(configs, catalogue=Catalogue(file)) as registry:
            return use(registry)

    return asyncio.run(main())


def everything(registry: Registry) -> list[object]:
    return [
        list(registry.tools), dict(registry.cards), registry.search("clients"), registry.view("forecast, then mail it"),
        registry.tools["weather.get_forecast"], registry.nearest("weather.get_forcast"), registry.servers,
    ]  # fmt: skip


def found(registry: Registry) -> list[object]:
    hits = [*registry.search("clients"), *registry.view("forecast, then mail it")]
    return [list(registry.tools), dict(registry.cards), [hit.tool for hit in hits]]


def test_a_second_run_reads_no_listing_and_sees_the_same(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(file, everything)
    names = "weather.get_forecast weather.get_alerts mail.send_message crm.find_clients crm.add_client"
    assert first[0] == names.split()

    def never(*_: object) -> None:
        raise AssertionError("a listing was read")

    monkeypatch.setattr(Catalogue, "listing", never)
    assert ask(file, everything) == first


def test_only_the_tools_asked_for_are_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from atlas.tools_registry import stored

    ask(file, everything)
    read: list[str] = []
    whole = stored._tool

    def noted(text: str) -> Tool:
        tool = whole(text)
        read.append(tool.full_name)
        return tool

    monkeypatch.setattr(stored, "_tool", noted)
    assert ask(file, lambda registry: [hit.tool.full_name for hit in registry.search("add client", 1)]) == ["crm.add_client"]
    assert read == ["crm.add_client"]


def test_what_one_server_lists_anew_makes_no_other_be_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(file, everything)
    Catalogue(file).put(CONFIGS[1].fingerprint, "mail", listing("mail", "send_message", "list_messages"), "auto")
    read: list[str] = []
    tools = Server.tools.fget
    assert tools is not None
    monkeypatch.setattr(Server, "tools", property(lambda server: (read.append(server.name), tools(server))[1]))
    assert "mail.list_messages" in ask(file, lambda registry: list(registry.tools))
    assert set(read) == {"mail"}


def test_the_configuration_of_a_server_decides_what_its_tools_are(file: Path) -> None:
    ask(file, everything)
    trusted = ServerConfig(
        "weather", command=CONFIGS[0].command, exclude_tools=frozenset({"get-alerts"}),
        idempotent_tools=frozenset({"get-forecast"}),
    )  # fmt: skip

    def use(registry: Registry) -> Any:
        return list(registry.tools), registry.tools["weather.get_forecast"].idempotent, registry.servers[0].tool_count

    assert ask(file, use, [trusted]) == (["weather.get_forecast"], True, 1)
    assert ask(file, lambda registry: registry.tools["weather.get_forecast"].idempotent, CONFIGS) is False


def test_a_file_that_cannot_be_written_leaves_the_tools_in_memory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    from atlas.tools_registry import stored

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(stored, "store_space", full)
    in_memory = ask(file, found)
    monkeypatch.undo()
    assert in_memory == ask(file, found)


PROCESS = """
import asyncio, sys
from atlas.tools_registry import Catalogue, Registry, ServerConfig
from atlas.tools_registry.listing import ListedTool, Listing
file, own = sys.argv[1:]
shared = ServerConfig("shared", command="/nowhere")
mine = ServerConfig(own, command="/nowhere/" + own)
async def main():
    for turn in range(6):
        catalogue = Catalogue(file)
        names = [f"{own}_{number}" for number in range(turn + 1)]
        catalogue.put(mine.fingerprint, own, Listing(tuple(ListedTool(name, "", {}) for name in names)), "auto")
        catalogue.put(shared.fingerprint, "shared", Listing((ListedTool("same", "", {}),)), "auto")
        async with Registry([shared, mine], catalogue=catalogue) as registry:
            assert list(registry.tools) == ["shared.same", *(f"{own}.{name}" for name in names)], list(registry.tools)
            assert registry.search(names[-1], 1)[0].tool.tool_name == names[-1]
            assert not registry.warnings, registry.warnings
asyncio.run(main())
"""


def test_several_processes_share_one_catalogue(tmp_path: Path) -> None:
    names = ("planes", "rockets", "bicycles")
    with side_by_side([sys.executable, "-c", PROCESS, str(tmp_path / "c.db"), own] for own in names) as running:
        for one in running:
            _, error = one.communicate(timeout=PATIENCE_SECONDS)
            assert one.returncode == 0, error


def test_a_card_says_what_programs_must_know_and_no_more() -> None:
    properties = {
        "a-b": {"type": "string", "enum": ["x", "y"], "description": "long " * 100},
        "deep": {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "T"}},
        "many": {"enum": [str(number) for number in range(500)]},
        "odd": True,
    }
    tool = Tool("s", "t", "Does.", {"type": "object", "properties": properties, "required": ["deep"]})
    one = card(tool)
    assert one.parameters == tool.parameters == ("deep", "a_b", "many", "odd")
    assert one.schema == {
        "properties": {
            "deep": {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
            "a_b": {"type": "string", "enum": ["x", "y"]}, "many": {}, "odd": {},
        },
        "required": ["deep"],
    }  # fmt: skip
    assert unpacked(packed([one])) == [one]


def test_a_card_and_the_whole_schema_mean_the_same_to_the_sandbox() -> None:
    from atlas.sandbox.wire import tool_spec
    from atlas.tools_registry.toolbox import toolbox_tools

    for tool in toolbox_tools():
        assert tool_spec(card(tool).schema) == tool_spec(tool.program_schema), stub(tool)


@pytest.mark.parametrize("more", [{}, {"additionalProperties": False}])
def test_a_program_may_give_names_that_only_a_pattern_describes(more: dict[str, Any]) -> None:
    from atlas.sandbox import Limits, Sandbox

    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "patternProperties": {"^x_": {}}, **more}
    one = card(Tool("s", "t", "Does.", schema))
    with Sandbox(Limits(wall_seconds=20)) as sandbox:
        outcome = sandbox.run('s.t(x_b="1")', tools={"s.t": one.schema}, call=lambda tool, arguments: arguments)
    assert (outcome.status, outcome.value) == ("ok", {"x_b": "1"})
