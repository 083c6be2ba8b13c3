"""`atlas mcp` and what `atlas doctor` says of servers."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from atlas.tools_registry import ConfigError
from atlas.tools_registry.editing import add_server, remove_server

from .conftest import Atlas

COMMENTED = """{
  // my servers
  "theme": "dark", /* kept */
  "mcpServers": {
    "one": {"command": "a", "extra": [1, 2]}, // first
    'two': {command: "b // no comment"}
  }
}
"""


def test_a_server_is_added_listed_and_removed(atlas: Atlas, atlas_home: str) -> None:
    file = Path(atlas_home) / "mcp.json"
    assert atlas("mcp", "add", "far", "https://u:secret@host.example/mcp?key=secret", "--header", "X-Key: secret").code == 0
    assert atlas("mcp", "add", "near", "--env", "A=${B:-c}", "--", "command", "-x").code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    said = json.loads(file.read_text())["mcpServers"]
    assert said["near"] == {"command": "command", "args": ["-x"], "env": {"A": "${B:-c}"}}
    listed = atlas("mcp", "list", "--json")
    assert [one["server"] for one in listed.lines] == ["far", "near"] and "secret" not in listed.out
    again = atlas("mcp", "add", "near", "--", "other")
    assert again.code == 2 and "there is a server 'near' already" in again.err
    assert atlas("mcp", "remove", "far").code == 0
    assert list(json.loads(file.read_text())["mcpServers"]) == ["near"]
    assert atlas("mcp", "remove", "far").code == 2


def test_comments_and_unknown_keys_stay(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text(COMMENTED)
    add_server(file, "three", {"command": "c"})
    text = file.read_text()
    for kept in ("// my servers", '"theme": "dark", /* kept */', "// first", '"extra": [1, 2]', "b // no comment"):
        assert kept in text
    remove_server(file, "three")
    remove_server(file, "one")
    assert (
        "b // no comment" in file.read_text() and '"extra"' not in file.read_text() and "// my servers" in file.read_text()
    )


@pytest.mark.parametrize("text", ['{"mcpServers": [', '{"mcpServers": 5}', "", "[]"])
def test_a_file_that_is_not_understood_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mcp.json"
    file.write_text(text)
    with pytest.raises(ConfigError):
        add_server(file, "new", {"command": "c"})
    assert file.read_text() == text and [one.name for one in tmp_path.iterdir()] == ["mcp.json"]


def test_changing_a_trusted_file_leaves_it_trusted_and_no_other(atlas: Atlas, tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}}')
    said = atlas("mcp", "add", "a", "--file", "mcp.json", "--", "command")
    assert said.code == 0 and "not trusted" in said.err
    assert atlas("trust").code == 0
    assert "not trusted" not in atlas("mcp", "add", "b", "--file", "mcp.json", "--", "command").err
    assert [one["used"] for one in atlas("mcp", "list", "--json").lines] == [True, True]


@pytest.mark.slow
def test_doctor_says_what_a_server_costs_and_starts_none_when_told_so(atlas: Atlas, tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "tools_registry" / "servers" / "modern.py"
    servers = {"modern": {"command": sys.executable, "args": [str(script)]}, "gone": {"command": "no-such-command"}}
    (tmp_path / "servers.json").write_text(json.dumps({"mcpServers": servers}))

    def found(*options: str) -> dict[str, str]:
        lines = atlas("doctor", "--mcp", "servers.json", "--json", *options).lines
        return {one["check"]: f"{one['state']} {one['detail']}" for one in lines if one["check"].startswith("server ")}

    before = found("--no-start")
    assert before == {"server modern": "ok not known yet, not started", "server gone": "ok not known yet, not started"}
    measured = found()
    assert "9 tools, about" in measured["server modern"] and "s to start" in measured["server modern"]
    assert measured["server gone"].startswith("wrong") and "command not found" in measured["server gone"]
    assert "9 tools" in found("--no-start")["server modern"]
