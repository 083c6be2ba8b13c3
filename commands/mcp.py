"""`atlas mcp`: adds, lists and removes servers in a configuration file, and signs in to remote ones."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .report import DONE, note, print_json, safe
from .running import run_async
from .settings import server_files
from .trusting import is_trusted, record

app = typer.Typer(help="Add, list and remove MCP servers.", no_args_is_help=True, rich_markup_mode=None)

File = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="The configuration file; mcp.json in ATLAS_HOME by default.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
_ODD = re.compile(r"[\x00-\x1f\x7f]")


@app.command(context_settings={"ignore_unknown_options": True})
def add(
    name: Annotated[str, typer.Argument(help="What the server is called.")],
    reach: Annotated[list[str], typer.Argument(metavar="URL | COMMAND [ARGS]...", help="Put -- before a command.")],
    env: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="For its environment; ${VAR} is kept.")] = None,
    header: Annotated[list[str] | None, typer.Option(metavar="NAME:VALUE", help="For a URL; ${VAR} is kept.")] = None,
    cwd: Annotated[str | None, typer.Option(metavar="DIR", help="The folder to start it in.")] = None,
    transport: Annotated[Literal["http", "sse"] | None, typer.Option("--type", help="For a URL.")] = None,
    trust_hints: Annotated[
        bool, typer.Option("--trust-hints", help="Believe what it says of its tools, for example that they are read-only.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of the server of that name.")] = False,
    file: File = None,
) -> int:
    """Add a server: a URL, or a command with its arguments.

    atlas mcp add time -- uvx mcp-server-time --local-timezone UTC
    """
    from ..tools_registry.editing import add_server

    if not name.strip() or _ODD.search(name):
        raise UsageError("a server needs a name without control characters", where="NAME", mend="for example: time")
    entry = _entry(reach, _pairs(env or [], "=", "--env"), _pairs(header or [], ":", "--header"), cwd, transport)
    home, path = atlas_home(), _file(file)
    known = path.is_file() and is_trusted(home, path)
    add_server(path, name, entry | ({"trustHints": True} if trust_hints else {}), replace=replace)
    note(f"added {safe(name)} to {safe(str(path))}")
    _say_what_counts(home, path, known)
    return DONE


@app.command()
def remove(name: Annotated[str, typer.Argument(help="The server.")], file: File = None) -> int:
    """Remove a server from the file."""
    from ..tools_registry.editing import remove_server

    home, path = atlas_home(), _file(file)
    known = path.is_file() and is_trusted(home, path)
    remove_server(path, name)
    note(f"removed {safe(name)} from {safe(str(path))}")
    _say_what_counts(home, path, known)
    return DONE


@app.command("list")
def list_servers(file: File = None, as_json: Json = False) -> int:
    """List the servers of the files that count here, or of one file. Nothing is started, no secret is shown."""
    from ..tools_registry.config import read_entries

    home = atlas_home()
    files = [(file, True)] if file is not None else server_files(home, Path.cwd())
    for path, used in files:
        for name, entry in read_entries(path).items():
            shown = _shown(name, entry, path, used)
            print_json(shown) if as_json else print(safe(_line(shown)))
    return DONE


@app.command()
def login(name: Annotated[str, typer.Argument(help="The server.")], file: File = None) -> int:
    """Sign in to a remote server; the tokens are kept in ATLAS_HOME."""
    home = atlas_home()
    run_async(
        _login(home, name, [file] if file is not None else [path for path, used in server_files(home, Path.cwd()) if used])
    )
    note(f"signed in to {safe(name)}")
    return DONE


async def _login(home: Path, name: str, files: list[Path]) -> None:
    from ..runtime.signing_in import with_sign_in
    from ..tools_registry.config import load_config
    from ..tools_registry.connection import Connection

    configs = [config for path in files for config in load_config(path) if config.name == name]
    if not configs:
        raise UsageError(f"there is no server {name!r}", where="NAME", mend="`atlas mcp list` names them")
    options = with_sign_in(None, home, may_ask=True)(configs[0])
    if not options:
        raise UsageError("it takes no sign-in: it is a local command, or has its Authorization header", where=name, mend="")
    connection = Connection(name, configs[0], callbacks=options)
    try:
        await connection.open()
    finally:
        await connection.close()


def _file(file: Path | None) -> Path:
    return file if file is not None else atlas_home() / "mcp.json"


def _entry(
    reach: list[str], env: dict[str, str], headers: dict[str, str], cwd: str | None, transport: str | None
) -> dict[str, Any]:
    if reach[0].lower().startswith(("http://", "https://")):
        if len(reach) > 1 or env or cwd:
            raise UsageError("a URL takes no arguments, --env or --cwd", where=reach[0], mend="give --header instead")
        kind = {"type": transport} if transport else {}
        return {**kind, "url": reach[0]} | ({"headers": headers} if headers else {})
    if headers or transport:
        raise UsageError("--header and --type are for a URL", where=reach[0], mend="give --env instead")
    entry: dict[str, Any] = {"command": reach[0], "args": reach[1:]}
    return entry | ({"env": env} if env else {}) | ({"cwd": os.path.expanduser(cwd)} if cwd else {})


def _pairs(given: list[str], between: str, option: str) -> dict[str, str]:
    pairs = {}
    for one in given:
        name, found, value = one.partition(between)
        if not found or not name.strip():
            raise UsageError(f"{one.partition(between)[0]!r} has no value", where=option, mend=f"write NAME{between}VALUE")
        pairs[name.strip()] = value.strip() if between == ":" else value
    return pairs


def _say_what_counts(home: Path, path: Path, trusted: bool) -> None:
    """The user's own change of a trusted file leaves it trusted; a file that was not trusted is not by being changed."""
    if path.resolve().parent == home.resolve():
        return
    if trusted:
        record(home, [path])
    elif path.name in ("mcp.json", ".mcp.json"):
        note("this folder is not trusted: `atlas trust` it, or name the file with --mcp")
    else:
        note(f"name it with --mcp {safe(str(path))}")


def _shown(name: str, entry: Any, path: Path, used: bool) -> dict[str, Any]:
    said: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    url = next((str(said[key]) for key in ("url", "serverUrl", "httpUrl") if said.get(key)), "")
    off = said.get("disabled") is True or said.get("enabled") is False
    return {
        "server": name,
        "reach": _address(url) if url else _command(said),
        "file": str(path),
        "disabled": off,
        "used": used,
    }


def _command(entry: Mapping[str, Any]) -> str:
    command = entry.get("command", "")
    first = command[0] if isinstance(command, list) and command else command
    arguments = entry.get("args")
    count = len(arguments) if isinstance(arguments, list) else 0
    return f"{first}" + (f" ({count} argument{'s' if count > 1 else ''})" if count else "")


def _address(url: str) -> str:
    from ..tools_registry.diagnosis import shown_url

    return shown_url(url)


def _line(shown: dict[str, Any]) -> str:
    state = " (disabled)" if shown["disabled"] else "" if shown["used"] else " (not used: folder not trusted)"
    return f"{shown['server']}: {shown['reach']}{state}  {shown['file']}"
