"""Work that can hold an interpreter for long (patterns, units, SQL), given to a killable child."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from . import child, measures, patterns
from .errors import ToolboxError
from .folders import find_files
from .workspace import Workspace, check_regular, shown

_PATTERN_SECONDS = 2.0
_UNIT_SECONDS = 5.0
_QUERY_SECONDS = 10.0
_FILES_LIMIT = 24  # descriptors that go to the child with one message
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


class Jobs:
    """Where patterns, units and queries run: each kind in its own child, or (not `isolated`) mostly right here."""

    def __init__(self, *, isolated: bool = True, held: bool = False) -> None:
        """`held` says that the caller holds the children open, so that one closed mid-call was closed on purpose."""
        self._isolated = isolated
        self._retry = not held

    def patterns(self, job: str, **arguments: Any) -> Any:
        """Run a job of `patterns.py`."""
        if not self._isolated:
            return _here(patterns, job, arguments)
        return child.PATTERNS.call(job, arguments, seconds=_PATTERN_SECONDS, slow="the pattern", retry=self._retry)

    def measures(self, job: str, **arguments: Any) -> Any:
        """Run a job of `measures.py`."""
        if not self._isolated:
            return _here(measures, job, arguments)
        return child.MEASURES.call(job, arguments, seconds=_UNIT_SECONDS, slow="the conversion", retry=self._retry)

    def query(self, workspace: Workspace, query: str) -> list[dict[str, Any]]:
        """Run one SELECT over files of the workspace, which are opened here and handed over open."""
        names = self._sql("plan", {"query": query})
        with ExitStack() as opened:
            files = {name: _open_all(workspace, name, opened) for name in names}
            if sum(map(len, files.values())) > _FILES_LIMIT:
                raise ToolboxError(f"more than {_FILES_LIMIT} files in one query; query fewer at a time")
            rows: list[dict[str, Any]] = self._sql("run", {"query": query, "files": {}}, files)
            return rows

    def describe_table(self, workspace: Workspace, path: str) -> dict[str, Any]:
        """Row count and column types of a table file."""
        with ExitStack() as opened:
            files = {path: [_open_one(workspace, path, opened)]}
            found: dict[str, Any] = self._sql("describe", {"name": path}, files)
            return found

    def _sql(self, job: str, arguments: dict[str, Any], files: dict[str, list[int]] | None = None) -> Any:
        return child.QUERIES.call(job, arguments, seconds=_QUERY_SECONDS, slow="the query", files=files, retry=self._retry)


@asynccontextmanager
async def children_held() -> AsyncIterator[None]:
    """While this is open the children stay warm; when the last one closes they end."""
    child.hold_children()
    try:
        yield
    finally:
        child.release_children()


def _here(module: Any, job: str, arguments: dict[str, Any]) -> Any:
    try:
        return getattr(module, job)(**arguments)
    except ValueError as problem:
        raise ToolboxError(str(problem)) from None


def _open_all(workspace: Workspace, name: str, opened: ExitStack) -> list[int]:
    if not any(sign in name for sign in "*?[") or _is_there(workspace, name):
        return [_open_one(workspace, name, opened)]
    paths = find_files(workspace, name)
    if not paths:
        raise ToolboxError(f"no files match: {shown(name)}", "not_found")
    if len(paths) > _FILES_LIMIT:
        raise ToolboxError(f"{len(paths)} files match {shown(name)}, at most {_FILES_LIMIT} can be queried at once")
    return [_open_one(workspace, path, opened) for path in paths]


def _is_there(workspace: Workspace, name: str) -> bool:
    """Whether there is a file of that very name: it is no pattern then."""
    status = workspace.status(workspace.relative(name))
    return status is not None and stat.S_ISREG(status.st_mode)


def _open_one(workspace: Workspace, name: str, opened: ExitStack) -> int:
    path = workspace.relative(name)
    descriptor = opened.enter_context(workspace.opened(path, _READ))
    check_regular(descriptor, path)
    return descriptor
