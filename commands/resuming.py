"""Where an episode goes on: in its own workspace and with its own servers, from whatever folder the command is given."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .settings import Settings
from .trusting import is_trusted, was_trusted

if TYPE_CHECKING:
    from ..runtime.episodes.rows import EpisodeRow

_PLAIN = (None, "nano", "auto", "latest")
"""Models and adapters that a plain `atlas run --resume` finds by itself."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """An episode that is gone on with: its whole id, the settings for it, and lines to tell the user."""

    episode: str
    settings: Settings
    notices: Sequence[str]


def as_begun(home: Path, key: str, settings: Settings, *, workspace: bool, servers: bool) -> Resumed:
    """The settings with the episode's own workspace and server files, in so far as flags (`workspace`, `servers`) name none.

    Raises `EpisodeError` where there is no such episode, or its workspace is gone.
    """
    from ..runtime.resuming import recorded_workspace

    row = _row(home, key)
    notices: list[str] = []
    folder = None if workspace else recorded_workspace(row)
    if folder is not None:
        settings = replace(settings, workspace=folder)
        notices += [f"going on in {folder}"] if folder.resolve() != Path.cwd().resolve() else []
    if not servers and "mcp" in row.settings:
        files = [Path(path) for path in row.settings["mcp"]]
        left_out = {path: why for path in files if (why := _unusable(home, path))}
        settings = replace(settings, mcp=tuple(path for path in files if path not in left_out))
        notices += [f"{path}: not used, because {why}; --mcp names another" for path, why in left_out.items()]
    return Resumed(row.id, settings, notices)


def resume_command(home: Path, episode: str) -> str:
    """What goes on with an episode from any folder."""
    spec = _row(home, episode).settings
    words = ["atlas", "run", "--resume", episode]
    for flag in ("model", "adapter"):
        given = spec.get(f"{flag}_spec")
        words += [f"--{flag}", _absolute(given)] if given not in _PLAIN else []
    return shlex.join(words)


def _row(home: Path, key: str) -> EpisodeRow:
    from ..runtime.episodes.store import open_store

    with open_store(home) as store:
        return store.find(key)


def _unusable(home: Path, path: Path) -> str:
    """Why a server file that an episode had does not count any more; empty where it does."""
    if not path.is_file():
        return "it is not there any more"
    if path.parent != home.resolve() and was_trusted(home, path) and not is_trusted(home, path):
        return "it was changed since it was trusted"
    return ""


def _absolute(spec: str) -> str:
    """A file's whole path; the name of anything else."""
    path = Path(spec).expanduser()
    return str(path.resolve()) if path.exists() else spec
