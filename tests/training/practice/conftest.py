"""A mail server that counts what it is asked to send, and episodes in which it was asked."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from atlas.runtime import Episode, Runtime
from atlas.runtime.episodes import open_store
from atlas.runtime.episodes.rows import Record
from atlas.runtime.policies import ScriptedPolicy

SERVER = Path(__file__).parents[2] / "mail_server.py"


@dataclass
class Mail:
    """The server's configuration, the file in which it counts, and a workspace."""

    config: Path
    count: Path
    workspace: Path
    home: Path

    @property
    def sent(self) -> list[str]:
        """The addresses to which emails really went."""
        return self.count.read_text().splitlines() if self.count.exists() else []

    def run(self, replies: list[str], task: str = "Write to Ann.") -> tuple[Episode, Record]:
        """A run of the user's own, with the live server."""

        async def go() -> tuple[Episode, Record]:
            runtime = Runtime(
                ScriptedPolicy(replies), mcp=self.config, workspace=self.workspace, approve="auto", budget=6_000
            )
            async with asyncio.timeout(90), runtime:
                episode = await runtime.run(task)
                return episode, runtime.store.get(episode.id)

        return asyncio.run(go())


@pytest.fixture
def mail(tmp_path: Path, atlas_home: str) -> Mail:
    count = tmp_path / "sent.txt"
    config = tmp_path / "mcp.json"
    server = {"command": sys.executable, "args": [str(SERVER), str(count)], "trustHints": True}
    config.write_text(json.dumps({"mcpServers": {"mail": server}}))
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "note.txt").write_text("hello\n")
    return Mail(config, count, workspace, Path(atlas_home))


@pytest.fixture
def store(atlas_home: str):
    with open_store(Path(atlas_home)) as opened:
        yield opened
