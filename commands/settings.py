"""The options of a run: built-in defaults, `atlas.toml` in ATLAS_HOME, `atlas.toml` of the working directory, flags.

A file that came with a folder may set how a run is paced, and nothing else: models, servers, adapters, approval and
whatever starts a process or sends data somewhere count only after `atlas trust` recorded the file's hash.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from ..runtime.errors import UsageError
from .trusting import is_trusted

Loading = Literal["search", "tools", "servers", "eager"]
Acting = Literal["program", "json"]
Approve = Literal["ask", "auto", "never"]

PACING = frozenset({"budget", "max_turns", "loading"})
"""What the file of an untrusted folder may set."""
SERVER_FILES = ("mcp.json", ".mcp.json")


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
    adapter: str = "none"
    seed: int = 0
    temperature: float = 0.0
    check: str | None = None
    log: bool = True
    unsafe_sandbox: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings of this run and the lines to tell the user about what was left out."""

    settings: Settings
    notices: tuple[str, ...] = ()
    sources: tuple[Path, ...] = field(default=())


def resolve(home: Path, folder: Path, flags: Mapping[str, Any]) -> Resolved:
    """Settings for a run started in `folder`; flags that are None were not given."""
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
                notices.append(_ignored(path, held_back))
        values.update(found)
        sources.append(path)
    values.update({name: value for name, value in flags.items() if value is not None})
    if values.get("adapter") == "latest":
        values["adapter"] = _latest_adapter(home)
    if not values.get("mcp"):
        values["mcp"], more = _server_files(home, folder)
        notices += more
    return Resolved(replace(Settings(), **values), tuple(notices), tuple(sources))


def _latest_adapter(home: Path) -> str:
    """The newest adapter in the state folder."""
    adapters = sorted((home / "adapters").glob("**/*.gguf"), key=lambda path: path.stat().st_mtime)
    if not adapters:
        raise UsageError("there is no adapter yet", where=str(home / "adapters"), mend="name a file, or leave --adapter out")
    return str(adapters[-1])


def _ignored(path: Path, names: list[str]) -> str:
    return f"{path}: ignored {', '.join(names)}, because this folder is not trusted; `atlas trust` records that it is"


def _server_files(home: Path, folder: Path) -> tuple[tuple[Path, ...], list[str]]:
    """The server files that count when none is named: the one in ATLAS_HOME and a trusted one in `folder`."""
    files, notices = [], []
    for path in [home / "mcp.json", *(folder / name for name in SERVER_FILES)]:
        if not path.is_file() or path in files:
            continue
        if path.parent == home or is_trusted(home, path):
            files.append(path)
        else:
            notices.append(f"{path}: not used, because this folder is not trusted; `atlas trust` it, or name it with --mcp")
    return tuple(files), notices


def read_options(path: Path) -> dict[str, Any]:
    """The options in an `atlas.toml`, checked. Raises `UsageError` naming the file, the line or the option."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UsageError(f"not valid TOML: {problem}", where=str(path), mend="mend that line, or remove it") from None
    return {_known(path, key): _checked(path, _known(path, key), value) for key, value in raw.items()}


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
}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "budget": int, "max_turns": int, "seed": int, "temperature": (int, float), "log": bool, "unsafe_sandbox": bool,
}  # fmt: skip


def _checked(path: Path, name: str, value: Any) -> Any:
    """The value of an option in the type that `Settings` has for it; paths count from the file's own folder."""
    where = f"{path}: {name}"
    if name in _CHOICES and value not in _CHOICES[name]:
        raise UsageError(f"{value!r} is not one of {', '.join(_CHOICES[name])}", where=where, mend="take one of these")
    if name == "mcp":
        listed = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in listed):
            raise UsageError("mcp takes a path or a list of paths", where=where, mend='write mcp = ["mcp.json"]')
        return tuple(path.parent / Path(one).expanduser() for one in listed)
    kind = _KINDS.get(name, str)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = kind.__name__ if isinstance(kind, type) else "number"
        raise UsageError(f"{name} takes a {wanted}, not {value!r}", where=where, mend=f"write a {wanted}")
    return path.parent / Path(str(value)).expanduser() if name == "workspace" else value
