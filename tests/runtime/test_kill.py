"""`kill -9` at random moments of a run: every episode is readable, nothing recorded is sent again, resumes end right."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from atlas.runtime.episodes import EpisodeStore

from ..waiting import PATIENCE_SECONDS, ended, until, until_dead

HERE = Path(__file__).parent / "killed"
ANSWER = [0, 1, 4, 103, 16, 105, 36, 49, 64, 81]


class Nest:
    """The process that makes the processes to be killed."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "run.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def hatch(self, **order: str) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate(timeout=PATIENCE_SECONDS)


@pytest.fixture
def nest():
    nest = Nest()
    with ended(nest.process):
        yield nest
        nest.close()


class Place:
    """One state folder with its server configuration and ledger."""

    def __init__(self, folder: Path, nest: Nest) -> None:
        folder.mkdir()
        self.nest = nest
        self.home, self.ledger, self.mcp, self.out = (folder / name for name in ("home", "ledger.txt", "mcp.json", "out"))
        self.ledger.touch()
        server = {"command": sys.executable, "args": [str(HERE / "server.py"), str(self.ledger)]}
        self.mcp.write_text(json.dumps({"mcpServers": {"ledger": server | {"idempotentTools": ["look"]}}}))

    def start(self, what: str) -> int:
        self.out.unlink(missing_ok=True)
        return self.nest.hatch(home=str(self.home), mcp=str(self.mcp), out=str(self.out), what=what)

    def said(self) -> list[str]:
        return self.out.read_text().splitlines() if self.out.exists() else []

    def finish(self, what: str) -> dict:
        """Run to the end; the last line it printed."""
        process = self.start(what)
        until_dead(process)
        assert len(self.said()) == 2, self.said()
        return json.loads(self.said()[1])

    def killed(self, delay_seconds: float) -> None:
        """Start, and kill that long after the runtime was open."""
        process = self.start("run")
        until(lambda: self.said() or not alive_in_session(process))
        assert self.said()[0] == "open", self.said()
        time.sleep(delay_seconds)
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        until(lambda: not alive_in_session(process))

    def lines(self) -> Counter[str]:
        return Counter(line.rsplit(" ", 1)[0] for line in self.ledger.read_text().splitlines())

    def servers(self) -> set[int]:
        return {int(line.rsplit(" ", 1)[1]) for line in self.ledger.read_text().splitlines()}

    def record(self):
        with EpisodeStore(self.home / "episodes.db") as store:
            return store.get("latest") if store.ids() else None


def alive_in_session(session: int) -> list[int]:
    """Processes of a session, from /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def check_one_kill(place: Place, delay_seconds: float) -> str:
    """Kill a run and resume it; what it came to."""
    place.killed(delay_seconds)
    for process in place.servers():
        until_dead(process)
    record = place.record()
    if record is None:
        return "before the episode"
    returned = [call for call in record.calls if call.finished]
    flying = [call for call in record.calls if call.in_flight]
    assert len(flying) <= 1 and [call.value for call in returned] == ANSWER[: len(returned)]
    if record.episode.status == "answered":
        assert record.episode.answer == ANSWER
        return "after the end"
    before = place.lines()
    told = place.finish("stop")
    outcome = "resumed"
    if "asked" in told:
        assert len(flying) == 1 and flying[0].tool == "ledger.add"
        assert f"ledger.add(number={flying[0].arguments['number']})" in told["asked"]
        assert place.lines() == before  # asked before anything was sent
        told = place.finish("repeat")
        outcome = "asked"
    assert (told["status"], told["answer"], told["calls"]) == ("answered", ANSWER, 10)
    sent = place.lines()
    for call in returned:
        assert sent[f"{call.tool.removeprefix('ledger.')} {call.arguments['number']}"] == 1, call
    assert sum(sent.values()) <= 11 and len(sent) == 10
    return outcome


def check_kills(folder: Path, nest: Nest, count: int, seed: int) -> Counter[str]:
    whole = Place(folder / "whole", nest)
    assert whole.finish("run")["answer"] == ANSWER
    record = whole.record()
    length = record.episode.seconds
    rng = random.Random(seed)
    outcomes: Counter[str] = Counter()
    for number in range(count):
        place = Place(folder / str(number), nest)
        outcomes[check_one_kill(place, rng.uniform(0, length * 1.05))] += 1
    return outcomes


def test_runs_killed_at_random_moments_are_resumed(tmp_path, nest):
    assert sum(check_kills(tmp_path, nest, 3, seed=3).values()) == 3


@pytest.mark.kill
def test_twenty_runs_killed_at_random_moments_are_resumed(tmp_path, nest):
    outcomes = check_kills(tmp_path, nest, 20, seed=20)
    assert sum(outcomes.values()) == 20
    assert outcomes["resumed"] + outcomes["asked"] >= 10, outcomes
