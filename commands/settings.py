"""The options of a run: built-in defaults, `atlas.toml` in ATLAS_HOME, `atlas.toml` of the working directory, flags.

A file that came with a folder may set how a run is paced, and nothing else: models, servers, adapters, approval and
whatever starts a process or sends data somewhere count only after `atlas trust` recorded the file's hash.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..runtime.errors import UsageError
from .trusting import is_trusted, was_trusted

if TYPE_CHECKING:
    from ..runtime.routing.pool import Pool

Loading = Literal["search", "tools", "servers", "eager"]
Acting = Literal["program", "json"]
Approve = Literal["ask", "auto", "never"]
Router = Literal["off", "cluster", "learned", "auto"]

PACING = frozenset({"budget", "max_turns", "loading"})
"""What the file of an untrusted folder may set."""
SERVER_FILES = ("mcp.json", ".mcp.json")
SEARCH_ENCODER_VARIABLE = "ATLAS_SEARCH_ENCODER"
"""Counts more than the files and less than the flag."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a run can be told, with the defaults; one field for each flag of `atlas run`."""

    model: str = "nano"
    mcp: tuple[Path, ...] = ()
    workspace: Path = Path()
    budget: int | None = None
    max_turns: int = 12
    loading: Loading = "search"
    acting: Acting = "program"
    approve: Approve = "ask"
    adapter: str = "auto"
    """`auto`: the promoted adapter, where there is one for the model."""
    seed: int = 0
    temperature: float = 0.0
    check: str | None = None
    log: bool = True
    overlap: bool = True
    unsafe_sandbox: bool = False
    router: Router = "off"
    cost_weight: float = 0.02
    """The `a` of the router's utility: what the dearest model's cost weighs against accuracy, from 0 to 1."""
    spend_limit: float | None = None
    """USD that one command may cost."""
    encoder: str = "words"
    """What turns tasks into vectors for routing: words, minilm, a .gguf file, or http://host:port/v1#model."""
    search_encoder: str = "none"
    """What finds tools by meaning beside words: none, minilm, a .gguf file, or http://host:port/v1#model."""
    router_model: str | None = None
    """The policy of the learned router: as `model`, or the name of a model of the pool; None: `model` itself."""
    router_adapter: str = "auto"
    """Its adapter; `auto`: the one that `atlas train --recipe router` promoted last for it."""
    models: Pool | None = None
    """The `[models.<name>]` tables; None where there is none."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings of this run and the lines to tell the user about what was left out."""

    settings: Settings
    notices: tuple[str, ...] = ()
    sources: tuple[Path, ...] = field(default=())


def resolve(home: Path, folder: Path, flags: Mapping[str, Any], *, uses_servers: bool = True) -> Resolved:
    """Settings for a run started in `folder`; flags that are None were not given.

    Where the command uses no servers, none are looked for, and nobody is told that some do not count.
    """
    values: dict[str, Any] = {}
    notices: list[str] = []
    sources: list[Path] = []
    for path, own in ((home / "atlas.toml", True), (folder / "atlas.toml", False)):
        if not path.is_file() or path in sources:
            continue
        found = read_options(path)
        if not own and not is_trusted(home, path):
            held_back = sorted(set(found) - PACING)
            found = {name: value for name, value in found.items() if name in PACING}
            if held_back:
                notices.append(_ignored(home, path, held_back))
        if "models" in found:
            found["models"] = _joined(values.get("models"), found["models"])
        values.update(found)
        sources.append(path)
    if os.environ.get(SEARCH_ENCODER_VARIABLE):
        values["search_encoder"] = os.environ[SEARCH_ENCODER_VARIABLE]
    values.update({name: value for name, value in flags.items() if value is not None})
    if uses_servers and not values.get("mcp"):
        values["mcp"], more = _server_files(home, folder)
        notices += more
    return Resolved(replace(Settings(), **values), tuple(notices), tuple(sources))


def _joined(first: Pool | None, more: Pool) -> Pool:
    """Both pools as one; of two models with one name the later counts."""
    from ..runtime.routing.pool import Pool

    return Pool({**(first or {}), **more})


def _ignored(home: Path, path: Path, names: list[str]) -> str:
    return f"{path}: ignored {', '.join(names)}, because {_no_trust(home, path)}; `atlas trust` records that it is"


