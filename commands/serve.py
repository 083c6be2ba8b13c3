"""`atlas serve`: the toolspace for other agents, as an MCP server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .report import DONE, note, print_json, safe
from .running import run_async
from .settings import Approve, Settings, resolve
from .toolspace import McpFiles, SearchEncoder, WorkspaceFolder


def serve(
    http: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Serve over HTTP on loopback; 0 takes a free port.", min=0, max=65_535),
    ] = None,
    pass_through: Annotated[
        bool, typer.Option("--pass-through", help="Offer the servers' own tools, resources and prompts instead.")
    ] = False,
    mcp: McpFiles = None,
    workspace: WorkspaceFolder = None,
    model: Annotated[str | None, typer.Option(metavar="SPEC", help="The model that does tasks, as in `atlas run`.")] = None,
    approve: Annotated[
        Approve | None, typer.Option(help="ask: by the client, which asks its user. auto, never: as in `atlas run`.")
    ] = None,
    search_encoder: SearchEncoder = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --http: print the address as a JSON object.")] = False,
) -> int:
    """Serve the toolspace to another agent, on standard input and output or with --http.

    Its four tools are search_tools, load_tools, run_program and run_task. Over HTTP a client sends the token that lies
    in ATLAS_HOME: Authorization: Bearer TOKEN.
    """
    home = atlas_home()
    flags = {
        "mcp": tuple(mcp or ()) or None, "workspace": workspace, "model": model, "approve": approve,
        "search_encoder": search_encoder,
    }  # fmt: skip
    found = resolve(home, Path.cwd(), flags)
    for notice in found.notices:
        note(safe(notice))
    run_async(_serve(home, found.settings, http, pass_through, as_json))
    return DONE


async def _serve(home: Path, settings: Settings, port: int | None, pass_through: bool, as_json: bool) -> None:
    from ..runtime.gateway.limits import GatewayLimits

    limits = GatewayLimits()
    make = _passing if pass_through else _four_tools
    gateway = make(home, settings, limits, port is not None)
    try:
        await gateway.open()
        await _until_gone(gateway.server, limits, home, port, as_json)
    finally:
        await gateway.close()


async def _until_gone(server: Any, limits: Any, home: Path, port: int | None, as_json: bool) -> None:
    from ..runtime.gateway.guard import token_of
    from ..runtime.gateway.serving import serve_http, serve_stdio

    if port is None:
        await serve_stdio(server, limits)
        return
    token, file = token_of(home)

    def ready(url: str) -> None:
        note(f"serving at {url}, token in {safe(str(file))}")
        if as_json:
            print_json({"url": url, "token_file": str(file)})

    await serve_http(server, limits, port=port, token=token, on_ready=ready)


def _passing(home: Path, settings: Settings, limits: Any, many_clients: bool) -> Any:
    from ..runtime.gateway.passing import PassThrough
    from ..tools_registry.config import load_config

    configs = [config for path in settings.mcp for config in load_config(path, workspace=settings.workspace)]
    if not configs:
        mend = "name a file with --mcp, or `atlas mcp add` one"
        raise UsageError("no server is configured", where="--pass-through", mend=mend)
    return PassThrough(configs, many_clients=many_clients, limits=limits, on_notice=lambda line: note(safe(line)), home=home)


def _four_tools(home: Path, settings: Settings, limits: Any, many_clients: bool) -> Any:
    from ..runtime.gateway.four_tools import FourTools
    from .run import runtime_options

    options = runtime_options(settings) | {"on_notice": lambda line: note(safe(line))}
    return FourTools(options, approve=options.pop("approve"), many_clients=many_clients, limits=limits)
