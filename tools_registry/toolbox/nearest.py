"""The nearest path that exists, for `did you mean` in errors."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from .errors import ToolboxError
from .folders import names_in, walk_files

if TYPE_CHECKING:
    from .workspace import Workspace

_LOOKED_AT = 2_000


def nearest_path(workspace: Workspace, path: str) -> str | None:
    """A path like `path` that exists: the same folder first, then the same name elsewhere."""
    folder, _, name = path.rpartition("/")
    try:
        beside = [found.rstrip("/") for found in names_in(workspace, folder or ".")]
    except (ToolboxError, OSError):
        beside = []
    near = _closest(name, beside)
    if near:
        return f"{folder}/{near}" if folder else near
    try:
        elsewhere = list(walk_files(workspace, limit=_LOOKED_AT, strict=False))
    except (ToolboxError, OSError):
        return None
    same = [found for found in elsewhere if found.rsplit("/", 1)[-1].lower() == name.lower()]
    return same[0] if same else _closest(path, elsewhere)


def _closest(name: str, options: list[str]) -> str | None:
    lowered = {option.lower(): option for option in options}
    near = difflib.get_close_matches(name.lower()[:200], list(lowered), n=1, cutoff=0.7)
    return lowered[near[0]] if near else None