def _no_trust(home: Path, path: Path) -> str:
    """Why a file does not count."""
    if was_trusted(home, path):
        return "it was changed since it was trusted, so it is not trusted any more"
    return "this folder is not trusted"


def _server_files(home: Path, folder: Path) -> tuple[tuple[Path, ...], list[str]]:
    """The server files that count when none is named: the one in ATLAS_HOME and a trusted one in `folder`."""
    found = server_files(home, folder)
    notices = [
        f"{path}: not used, because {_no_trust(home, path)}; `atlas trust` it, or name it with --mcp"
        for path, used in found
        if not used
    ]
    return tuple(path for path, used in found if used), notices


def server_files(home: Path, folder: Path) -> list[tuple[Path, bool]]:
    """The server files of ATLAS_HOME and of `folder` that are there, and whether each counts."""
    places = dict.fromkeys([home / "mcp.json", *(folder / name for name in SERVER_FILES)])
    return [(path, path.parent == home or is_trusted(home, path)) for path in places if path.is_file()]


def read_options(path: Path) -> dict[str, Any]:
    """The options in an `atlas.toml`, checked. Raises `UsageError` naming the file, the line or the option."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UsageError(f"not valid TOML: {problem}", where=str(path), mend="mend that line, or remove it") from None
    given = {key: value for key, value in raw.items() if key != "search"} | _search(path, raw.get("search", {}))
    return {_known(path, key): _checked(path, _known(path, key), value) for key, value in given.items()}


def _search(path: Path, table: Any) -> dict[str, Any]:
    """The table `[search]` as options."""
    others = sorted(set(table) - {"encoder"}) if isinstance(table, dict) else ["search"]
    if others:
        raise UsageError(
            f"unknown option {others[0]}", where=f"{path}: [search]", mend='write encoder = "minilm", or leave it out'
        )
    return {"search_encoder": table["encoder"]} if table else {}


def _known(path: Path, key: str) -> str:
    name = key.replace("-", "_")
    names = [one.name for one in fields(Settings)]
    if name == "no_log":
        raise UsageError("unknown option no-log", where=f"{path}: {key}", mend="write log = false")
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"known options: {', '.join(names)}"
        raise UsageError(f"unknown option {key}", where=f"{path}: {key}", mend=hint)
    return name


_CHOICES: dict[str, tuple[str, ...]] = {
    "loading": get_args(Loading),
    "acting": get_args(Acting),
    "approve": get_args(Approve),
    "router": get_args(Router),
}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "budget": int, "max_turns": int, "seed": int, "temperature": (int, float), "log": bool, "overlap": bool,
    "unsafe_sandbox": bool, "cost_weight": (int, float), "spend_limit": (int, float),
}  # fmt: skip

_RANGES = {"cost_weight": (0.0, 1.0), "spend_limit": (0.0, 1e9)}


def _checked(path: Path, name: str, value: Any) -> Any:
    """The value of an option in the type that `Settings` has for it; paths count from the file's own folder."""
    where = f"{path}: {name}"
    if name == "models":
        from ..runtime.routing.pool import read_pool

        return read_pool(path, value)
    if name in _CHOICES and value not in _CHOICES[name]:
        raise UsageError(f"{value!r} is not one of {', '.join(_CHOICES[name])}", where=where, mend="take one of these")
    if name == "mcp":
        listed = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in listed):
            raise UsageError("mcp takes a path or a list of paths", where=where, mend='write mcp = ["mcp.json"]')
        return tuple(path.parent / Path(one).expanduser() for one in listed)
    if name == "search_encoder" and isinstance(value, str):
        return _encoder_from(path.parent, value)
    kind = _KINDS.get(name, str)
    if name in _RANGES and isinstance(value, int | float) and not _RANGES[name][0] <= value <= _RANGES[name][1]:
        low, high = _RANGES[name]
        raise UsageError(f"{name} is {value!r}", where=where, mend=f"write a number from {low:g} to {high:g}")
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = kind.__name__ if isinstance(kind, type) else "number"
        raise UsageError(f"{name} takes a {wanted}, not {value!r}", where=where, mend=f"write a {wanted}")
    return path.parent / Path(str(value)).expanduser() if name == "workspace" else value


def _encoder_from(folder: Path, spec: str) -> str:
    """The name of an encoder; a file counts from `folder`."""
    if not spec.endswith(".gguf") or spec.startswith(("http://", "https://")):
        return spec
    return str(folder / Path(spec.removeprefix("gguf:")).expanduser())
