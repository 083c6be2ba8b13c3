"""Opens the registry of a run: configured servers, the toolbox over the workspace, and the caller's own tools."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UsageError

if TYPE_CHECKING:
    from ..tools_registry.catalogue import Catalogue
    from ..tools_registry.encoding import Encoder
    from ..tools_registry.registry import Registry
    from ..tools_registry.server import Callbacks

CATALOGUE_FILE = "catalogue.db"
FUNCTIONS = "app"
"""The server that plain functions given as tools belong to."""
Tools = Sequence[object] | Mapping[str, object]


@asynccontextmanager
async def open_registry(
    home: Path | None,
    mcp: Sequence[Path] = (),
    workspace: Path = Path(),
    *,
    toolbox: bool = True,
    tools: Tools = (),
    now: Callable[[], datetime] | None = None,
    refresh: bool = False,
    on_progress: Callable[[str], None] | None = None,
    callbacks: Callbacks | None = None,
    may_sign_in: bool = False,
    encoder: Encoder | None = None,
    vectors: Path | None = None,
) -> AsyncIterator[Registry]:
    """A registry for a block; nothing of it is left when the block ends. `home` None keeps the catalogue in memory.

    `may_sign_in`: a server that asks its user to sign in may ask at the terminal; else only stored tokens are used.
    With an `encoder` tools are found by meaning too; `vectors` is the file for their vectors where `home` is None.
    """
    from ..tools_registry.registry import Registry
    from .signing_in import with_sign_in

    folder = checked_workspace(workspace)
    servers = [config for path in mcp for config in _configured(path, folder)]
    registry = Registry(
        servers, in_process=_in_process(folder, toolbox, tools, now), catalogue=_catalogue(home, on_progress),
        on_progress=on_progress, callbacks=with_sign_in(callbacks, home, may_ask=may_sign_in),
        encoder=encoder, vectors=vectors,
    )  # fmt: skip
    async with registry:
        if refresh:
            await registry.refresh()
        if encoder is not None:
            await registry.prepare_search()
        yield registry


def checked_workspace(workspace: Path) -> Path:
    """The folder itself. Raises `UsageError` where there is none."""
    folder = workspace.expanduser()
    if not folder.is_dir():
        what = "the workspace is a file" if folder.exists() else "there is no such workspace"
        raise UsageError(what, where=str(workspace), mend="give an existing folder with --workspace")
    return folder.resolve()


def _catalogue(home: Path | None, on_progress: Callable[[str], None] | None) -> Catalogue:
    """What is known of the servers; only for this run where the disk is full or the folder cannot be written."""
    from ..tools_registry.catalogue import Catalogue
    from ..tools_registry.errors import CatalogueError

    if home is None:
        return Catalogue()
    try:
        return Catalogue(home / CATALOGUE_FILE)
    except CatalogueError as problem:
        if on_progress is not None:
            on_progress(f"{problem.message}; the servers are listed anew ({problem.mend})")
        return Catalogue()


def _configured(path: Path, workspace: Path) -> Sequence[Any]:
    from ..tools_registry.config import load_config

    return load_config(path, workspace=workspace)


def _in_process(workspace: Path, toolbox: bool, tools: Tools, now: Callable[[], datetime] | None) -> dict[str, object]:
    servers: dict[str, object] = {}
    if toolbox:
        from ..tools_registry.toolbox import toolbox_direct

        servers.update(toolbox_direct(workspace, now=now))
    if isinstance(tools, Mapping):
        return servers | dict(tools)
    functions = [tool for tool in tools if inspect.isroutine(tool) or isinstance(tool, functools.partial)]
    if functions:
        servers[FUNCTIONS] = function_server(functions)
    for tool in tools:
        if tool not in functions:
            servers[_server_name(tool)] = tool
    return servers


def toolbox_names(tools: Tools = ()) -> frozenset[str]:
    """The toolbox's servers, without those in whose place the caller put servers of their own."""
    from ..tools_registry.toolbox import toolbox_tools

    named = tools if isinstance(tools, Mapping) else [getattr(tool, "name", None) for tool in tools]
    return frozenset(tool.server for tool in toolbox_tools()) - set(named)


def _server_name(tool: object) -> str:
    name = getattr(tool, "name", None)
    if not isinstance(name, str) or not name:
        raise UsageError(
            f"{tool!r:.80} is neither a function nor an MCP server", where="tools",
            mend="give Python functions, MCP servers of this process, or a mapping of names to servers",
        )  # fmt: skip
    return name


def function_server(functions: Sequence[Any], name: str = FUNCTIONS) -> object:
    """An MCP server of this process with plain functions as its tools: typed parameters, the docstring as description."""
    from mcp.server import MCPServer

    server = MCPServer(name)
    for function in functions:
        server.add_tool(_speaking(function), name=getattr(function, "__name__", None))
    return server


def _speaking(function: Any) -> Callable[..., Any]:
    """Let a program see what went wrong: the SDK masks every exception but its own `ToolError`."""
    from mcp.server.mcpserver.exceptions import ToolError

    def failure(problem: Exception) -> ToolError:
        return ToolError(str(problem) or type(problem).__name__)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waits(*args: Any, **named: Any) -> Any:
            try:
                return await function(*args, **named)
            except Exception as problem:
                raise failure(problem) from problem

        return waits

    @functools.wraps(function)
    def calls(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except Exception as problem:
            raise failure(problem) from problem

    return calls
