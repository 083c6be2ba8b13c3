"""`atlas trust`: records that this folder's `atlas.toml` and `mcp.json` may be used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .report import note, print_json, safe
from .settings import SERVER_FILES, read_options
from .trusting import record


def trust(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Record that this folder's atlas.toml and mcp.json may be used, as they are now."""
    folder = Path.cwd()
    found = [folder / name for name in ("atlas.toml", *SERVER_FILES) if (folder / name).is_file()]
    if not found:
        raise UsageError(
            "neither atlas.toml nor mcp.json is here",
            where=str(folder),
            mend="run `atlas trust` in the folder that has them",
        )
    allowed = [line for path in found for line in _allows(path)]
    added = record(atlas_home(), found)
    if as_json:
        print_json({"trusted": [{"file": path, "sha256": digest} for path, digest in added.items()]})
        return
    for line in allowed:
        note(safe(line))
    for path in added:
        print(safe(path))


def _allows(path: Path) -> list[str]:
    """What trusting a file lets it do, one line each. A file that does not parse is not trusted."""
    if path.name == "atlas.toml":
        return [f"{path.name} sets {name} = {value!r}" for name, value in read_options(path).items()]
    from ..tools_registry.config import load_config

    return [
        f"{path.name} may start {' '.join([server.command, *server.args])} as {server.name}"
        if server.transport == "stdio"
        else f"{path.name} may reach {server.url} as {server.name}"
        for server in load_config(path)
    ]
