"""`kill -9` of the host, or of the worker, at boundaries of the journal of a 30-call program.

A resumed run gives the same answer, or asks about the one call whose fate is unknown; nothing recorded is sent again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from atlas.runtime.episodes import EpisodeStore

from ..waiting import PATIENCE_SECONDS, ended

SCRIPT = Path(__file__).parent / "killed" / "boundaries.py"
TEXTS = ["zero", "one", "two"]
ANSWER = [
    [0, 1, 4, *[part for n in range(3, 9) for part in (n * n, TEXTS[n % 3])], "not_found", *[n * n for n in range(9, 15)]],
    [TEXTS[n % 3] for n in range(8)],
    True,
]
CALLS = 30
ADDED = range(15)


class Place:
    """State folder, workspace and ledger of one run and its resumes."""

    def __init__(self, nest: subprocess.Popen[str], folder: Path) -> None:
        self.nest, self.folder = nest, folder
        folder.mkdir()
        workspace = folder / "workspace"
        workspace.mkdir()
        for number, text in enumerate(TEXTS):
            (workspace / f"{number}.txt").write_text(text)
        self.ledger = folder / "ledger"
        self.ledger.touch()

    def run(self, what: str, **order: object) -> tuple[int, dict]:
        """Exit code, and what the run came to ({} where it was killed)."""
        assert self.nest.stdin is not None and self.nest.stdout is not None
        out = self.folder / "out"
        out.unlink(missing_ok=True)
        paths = {"home": self.folder / "home", "workspace": self.folder / "workspace", "ledger": self.ledger, "out": out}
        line = {"what": what, **{name: str(path) for name, path in paths.items()}, **order}
        self.nest.stdin.write(json.dumps(line) + "\n")
        self.nest.stdin.flush()
        code = int(self.nest.stdout.readline())
        assert out.exists() or code == -9, out.with_name("out.err").read_text()
        return code, json.loads(out.read_text()) if out.exists() else {}

    def sent(self) -> Counter[int]:
        return Counter(int(line) for line in self.ledger.read_text().split())

    def record(self):
        if not (self.folder / "home" / "episodes.db").exists():
            return None
        with EpisodeStore(self.folder / "home" / "episodes.db") as store:
            return store.get("latest") if store.ids() else None


@pytest.fixture
def nest():
    with ended(
        subprocess.Popen([sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ) as process:
        yield process
        process.communicate(timeout=PATIENCE_SECONDS)


def check_host(place: Place, at: int, when: str) -> str:
    """Kill the host at one boundary and resume; what it came to."""
    code, _ = place.run("run", who="host", at=at, when=when)
    assert code == -9
    record = place.record()
    if record is None:
        return "before the episode"
    recorded = [call.arguments["number"] for call in record.calls if call.finished and call.tool == "app.add"]
    flying = [call for call in record.calls if call.in_flight and not call.repeatable]
    if record.episode.status == "answered":
        assert record.episode.answer == ANSWER
        return "after the end"
    before = place.sent()
    assert all(before[number] == 1 for number in recorded)
    _, told = place.run("stop")
    came = "resumed"
    if "asked" in told:
        assert len(flying) == 1 and f"app.add(number={flying[0].arguments['number']})" in told["asked"]
        assert place.sent() == before  # asked before anything was sent
        _, told = place.run("repeat")
        came = "asked"
    check_end(place, told, at_most_twice=[call.arguments["number"] for call in flying])
    return came


def check_worker(place: Place, at: int, when: str) -> str:
    """Kill the worker at one boundary: the run goes on by itself."""
    code, told = place.run("run", who="worker", at=at, when=when)
    assert code == 0
    check_end(place, told, at_most_twice=[])
    return "went on"


def check_end(place: Place, told: dict, at_most_twice: list[int]) -> None:
    assert (told["status"], told["answer"], told["calls"]) == ("answered", ANSWER, CALLS), told
    sent = place.sent()
    assert sorted(sent) == list(ADDED)
    assert all(count == 1 or (number in at_most_twice and count == 2) for number, count in sent.items()), sent
    record = place.record()
    assert [call.number for call in record.calls] == list(range(1, CALLS + 1))
    assert all(call.finished for call in record.calls)


def boundaries(nest: subprocess.Popen[str], folder: Path) -> list[tuple[str, int, str]]:
    """All of them, found by a run that nobody kills."""
    code, told = Place(nest, folder / "whole").run("run")
    assert code == 0 and (told["status"], told["answer"], told["calls"]) == ("answered", ANSWER, CALLS), told
    count = told["statements"]
    assert count >= 2 * CALLS
    return [(who, at, when) for who in ("host", "worker") for at in range(1, count + 1) for when in ("before", "after")]


def check_all(nest: subprocess.Popen[str], folder: Path, chosen: list[tuple[str, int, str]]) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for who, at, when in chosen:
        place = Place(nest, folder / f"{who}-{at}-{when}")
        outcomes[(check_host if who == "host" else check_worker)(place, at, when)] += 1
    return outcomes


def test_a_kill_at_some_boundaries_of_the_journal_loses_nothing(tmp_path, nest):
    every = boundaries(nest, tmp_path)
    outcomes = check_all(nest, tmp_path, every[5::61])
    assert outcomes["resumed"] + outcomes["asked"] and outcomes["went on"], outcomes


@pytest.mark.kill
def test_a_kill_at_every_boundary_of_the_journal_loses_nothing(tmp_path, nest):
    every = boundaries(nest, tmp_path)
    outcomes = check_all(nest, tmp_path, every)
    assert sum(outcomes.values()) == len(every)
    assert outcomes["asked"] >= len(ADDED) and outcomes["resumed"] >= CALLS, outcomes
