"""Where a rollout acts: a generated world, a copy of the workspace, or recorded results. Never a live world.

A place opens a fresh scene for every rollout; whatever the policy does there is gone with the scene.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ..evaluate import servers_of, world_verdict
from ..suites import SuiteTask, suite_task
from ..worlds.base import Task
from ..worlds.rehearse import Rehearsal, rehearse

if TYPE_CHECKING:
    from ...runtime import Episode
    from ...tools_registry.registry import Registry

Kind = Literal["world", "workspace", "recorded"]


@dataclass(slots=True)
class Scene:
    """One fresh place to act in."""

    runtime_options: dict[str, Any]
    """Workspace, tools, toolbox and clock, as `Runtime` takes them."""
    left_record: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the program made a call whose result nobody knows: the rollout ends there, its outcome unknown."""
    unknown_call: str = ""

    def opened(self, registry: Registry) -> None:
        """The runtime knows its tools now."""

    def verdict(self, episode: Episode) -> tuple[float | None, str]:
        """How well the episode did (None where nobody can say), and why."""
        return None, ""


class Place(Protocol):
    """Somewhere to practise a task."""

    @property
    def kind(self) -> Kind:
        """What makes it safe."""
        ...

    @property
    def world_task(self) -> Task | None:
        """The generated task, where there is one."""
        ...

    def scene(self) -> Any:
        """An asynchronous context with a fresh `Scene`."""
        ...


@lru_cache(maxsize=512)
def made_world(name: str) -> tuple[SuiteTask, Rehearsal]:
    """A suite's task with its world, and what its reference does there."""
    item = suite_task(name)
    return item, rehearse(item.world, item.task)


@dataclass(frozen=True, slots=True)
class WorldPlace:
    """The generated world of a suite's task; every scene is a world of its own, made again from its seed."""

    name: str
    kind: Kind = "world"

    @property
    def world_task(self) -> Task:
        """The task that the world was made for."""
        return made_world(self.name)[0].task

    @asynccontextmanager
    async def scene(self) -> AsyncIterator[Scene]:
        """A fresh state of the world, checked at the end."""
        item, expected = made_world(self.name)
        state = item.world.open()
        try:
            with _scratch() as folder:
                yield _WorldScene(
                    {
                        "workspace": getattr(state, "root", folder), "tools": servers_of(item.world, state),
                        "toolbox": bool(item.world.files), "now": lambda: item.world.now,
                    },
                    task=item.task, expected=expected, state=state,
                )  # fmt: skip
        finally:
            state.close()


@dataclass(slots=True)
class _WorldScene(Scene):
    task: Task | None = None
    expected: Rehearsal | None = None
    state: Any = None

    def verdict(self, episode: Episode) -> tuple[float | None, str]:
        assert self.task is not None and self.expected is not None
        success, why = world_verdict(self.task, self.expected, episode, self.state.snapshot())
        return (1.0 if success else 0.0), why


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="atlas-practice-") as folder:
        yield Path(folder)


MAX_COPY_BYTES = 256 * 1024 * 1024
MAX_COPY_FILES = 20_000


def copy_problem(folder: Path) -> str | None:
    """Why a workspace cannot be copied for every rollout; None where it can."""
    if not folder.is_dir():
        return f"its workspace {folder} is gone"
    files = total = 0
    try:
        for path in folder.rglob("*"):
            files += 1
            total += path.lstat().st_size
            if files > MAX_COPY_FILES or total > MAX_COPY_BYTES:
                return f"its workspace {folder} is too large to be copied for every rollout"
    except OSError as problem:
        return f"its workspace cannot be read: {problem}"
    return None


def copy_workspace(folder: Path, target: Path) -> None:
    """A copy in which everything may be changed. Links stay links: the toolbox follows none out of its workspace."""
    shutil.copytree(folder, target, symlinks=True, dirs_exist_ok=True, ignore=_only_files_and_folders)


def _only_files_and_folders(folder: str, names: list[str]) -> list[str]:
    """Sockets, pipes and devices cannot be copied, and the toolbox does not read them."""
    here = Path(folder)
    return [name for name in names if not ((here / name).is_symlink() or (here / name).is_file() or (here / name).is_dir())]
