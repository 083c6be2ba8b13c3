"""Servers from the configuration file that MCP users already have.

Read are `mcpServers`, `servers` and `mcp_servers` in JSON (comments and trailing commas are fine) or TOML, with the
spellings of the hosts in use: `url`, `serverUrl` or `httpUrl`; `type` or `transport`; `disabled` or `enabled`; `timeout`;
`includeTools` and `excludeTools`; `envFile`. Three keys are Atlas' own: `trustHints` (believe this server's read-only and
idempotent hints), `idempotentTools` (names of tools whose call may be repeated) and `sampling` (the server may ask the
policy for text). Other keys are kept in `extra`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .errors import ConfigError
from .expansion import Expander, UnsetVariable
from .fields import LONGEST, read_small_file, shown, wrong_header, wrong_text, wrong_url, wrong_variable

Transport = Literal["stdio", "http", "sse", "http_or_sse"]

CONNECT_SECONDS = 30.0
CALL_SECONDS = 120.0
_FIRST_MILLISECONDS = 1_000
"""A `timeout` from here on is read as milliseconds, as most hosts write it; a smaller one as seconds."""

_TRANSPORTS: dict[str, Transport] = {
    "stdio": "stdio", "local": "stdio",
    "http": "http", "streamable-http": "http", "streamable_http": "http", "streamablehttp": "http", "remote": "http",
    "sse": "sse",
}
_REACH = frozenset({"command", "url", "serverUrl", "httpUrl"})
_KNOWN = frozenset(
    "command args env environment cwd url serverUrl httpUrl headers type transport disabled enabled timeout connectTimeout "
    "includeTools excludeTools envFile trustHints idempotentTools sampling".split()
)


@dataclass(frozen=True, repr=False)
class ServerConfig:
    """How to reach one server. Its `repr` shows no argument, environment or header value: they may be secrets."""

    name: str
    transport: Transport = "stdio"
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    cwd: str | None = None
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    connect_seconds: float = CONNECT_SECONDS
    call_seconds: float = CALL_SECONDS
    include_tools: frozenset[str] | None = None
    exclude_tools: frozenset[str] = frozenset()
    trust_hints: bool = False
    idempotent_tools: frozenset[str] = frozenset()
    sampling: bool = False
    """Whether this server may ask the policy for text."""
    source: str = ""
    """File and line of the entry, for messages."""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def fingerprint(self) -> str:
        """A hash of everything that decides which server answers, and whether; the key of its cached tool list."""
        parts = [self.transport, self.command, self.args, sorted(self.env.items()), self.cwd or "", self.url,
                 sorted(self.headers.items()), self.connect_seconds]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def offers(self, tool_name: str) -> bool:
        """Whether `includeTools` and `excludeTools` let a tool through."""
        included = self.include_tools is None or tool_name in self.include_tools
        return included and tool_name not in self.exclude_tools

    def __repr__(self) -> str:
        reach = self.command if self.transport == "stdio" else self.url.split("?")[0].rpartition("@")[2]
        secret = f"env={sorted(self.env)}, headers={sorted(self.headers)}"
        return f"ServerConfig({self.name!r}, {self.transport!r}, {reach!r}, {len(self.args)} args, {secret})"


def load_config(
    path: str | os.PathLike[str],
    *,
    workspace: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[ServerConfig]:
    """Read the servers of a configuration file; disabled ones are left out.

    `workspace` is what `${workspaceFolder}` stands for (default: the folder of the file, or of `.vscode`, `.cursor` around
    it). Raises `ConfigError` that names file and line, server, field and variable.
    """
    file = Path(path)
    text = read_text(file)
    entries = parse_text(file, text)
    home = file.resolve().parent
    expander = Expander(
        os.environ if environment is None else environment,
        workspace or (home.parent if home.name in (".vscode", ".cursor") else home),
    )
    readers = [_Entry(file, _line_of(text, name), name, entry, expander) for name, entry in entries.items()]
    return [reader.config() for reader in readers if reader.enabled]


def read_entries(path: Path) -> dict[str, Any]:
    """The servers of a file as they stand there, disabled ones too. Raises `ConfigError`."""
    return parse_text(path, read_text(path))


def parse_text(file: Path, text: str) -> dict[str, Any]:
    """The servers in the text of a file. Raises `ConfigError` that names the line."""
    return _entries(_parse(file, text), file)


def read_text(file: Path) -> str:
    """The text of a file. Raises `ConfigError`."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"no such file: {file}", where=str(file), mend='create it, for example {"mcpServers": {}}, or correct the path'
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {file}: {error}", where=str(file), mend="it must be a readable UTF-8 file") from None


