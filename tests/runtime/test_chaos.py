"""Several runs at once over servers that die, hang, dawdle and garble at random, and are killed besides.

Every call ends in its own result or in a typed error; afterwards there is no process and no task.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from atlas.runtime import Runtime
from atlas.runtime.events import CallFinished
from atlas.runtime.policies.scripted import ScriptedPolicy
from atlas.sandbox import Limits

SERVER = Path(__file__).parents[1] / "tools_registry" / "servers" / "chaotic.py"
KINDS = {"server", "timeout", "failed", "too_large", "invalid_result"}
PROGRAM = """
results = []
for number in range({calls}):
    server = [first.echo, second.echo, third.echo][(number + {episode}) % 3]
    token = f"{episode}-{{number}}"
    try:
        results.append([token, "ok", server(token=token)])
    except ToolError as error:
        results.append([token, error.kind, error.message])
answer(results)
"""


def processes(mark: str) -> list[int]:
    """The servers of this test that live."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"CHAOS={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


class Killer:
    """Kills a server after every so many calls."""

    def __init__(self, mark: str, seed: int, every: int) -> None:
        self.mark, self.every = mark, every
        self.rng = random.Random(seed)
        self.finished = 0

    def hear(self, event: object) -> None:
        if isinstance(event, CallFinished):
            self.finished += 1
            if self.finished % self.every == 0:
                for process in self.rng.sample(alive := processes(self.mark), min(1, len(alive))):
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)


async def chaos(folder: Path, seed: int, *, episodes: int, calls: int) -> list[list[list[object]]]:
    mark = secrets.token_hex(8)
    entry = {"command": sys.executable, "env": {"CHAOS": mark}, "timeout": 1, "connectTimeout": 120}
    servers = {name: {**entry, "args": [str(SERVER), f"{seed}{name}"]} for name in ("first", "second", "third")}
    (folder / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    killer = Killer(mark, seed, every=9)
    programs = iter([PROGRAM.format(calls=calls, episode=episode) for episode in range(episodes)])
    before = asyncio.all_tasks()
    async with Runtime(
        ScriptedPolicy(lambda _: next(programs)), mcp=folder / "mcp.json", workspace=folder, approve="auto", home=folder,
        budget=6_000, limits=Limits(wall_seconds=1_800),
    ) as runtime:  # fmt: skip
        runs = [runtime.run(f"task {number}", on_event=killer.hear) for number in range(episodes)]
        done = await asyncio.gather(*runs)
        rows = [row for episode in done for row in runtime.store.get(episode.id).calls]
        assert all(row.finished for row in rows) and len(rows) == episodes * calls
    assert asyncio.all_tasks() == before
    deadline = time.monotonic() + 30
    while left := processes(mark):  # one that was just killed takes a moment to go
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.02)
    return [episode.answer for episode in done]


def check(folder: Path, seed: int, **sizes: int) -> set[object]:
    """The ways in which calls ended."""
    answers = asyncio.run(chaos(folder, seed, **sizes))
    for results in answers:
        assert len(results) == sizes["calls"]
        for token, kind, got in results:
            if kind == "ok":
                assert got == {"token": token}
            else:
                assert kind in KINDS and isinstance(got, str) and got, (token, kind, got)
    kinds = {kind for results in answers for _, kind, _ in results}
    assert "ok" in kinds
    return kinds


def test_every_call_ends_in_its_own_result_or_a_typed_error(tmp_path):
    check(tmp_path, seed=7, episodes=3, calls=8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_two_hundred_calls_of_five_runs(tmp_path, seed):
    assert {"server", "timeout", "failed"} <= check(tmp_path, seed=seed, episodes=5, calls=40)
