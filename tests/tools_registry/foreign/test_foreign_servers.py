"""MCP servers of other people, each in an environment of its own, from one configuration file.

Run by `make check-all`, which lets `install.sh` fill the folder that `ATLAS_FOREIGN` names.
"""

import asyncio
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from atlas.tools_registry import Catalogue, Registry, ToolFailed, load_config

pytestmark = pytest.mark.foreign

PYTHON_SERVERS = ("mcp-server-time", "mcp-server-git", "mcp-server-calculator")
NODE_SERVERS = ("filesystem", "memory", "everything")

TOKEN = secrets.token_hex(8)
Use = Callable[[Registry], Awaitable[Any]]


@pytest.fixture(scope="module")
def folder() -> Path:
    given = os.environ.get("ATLAS_FOREIGN")
    if not given:
        pytest.skip("ATLAS_FOREIGN names no folder")
    return Path(given).resolve()


@pytest.fixture(scope="module")
def workplace(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the configuration, a text file and a repository with one commit."""
    place = tmp_path_factory.mktemp("foreign")
    (place / "files").mkdir()
    (place / "files" / "hello.txt").write_text("hello from a file")
    git = ["git", "-C", str(place / "repo"), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", str(place / "repo")], check=True)
    (place / "repo" / "notes.md").write_text("notes")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "the first commit"], check=True)
    (place / "mcp.json").write_text(json.dumps({"mcpServers": _entries(place)}))
    return place


def _entries(place: Path) -> dict[str, Any]:
    python = {name.removeprefix("mcp-server-"): {"command": f"${{FOREIGN}}/{name}/bin/{name}"} for name in PYTHON_SERVERS}
    python["git"]["args"] = ["--repository", str(place / "repo")]  # type: ignore[assignment]
    modules = "${FOREIGN}/node/node_modules/@modelcontextprotocol"
    node: dict[str, Any] = {
        name: {"command": "node", "args": [f"{modules}/server-{name}/dist/index.js"]} for name in NODE_SERVERS
    }
    node["filesystem"]["args"].append(str(place / "files"))
    node["memory"]["env"] = {"MEMORY_FILE_PATH": str(place / "memory.json")}
    entries = python | (node if shutil.which("node") else {})
    for entry in entries.values():
        entry["env"] = {**entry.get("env", {}), "FOREIGN_TEST": TOKEN}
    return entries


@pytest.fixture(scope="module")
def run(folder: Path, workplace: Path) -> Callable[[Use], Any]:
    def running(use: Use) -> Any:
        async def main() -> Any:
            configs = load_config(workplace / "mcp.json", environment={"FOREIGN": str(folder)})
            catalogue = Catalogue(workplace / "catalogue.sqlite")
            async with asyncio.timeout(180), Registry(configs, catalogue=catalogue) as registry:
                return await use(registry)

        result = asyncio.run(main())
        assert left_running() == []
        return result

    return running


def left_running() -> list[bytes]:
    """Processes that were started from here and are still there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"FOREIGN_TEST={TOKEN}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes())
    return found


def needs_node() -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not there")


def called(run: Callable[[Use], Any], full_name: str, arguments: dict[str, Any]) -> Any:
    """The result of one call; only the server that was called may have been started for it."""

    async def use(registry: Registry) -> Any:
        assert registry.warnings == []
        value = await registry.call(registry.tool(full_name), arguments)
        assert registry.started == [full_name.partition(".")[0]]
        return value

    return run(use)


def test_all_of_them_list_their_tools(run: Callable[[Use], Any]) -> None:
    async def use(registry: Registry) -> dict[str, int]:
        assert registry.started == []
        return {server.name: server.tool_count for server in registry.servers if server.problem is None}

    counts = run(use)
    expected = {"time": 2, "git": 10, "calculator": 1, "filesystem": 10, "memory": 8, "everything": 8}
    for name in counts:
        assert counts[name] >= expected[name]
    assert len(counts) == (6 if shutil.which("node") else 3)


def test_time(run: Callable[[Use], Any]) -> None:
    arguments = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    value = called(run, "time.convert_time", arguments)
    assert value["time_difference"] == "+9.0h"
    assert "T21:00:00" in value["target"]["datetime"]


def test_git(run: Callable[[Use], Any], workplace: Path) -> None:
    assert "the first commit" in json.dumps(called(run, "git.git_log", {"repo_path": str(workplace / "repo")}))


def test_calculator(run: Callable[[Use], Any]) -> None:
    assert str(called(run, "calculator.calculate", {"expression": "2*21"})) == "42"


def test_filesystem(run: Callable[[Use], Any], workplace: Path) -> None:
    needs_node()
    value = called(run, "filesystem.read_text_file", {"path": str(workplace / "files" / "hello.txt")})
    assert "hello from a file" in json.dumps(value)

    async def outside(registry: Registry) -> None:
        with pytest.raises(ToolFailed) as caught:
            await registry.call(registry.tool("filesystem.read_text_file"), {"path": "/etc/passwd"})
        assert "outside" in caught.value.message

    run(outside)


def test_memory(run: Callable[[Use], Any]) -> None:
    needs_node()
    entity = {"name": "Atlas", "entityType": "project", "observations": ["runs"]}
    assert "Atlas" in json.dumps(called(run, "memory.create_entities", {"entities": [entity]}))
    assert "Atlas" in json.dumps(called(run, "memory.read_graph", {}))


def test_everything(run: Callable[[Use], Any]) -> None:
    needs_node()
    assert called(run, "everything.echo", {"message": "hi"}) == "Echo: hi"
