"""Looking into folders of the workspace: their names, and the files that match a pattern."""

from __future__ import annotations

import fnmatch
import functools
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from .errors import ToolboxError

if TYPE_CHECKING:
    from .workspace import Workspace

_ENTRIES_LIMIT = 200_000
_RESULTS_LIMIT = 10_000
_DEPTH_LIMIT = 64


def names_in(workspace: Workspace, folder: str) -> list[str]:
    """The sorted names in a folder; those of folders end in a slash."""
    with (
        workspace.opened(folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor,
        os.scandir(descriptor) as entries,
    ):
        return sorted(_label(workspace, folder, entry) for entry in entries)


def _label(workspace: Workspace, folder: str, entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return _readable(entry.name) + ("/" if _link_to(workspace, folder, entry.name, stat.S_ISDIR) else "")
    return _readable(entry.name) + ("/" if entry.is_dir(follow_symlinks=False) else "")


def _link_to(workspace: Workspace, folder: str, name: str, kind: object) -> bool:
    try:
        status = workspace.status(name if folder == "." else f"{folder}/{name}")
    except ToolboxError:
        return False  # it leads out of the workspace
    return status is not None and callable(kind) and bool(kind(status.st_mode))


def _readable(name: str) -> str:
    """A name as valid Unicode: bytes that are not UTF-8 become replacement characters."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def walk_files(
    workspace: Workspace,
    folder: str = ".",
    *,
    hidden: bool = False,
    depth: int = _DEPTH_LIMIT,
    limit: int = _ENTRIES_LIMIT,
    strict: bool = True,
) -> Iterator[str]:
    """Relative paths of all regular files beneath a folder; folders behind links are not entered.

    One that cannot be opened (no permission, or gone meanwhile) is left out, unless it is `folder` itself.
    """
    waiting, seen = [(folder, 1)], 0
    while waiting:
        here, level = waiting.pop()
        with ExitStack() as opened:
            try:
                descriptor = opened.enter_context(workspace.opened(here, os.O_RDONLY | os.O_DIRECTORY))
            except ToolboxError:
                if here == folder:
                    raise
                continue
            for entry in opened.enter_context(os.scandir(descriptor)):
                seen += 1
                if seen > limit:
                    if strict:
                        raise ToolboxError(f"more than {limit:,} files and folders; start the pattern with a folder")
                    return
                if entry.name.startswith(".") and not hidden:
                    continue
                path = entry.name if here == "." else f"{here}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if level < depth:
                        waiting.append((path, level + 1))
                elif _is_file(workspace, here, entry):
                    yield _readable(path)


def _is_file(workspace: Workspace, folder: str, entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink():
        return _link_to(workspace, folder, entry.name, stat.S_ISREG)
    return entry.is_file(follow_symlinks=False)


def find_files(workspace: Workspace, pattern: str) -> list[str]:
    """Sorted relative paths of the files that match a glob pattern; hidden names only where the pattern has a dot."""
    parts = workspace.relative(pattern).split("/")
    fixed = _fixed_folder(parts)
    hidden = any(part.startswith(".") for part in parts)
    depth = _DEPTH_LIMIT if "**" in parts else len(parts) - len(fixed)
    folder = "/".join(fixed) or "."
    if not workspace.is_folder(folder):
        return []
    found = []
    for path in walk_files(workspace, folder, hidden=hidden, depth=depth):
        if _matches(path.split("/"), parts):
            found.append(path)
            if len(found) > _RESULTS_LIMIT:
                raise ToolboxError(f"more than {_RESULTS_LIMIT:,} files match {pattern[:80]!r}; use a narrower pattern")
    return sorted(found)


def _fixed_folder(parts: Sequence[str]) -> list[str]:
    fixed: list[str] = []
    for part in parts[:-1]:
        if re.search(r"[*?\[]", part):
            break
        fixed.append(part)
    return fixed


def _matches(names: list[str], parts: list[str]) -> bool:
    """Match path components against pattern components; `**` stands for any number of visible folders."""

    @functools.cache
    def match(name: int, part: int) -> bool:
        if part == len(parts):
            return name == len(names)
        if parts[part] == "**":
            if match(name, part + 1) and (part + 1 < len(parts) or name == len(names)):
                return True
            if name >= len(names) or names[name].startswith("."):
                return False
            return match(name + 1, part) or (part + 1 == len(parts) and name + 1 == len(names))
        return name < len(names) and _name_matches(names[name], parts[part]) and match(name + 1, part + 1)

    return match(0, 0)


def _name_matches(name: str, pattern: str) -> bool:
    if name.startswith(".") and not pattern.startswith("."):
        return False
    return fnmatch.fnmatchcase(name, pattern)
