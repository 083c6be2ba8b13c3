"""Hostile programs get nothing, end in time, and leave a worker (or a fresh one) that behaves."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping

import pytest

from atlas.sandbox import Limits, Sandbox

from ..waiting import until_gone
from . import hostile_cves as cves
from . import hostile_inventions as inventions
from . import hostile_libraries as libraries
from . import hostile_programs as hostile
from . import support

LIMITS = Limits(wall_seconds=2.0, memory_mb=64, max_calls=50, max_output_bytes=10_000, cpu_seconds=0.12)
CATEGORIES: dict[str, dict[str, str]] = {
    name: dict(programs)
    for kind in (hostile.PROGRAMS, libraries.PROGRAMS, inventions.PROGRAMS) for name, programs in kind.items()
}  # fmt: skip
HARMLESS = {name: CATEGORIES[category].pop(name) for category in CATEGORIES for name in [*CATEGORIES[category]]
            if name in hostile.HARMLESS}  # fmt: skip
ENDS = frozenset({"refused", "error", "limit", "killed"})


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as opened:
        yield opened


def _existing(programs: Mapping[str, str]) -> list[str]:
    """Files and folders that these programs name, and that are there. (Whole folders belong to others as well.)"""
    named = {path for source in programs.values() for path in re.findall(r"""['"](/[^'"\\ \0]+)['"]""", source)}
    return sorted(path for path in named if os.path.exists(path))


def _sockets(pid: int) -> int:
    """Sockets that a process holds open."""
    count = 0
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile: it may be making a worker
            count += os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:")
    return count


def _run(sandbox: Sandbox, source: str, allowed: frozenset[str] = ENDS) -> str | None:
    """What is wrong with the end of a hostile program."""
    served: list[str] = []

    def call(tool: str, arguments: dict[str, object]) -> object:
        served.append(tool)
        return arguments

    began = time.monotonic()
    outcome = sandbox.run(source, support.ECHO, call)
    took = time.monotonic() - began
    wrong = [
        text for bad, text in (
            (outcome.status not in allowed, f"it ended {outcome.status} with {outcome.value!r}"),
            (took > LIMITS.wall_seconds + 5.0, f"it took {took:.1f} seconds"),
            (len(served) > LIMITS.max_calls or set(served) - {"demo.echo"}, f"{len(served)} calls: {set(served)}"),
            (len(outcome.output.encode()) > LIMITS.max_output_bytes, "it printed too much"),
            (outcome.peak_rss_mb > LIMITS.memory_mb + 40, f"it took {outcome.peak_rss_mb} MB"),
        ) if bad
    ]  # fmt: skip
    support.works(sandbox)
    return "; ".join(wrong) or None


def _run_all(sandbox: Sandbox, programs: Mapping[str, str]) -> None:
    before = _existing(programs)
    wrong = {name: text for name, source in programs.items() if (text := _run(sandbox, source)) is not None}
    assert wrong == {}
    assert _existing(programs) == before
    if sys.platform == "linux":
        assert sandbox._nursery is not None
        zygote = sandbox._nursery._process.pid
        assert _sockets(zygote) == 1
        workers = support.descendants(zygote)
        assert sandbox.worker_pid in workers
        assert all(support.descendants(worker) == set() for worker in workers)


@pytest.mark.parametrize("category", CATEGORIES)
def test_hostile_programs_end_and_get_nothing(sandbox: Sandbox, category: str) -> None:
    _run_all(sandbox, CATEGORIES[category])


@pytest.mark.parametrize("cve", cves.PROGRAMS)
def test_the_patterns_of_published_holes_get_nothing(sandbox: Sandbox, cve: str) -> None:
    _run_all(sandbox, {source: source for source in cves.PROGRAMS[cve]})


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_hostile_gets_nothing_either(sandbox: Sandbox, name: str) -> None:
    assert _run(sandbox, HARMLESS[name], ENDS | {"ok"}) is None


def test_there_are_enough_of_them() -> None:
    assert sum(map(len, CATEGORIES.values())) >= 500 and len(CATEGORIES) >= 15
    assert len(cves.PROGRAMS) == 9 and all(len(programs) >= 7 for programs in cves.PROGRAMS.values())


def test_nothing_was_left_behind() -> None:
    with Sandbox(LIMITS) as sandbox:
        sandbox.run("while True: pass", support.ECHO, support.give_back)
        support.works(sandbox)
        pid = sandbox.worker_pid
    assert pid is not None
    until_gone(pid)  # killed when the block ends, and reaped by its parent right after
