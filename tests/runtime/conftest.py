"""A small workspace, and runs of scripted policies over it with the real toolbox, sandbox and log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from atlas.runtime import Episode, Runtime
from atlas.runtime.episodes import Record
from atlas.runtime.policies.scripted import ScriptedPolicy

RUN_SECONDS = 60


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "notes.md").write_text("one two three\nfour\n")
    (folder / "todo.txt").write_text("buy milk\ncall Ann\n")
    return folder


class Runs:
    """Runs scripted replies to their end; the log is read back as it lies on disk."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def __call__(self, replies: Sequence[str] | Callable[[Any], str], task: str = "a task", **options: Any) -> Episode:
        return self.recorded(replies, task, **options)[0]

    def recorded(
        self, replies: Sequence[str] | Callable[[Any], str], task: str = "a task", **options: Any
    ) -> tuple[Episode, Record]:
        async def go() -> tuple[Episode, Record]:
            async with asyncio.timeout(RUN_SECONDS), self.runtime(replies, **options) as runtime:
                episode = await runtime.run(task)
                return episode, runtime.store.get(episode.id)

        return asyncio.run(go())

    def runtime(self, replies: Any, **options: Any) -> Runtime:
        policy = replies if hasattr(replies, "propose") else ScriptedPolicy(replies)
        settings = {"workspace": self.workspace, "approve": "auto", "budget": 6_000} | options
        return Runtime(policy, **settings)


@pytest.fixture
def runs(workspace: Path) -> Runs:
    return Runs(workspace)