def _parse(file: Path, text: str) -> Any:
    if file.suffix == ".toml":
        import tomllib

        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"not TOML: {error}", where=str(file), mend="correct the file") from None
    try:
        return json.loads(text)
    except RecursionError:
        raise ConfigError("nested too deeply", where=str(file), mend="correct the file") from None
    except ValueError:
        return _parse_with_comments(file, text)


def _parse_with_comments(file: Path, text: str) -> Any:
    import json5

    try:
        return json5.loads(text)
    except (ValueError, RecursionError) as error:
        line, _, what = str(error).removeprefix("<string>:").partition(" ")
        if not line.isdigit():
            line, what = "1", "the file is empty" if not text.strip() else str(error)
        raise ConfigError(
            f"not JSON: {what.strip()}", where=f"{file}:{line}", mend=f"correct line {line} of the file"
        ) from None


def _entries(data: Any, file: Path) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ConfigError("the file must hold one JSON object", where=str(file), mend='write {"mcpServers": {...}}')
    for place in (data, data.get("mcp")):
        for key in ("mcpServers", "servers", "mcp_servers"):
            if isinstance(place, dict) and key in place:
                return _object(place[key], file, key)
    if data and all(isinstance(entry, dict) and _REACH & set(entry) for entry in data.values()):
        return data  # the servers stand at the root
    raise ConfigError(
        'no "mcpServers" in the file', where=str(file), mend='put the servers under "mcpServers": {"name": {"command": ...}}'
    )


def _object(value: Any, file: Path, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f'"{key}" must be an object of servers by name', where=str(file), mend=f'write "{key}": {{...}}')
    return value


def _line_of(text: str, name: str) -> int:
    position = text.find(json.dumps(name, ensure_ascii=False))
    return text.count("\n", 0, max(0, position)) + 1


