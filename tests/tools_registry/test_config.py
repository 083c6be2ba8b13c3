"""Configuration files as MCP users write them, and what a wrong one is answered with."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from atlas.tools_registry import ConfigError, ServerConfig, load_config


def write(folder: Path, content: Any, name: str = "mcp.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def one(folder: Path, entry: dict[str, Any], **environment: str) -> ServerConfig:
    (config,) = load_config(write(folder, {"mcpServers": {"s": entry}}), environment=environment)
    return config


def error(folder: Path, content: Any, **environment: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, content), environment=environment)
    assert caught.value.mend
    return caught.value


@pytest.mark.parametrize("key", ["mcpServers", "servers", "mcp_servers"])
def test_the_usual_keys(tmp_path: Path, key: str) -> None:
    (config,) = load_config(write(tmp_path, {key: {"time": {"command": "uvx", "args": ["mcp-server-time"]}}}))
    assert (config.name, config.transport, config.command, config.args) == ("time", "stdio", "uvx", ("mcp-server-time",))
    assert config.connect_seconds == 30


def test_comments_and_trailing_commas(tmp_path: Path) -> None:
    text = '// mine\n{"mcpServers": {\n  "a": {"command": "x", /* here */ "args": ["1",],},\n},}\n'
    (config,) = load_config(write(tmp_path, text))
    assert config.args == ("1",)
    assert config.source.endswith("mcp.json:3")


def test_toml_servers_at_the_root_and_nested_settings(tmp_path: Path) -> None:
    toml = write(tmp_path, '[mcp_servers.docs]\ncommand = "docs"\nargs = ["-x"]\n', "config.toml")
    assert load_config(toml)[0].args == ("-x",)
    assert load_config(write(tmp_path, {"a": {"command": "x"}}))[0].name == "a"
    assert load_config(write(tmp_path, {"editor": 1, "mcp": {"servers": {"b": {"url": "http://h/"}}}}))[0].name == "b"


@pytest.mark.parametrize(
    ("entry", "transport"),
    [
        ({"url": "https://h/mcp"}, "http_or_sse"),
        ({"serverUrl": "https://h/mcp"}, "http_or_sse"),
        ({"httpUrl": "https://h/mcp"}, "http"),
        ({"url": "https://h/mcp", "type": "streamable-http"}, "http"),
        ({"url": "https://h/mcp", "transport": "streamableHttp"}, "http"),
        ({"url": "https://h/mcp", "type": "remote"}, "http"),
        ({"url": "https://h/sse", "type": "sse"}, "sse"),
        ({"command": ["node", "server.js"], "type": "local"}, "stdio"),
    ],
)
def test_the_spellings_of_transports(tmp_path: Path, entry: dict[str, Any], transport: str) -> None:
    config = one(tmp_path, entry)
    assert config.transport == transport
    assert config.url == ("" if transport == "stdio" else next(v for k, v in entry.items() if "rl" in k))


def test_variables_are_expanded_everywhere(tmp_path: Path) -> None:
    config = one(
        tmp_path,
        {
            "command": "${userHome}/bin/x",
            "args": ["${A}", "${B:-b}", "${env:A}", "$A", "${EMPTY:-full}"],
            "env": {"K": "${input:api-key}", "N": 5, "T": True, "Z": None},
            "cwd": "${workspaceFolder}/data",
        },
        A="1",
        EMPTY="",
        API_KEY="k",
    )
    assert config.command == f"{Path.home()}/bin/x"
    assert config.args == ("1", "b", "1", "$A", "full")
    assert config.env == {"K": "k", "N": "5", "T": "true"}
    assert config.cwd == str(tmp_path / "data")
    remote = one(
        tmp_path, {"url": "https://${HOST}/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}, HOST="h", TOKEN="t"
    )
    assert (remote.url, remote.headers) == ("https://h/mcp", {"Authorization": "Bearer t"})


def test_the_workspace_of_a_file_in_vscode_is_the_folder_above(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    path = write(tmp_path / ".vscode", {"servers": {"s": {"command": "${workspaceFolder}/x"}}})
    assert load_config(path)[0].command == f"{tmp_path}/x"
    assert load_config(path, workspace=Path("/w"))[0].command == "/w/x"


def test_an_unset_variable_names_file_server_field_and_variable(tmp_path: Path) -> None:
    wrong = '"b": {"command": "x", "env": {"KEY": "${GITHUB_TOKEN}"}}'
    caught = error(tmp_path, '{"mcpServers": {\n"a": {"command": "x"},\n' + wrong + "}}")
    assert "server 'b', field env.KEY uses ${GITHUB_TOKEN}, but the variable GITHUB_TOKEN is not set" in caught.message
    assert caught.where == f"{tmp_path / 'mcp.json'}:3, server b, field env.KEY"
    assert "${GITHUB_TOKEN:-value}" in caught.mend


def test_disabled_servers_are_left_out_before_anything_of_them_is_read(tmp_path: Path) -> None:
    entries = {
        "a": {"command": "${UNSET}", "disabled": True},
        "b": {"enabled": False},
        "c": {"command": "x", "disabled": False},
    }
    assert [config.name for config in load_config(write(tmp_path, {"mcpServers": entries}), environment={})] == ["c"]


def test_time_outs_are_seconds_or_from_a_thousand_on_milliseconds(tmp_path: Path) -> None:
    config = one(tmp_path, {"command": "x", "timeout": 60000})
    assert (config.call_seconds, config.connect_seconds) == (60, 60)
    config = one(tmp_path, {"command": "x", "timeout": 5, "connectTimeout": 2.5})
    assert (config.call_seconds, config.connect_seconds) == (5, 2.5)


def test_the_other_keys(tmp_path: Path) -> None:
    (tmp_path / "keys.env").write_text("# keys\nexport A='1 2'\nB=3\n\n")
    config = one(
        tmp_path,
        {
            "command": "x",
            "envFile": "keys.env",
            "env": {"B": "4"},
            "includeTools": ["a", "b"],
            "excludeTools": ["b"],
            "trustHints": True,
            "idempotentTools": ["a"],
            "icon": "star",
        },
    )
    assert config.env == {"A": "1 2", "B": "4"}
    assert (config.offers("a"), config.offers("b"), config.offers("c")) == (True, False, False)
    assert (config.trust_hints, config.idempotent_tools, config.extra) == (True, {"a"}, {"icon": "star"})


def test_no_secret_is_in_the_repr(tmp_path: Path) -> None:
    config = one(tmp_path, {"command": "x", "args": ["--key=hush"], "env": {"KEY": "hush"}})
    remote = one(tmp_path, {"url": "https://u:hush@h/mcp?k=hush", "headers": {"Authorization": "hush"}})
    assert "hush" not in repr(config) + repr(remote)
    assert "KEY" in repr(config) and "Authorization" in repr(remote)


def test_what_decides_which_server_answers_is_in_the_fingerprint(tmp_path: Path) -> None:
    base = {"command": "x", "args": ["a"], "env": {"K": "1"}}
    prints = {
        one(tmp_path, entry).fingerprint
        for entry in (
            base,
            {**base, "command": "y"},
            {**base, "args": []},
            {**base, "env": {"K": "2"}},
            {**base, "cwd": "d"},
        )
    }
    assert len(prints) == 5
    assert one(tmp_path, {**base, "timeout": 5, "trustHints": True}).fingerprint in prints


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "none.json")
    assert str(tmp_path / "none.json") in caught.value.message


@pytest.mark.parametrize(
    ("text", "line"),
    [('{\n"mcpServers": {\n"a": {"command": }\n}}', 3), ("", 1), ('{"a": 1', 1), ('{\n\n"mcpServers": {,}}', 3)],
)
def test_malformed_text_names_the_line(tmp_path: Path, text: str, line: int) -> None:
    assert error(tmp_path, text).where == f"{tmp_path / 'mcp.json'}:{line}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1], "one JSON object"),
        ({}, 'no "mcpServers"'),
        ({"mcpServers": []}, "object of servers"),
        ({"mcpServers": {"a": "uvx"}}, "server 'a' must be an object"),
        ({"mcpServers": {"a": {}}}, 'neither "command" nor "url"'),
        ({"mcpServers": {"a": {"command": 5}}}, "field command"),
        ({"mcpServers": {"a": {"command": "x", "args": "y"}}}, "field args"),
        ({"mcpServers": {"a": {"command": "x", "args": [{}]}}}, "field args[0]"),
        ({"mcpServers": {"a": {"command": "x", "env": []}}}, None),
        ({"mcpServers": {"a": {"command": "x", "env": {"K": []}}}}, "field env.K"),
        ({"mcpServers": {"a": {"command": "x", "type": "carrier pigeon"}}}, "field type"),
        ({"mcpServers": {"a": {"url": "unix:///x"}}}, "must begin with http"),
        ({"mcpServers": {"a": {"type": "http"}}}, "field url is missing"),
        ({"mcpServers": {"a": {"command": "x", "timeout": "soon"}}}, "field timeout"),
        ({"mcpServers": {"a": {"command": "x", "disabled": "no"}}}, "field disabled"),
        ({"mcpServers": {"a": {"command": "x", "includeTools": "all"}}}, "field includeTools"),
        ({"mcpServers": {"a": {"command": "x", "envFile": "no.env"}}}, "field envFile"),
    ],
)
def test_each_wrong_field_is_named(tmp_path: Path, content: Any, words: str | None) -> None:
    if words is None:
        assert load_config(write(tmp_path, content))[0].env == {}
    else:
        assert words in error(tmp_path, content).message


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ('"command": "x", "timeout": NaN', "timeout must be a number"),
        ('"command": "x", "timeout": 1e999', "timeout must be a number"),
        ('"command": "x", "connectTimeout": -Infinity', "connectTimeout must be a number"),
        ('"command": "x", "timeout": 1' + "0" * 400, "timeout must be a number"),
        (r'"command": "x\u0000"', "command holds a NUL character"),
        (r'"command": "\ud800"', "command holds half a character"),
        (r'"command": "x", "args": ["a", "\u0000"]', "args[1] holds a NUL character"),
        (r'"command": "x", "env": {"K": "\udc00"}', "env.K holds half a character"),
        (r'"command": "x", "env": {"K\ud800": "v"}', r"env.K\ud800 holds half a character"),
        ('"command": "x", "env": {"A=B": "v"}', "env.A=B is no name of a variable"),
        (r'"command": "x", "cwd": "\u0000"', "cwd holds a NUL character"),
        (r'"command": "x", "envFile": "\u0000"', "envFile holds a NUL character"),
        (r'"url": "http://h/\ud800"', "url holds half a character"),
        ('"url": "http://[::1"', "url is no address: Invalid IPv6 URL"),
        ('"url": "http://h:99999/"', "url is no address: Port out of range"),
        ('"url": "http:///mcp"', "url is no address: it has no host"),
        (r'"url": "http://h/\u0007"', "url is no address: it holds a space or a control character"),
        ('"url": "http://h", "headers": {"X-Name": "J\u00fcrgen"}', "headers.X-Name holds characters that a header cannot"),
        (r'"url": "http://h", "headers": {"X-Name": "a\r\nb"}', "headers.X-Name holds characters that a header cannot"),
        ('"url": "http://h", "headers": {"X Name": "a"}', "headers.X Name is no name of a header"),
    ],
)
def test_a_value_that_nothing_can_be_given_names_file_server_and_field(tmp_path: Path, entry: str, field: str) -> None:
    caught = error(tmp_path, f'{{"mcpServers": {{"s": {{{entry}}}}}}}')
    assert f"server 's', field {field}" in caught.message
    assert caught.where.startswith(f"{tmp_path / 'mcp.json'}:1, server s, field {field.split()[0]}")


def test_half_a_character_in_a_variable_of_the_environment_names_the_field(tmp_path: Path) -> None:
    caught = error(tmp_path, {"mcpServers": {"s": {"command": "x", "env": {"K": "${FROM}"}}}}, FROM="\udcff")
    assert "field env.K holds half a character" in caught.message


@pytest.mark.parametrize("name", ["", " ", "\ud800", "a\0"])
def test_a_server_needs_a_name_that_can_be_shown(tmp_path: Path, name: str) -> None:
    caught = error(tmp_path, {"mcpServers": {name: {"command": "x"}}})
    assert caught.mend == "give it a name" and caught.where.encode()
    assert load_config(write(tmp_path, {"mcpServers": {name: {"command": "x", "disabled": True}}})) == []


def test_a_file_of_variables_is_a_plain_file_of_bounded_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"A=1\n" * 300_000)
    (tmp_path / "nul").write_bytes(b"A=\0\n")
    said = {"pipe": "no plain file", "/dev/zero": "no plain file", ".": "no plain file", "large": "larger than 1 MB"}
    for given, words in {**said, "nul": "NUL character"}.items():
        caught = error(tmp_path, {"mcpServers": {"s": {"command": "x", "envFile": given}}})
        assert "server 's', field envFile" in caught.message and words in caught.message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(tmp_path / "mcp.json")


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    assert error(tmp_path, '{"a":' * 100_000).message