class _Entry:
    """One entry of the file on its way to a `ServerConfig`."""

    def __init__(self, file: Path, line: int, name: str, entry: Any, expander: Expander) -> None:
        self.file, self.line, self.name, self.expander = file, line, name, expander
        if not isinstance(entry, dict):
            raise self._error("", "must be an object", 'write {"command": ...} or {"url": ...}')
        self.entry: dict[str, Any] = entry

    @property
    def enabled(self) -> bool:
        return not self._flag("disabled", False) and self._flag("enabled", True)

    def config(self) -> ServerConfig:
        self._check("", wrong_text(self.name) if self.name.strip() else "has no name", "give it a name")
        transport = self._transport()
        command = self._command() if transport == "stdio" else []
        call_seconds = self._seconds("timeout", CALL_SECONDS)
        cwd = self._text("cwd")
        return ServerConfig(
            name=self.name,
            transport=transport,
            command=command[0] if command else "",
            args=tuple(command[1:]),
            env=self._env(),
            cwd=str(self.file.resolve().parent / Path(cwd).expanduser()) if cwd else None,
            url=self._url() if transport != "stdio" else "",
            headers=self._headers(),
            connect_seconds=self._seconds("connectTimeout", max(CONNECT_SECONDS, self._seconds("timeout", 0.0))),
            call_seconds=call_seconds,
            include_tools=self._names("includeTools"),
            exclude_tools=self._names("excludeTools") or frozenset(),
            trust_hints=self._flag("trustHints", False),
            sampling=self._flag("sampling", False),
            idempotent_tools=self._names("idempotentTools") or frozenset(),
            source=f"{self.file}:{self.line}",
            extra={key: value for key, value in self.entry.items() if key not in _KNOWN},
        )

    def _transport(self) -> Transport:
        given = self.entry.get("type", self.entry.get("transport"))
        if given is None:
            if "command" in self.entry:
                return "stdio"
            if not self._url_field():
                raise self._error("", 'has neither "command" nor "url"', 'give one of them')
            return "http" if "httpUrl" in self.entry else "http_or_sse"
        transport = _TRANSPORTS.get(str(given).lower())
        if transport is None:
            raise self._error("type", f"is {given!r}", "use stdio, http or sse")
        return transport

    def _command(self) -> list[str]:
        command, args = self.entry.get("command"), self.entry.get("args", [])
        parts = command if isinstance(command, list) else [command]
        if not parts or not isinstance(parts[0], str) or not parts[0]:
            raise self._error("command", "must name a program", 'for example "command": "uvx"')
        if not isinstance(args, list):
            raise self._error("args", "must be a list of texts", 'for example "args": ["mcp-server-time"]')
        first = os.path.expanduser(self._expand("command", parts[0]))
        return [first, *(self._scalar(f"args[{i}]", part) for i, part in enumerate([*parts[1:], *args]))]

    def _url_field(self) -> str:
        return next((key for key in ("url", "serverUrl", "httpUrl") if self.entry.get(key)), "")

    def _url(self) -> str:
        key = self._url_field()
        if not key:
            raise self._error("url", "is missing", 'for example "url": "https://host/mcp"')
        url = self._text(key)
        self._check(key, wrong_url(url), "correct the address")
        return url

    def _env(self) -> dict[str, str]:
        env = self._env_file() | self._texts("environment") | self._texts("env")
        for name in env:
            self._check(f"env.{name}", wrong_variable(name), "correct the name")
        return env

    def _headers(self) -> dict[str, str]:
        headers = self._texts("headers")
        for name, value in headers.items():
            self._check(f"headers.{name}", wrong_header(name, value))
        return headers

    def _env_file(self) -> dict[str, str]:
        given = self._text("envFile")
        if not given:
            return {}
        path = self.file.resolve().parent / Path(given).expanduser()
        try:
            text = read_small_file(path)
        except (OSError, ValueError) as error:
            raise self._error("envFile", f"cannot be read: {error}", "create the file or correct the path") from None
        self._check("envFile", wrong_text(text))
        return dict(_env_line(line) for line in text.splitlines() if "=" in line and not line.lstrip().startswith("#"))

    def _texts(self, key: str) -> dict[str, str]:
        given = self.entry.get(key) or {}
        if not isinstance(given, dict):
            raise self._error(key, "must be an object of texts", f'for example "{key}": {{"NAME": "value"}}')
        return {name: self._scalar(f"{key}.{name}", value) for name, value in given.items() if value is not None}

    def _text(self, key: str) -> str:
        value = self.entry.get(key)
        return "" if value is None else self._scalar(key, value)

    def _scalar(self, key: str, value: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str | int | float):
            raise self._error(key, f"must be a text, not {type(value).__name__}", "correct the value")
        return self._expand(key, str(value))

    def _expand(self, key: str, text: str) -> str:
        try:
            expanded = self.expander.expand(text)
        except UnsetVariable as unset:
            raise self._error(
                key, f"uses {unset.reference}, but the variable {unset.variable} is not set",
                f"set {unset.variable}, or give a default as ${{{unset.variable}:-value}}",
            ) from None
        self._check(key, wrong_text(expanded))
        return expanded

    def _flag(self, key: str, default: bool) -> bool:
        value = self.entry.get(key, default)
        if not isinstance(value, bool):
            raise self._error(key, "must be true or false", "correct the value")
        return value

    def _seconds(self, key: str, default: float) -> float:
        value = self.entry.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST:
            raise self._error(key, "must be a number (seconds, or milliseconds from 1000 on)", f'for example "{key}": 60')
        if value == 0:
            return default
        return value / 1000 if value >= _FIRST_MILLISECONDS else float(value)

    def _names(self, key: str) -> frozenset[str] | None:
        value = self.entry.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise self._error(key, "must be a list of tool names", f'for example "{key}": ["read_file"]')
        return frozenset(value)

    def _check(self, key: str, problem: str, mend: str = "correct the value") -> None:
        if problem:
            raise self._error(key, problem, mend)

    def _error(self, key: str, what: str, mend: str) -> ConfigError:
        field_text = f", field {shown(key)}" if key else ""
        return ConfigError(
            f"server {self.name!r}{field_text} {what}",
            where=f"{self.file}:{self.line}, server {shown(self.name) or repr('')}{field_text}",
            mend=mend,
        )


def _env_line(line: str) -> tuple[str, str]:
    name, _, value = line.strip().removeprefix("export ").partition("=")
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return name.strip(), value
