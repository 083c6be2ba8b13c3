"""Many programs in a row on one host: memory, descriptors and processes stay where they were."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from typing import Any

import pytest

from atlas.sandbox import Limits, Sandbox, ToolError, keep_warm
from atlas.sandbox.nursery import SPARES

from ..waiting import until
from .support import descendants

TOOLS: dict[str, Any] = {
    "demo.echo": {"type": "object", "properties": {"value": {}}, "required": ["value"]},
    "demo.fail": {"type": "object", "properties": {}},
}
PROGRAMS = (
    "x = [demo.echo(value=n) for n in range(5)]\nsum(x)",
    "try:\n    demo.fail()\nexcept ToolError as error:\n    print(error.kind)",
    "import asyncio\nawait asyncio.gather(*[demo.echo(value='x' * 1000) for _ in range(5)])\nNone",
    "def f(n): return f",
    "class A:\n    def __init__(self):\n        self.me = self\nfor _ in range(50):\n    a = A()",
    "1 / 0",
    "nonsense(",
    "print('y' * 2_000)",
)
EPISODE = 25
"""Programs of one sandbox."""
HOST_GROWTH_MB = 4.0
WORKER_GROWTH_MB = 4.0
"""The bounds, from when everything has run a few times to the end, whatever the number of programs."""


def call(tool: str, arguments: dict[str, Any]) -> Any:
    """The tools of these programs."""
    if tool == "demo.fail":
        raise ToolError("it fails", "failed")
    return arguments["value"]


async def awaited(tool: str, arguments: dict[str, Any]) -> Any:
    """The same, for an event loop."""
    await asyncio.sleep(0)
    return call(tool, arguments)


def resident_mb(pid: int | str = "self") -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def run_many(count: int, *, episodes: bool) -> None:
    """Programs one after the other: in one sandbox, or in a new one every so often; now and then with a limit or a kill."""
    limits = Limits(wall_seconds=60, cpu_seconds=20, max_calls=50)
    done = 0
    with asyncio.Runner() as runner:
        while done < count:
            with Sandbox(limits) as sandbox:
                for _ in range(EPISODE if episodes else count):
                    source = PROGRAMS[done % len(PROGRAMS)]
                    if done % 3:
                        outcome = sandbox.run(source, TOOLS, call)
                    else:
                        outcome = runner.run(sandbox.arun(source, TOOLS, awaited, read_only=("demo.echo",)))
                    assert outcome.status in ("ok", "error", "refused"), outcome
                    done += 1


def check_growth(count: int, *, episodes: bool) -> None:
    """Nothing grows from after a tenth of the programs to the end."""
    earlier = descendants(os.getpid())  # of other tests in this process

    def ours() -> set[int]:
        return descendants(os.getpid()) - earlier

    with keep_warm(), Sandbox() as before:
        assert before.run("1").value == 1 and before._nursery is not None
        parent = before._nursery._process.pid
        run_many(max(60, count // 10), episodes=episodes)
        gc.collect()
        first, open_before = resident_mb(), len(os.listdir("/proc/self/fd"))
        zygote = resident_mb(parent)
        run_many(count, episodes=episodes)
        gc.collect()
        assert resident_mb() - first < HOST_GROWTH_MB, (first, resident_mb())
        assert resident_mb(parent) - zygote < WORKER_GROWTH_MB
        until(lambda: len(ours()) <= 2 + SPARES)  # the parent of workers, this sandbox's, the spare ones
        assert len(os.listdir("/proc/self/fd")) <= open_before + 2 * SPARES
    until(lambda: not ours())


def test_programs_in_a_row_leave_nothing_behind():
    check_growth(150, episodes=True)


def test_a_worker_does_not_grow_from_program_to_program():
    with Sandbox(Limits(max_calls=50)) as sandbox:
        sizes = []
        for _ in range(12):
            for source in PROGRAMS * 4:
                sandbox.run(source, TOOLS, call)
            assert sandbox.worker_pid is not None
            sizes.append(resident_mb(sandbox.worker_pid))
        assert sizes[-1] - sizes[3] < 1.0, sizes


@pytest.mark.slow
@pytest.mark.parametrize("episodes", [True, False])
def test_ten_thousand_programs_in_a_row_leave_nothing_behind(episodes: bool):
    check_growth(10_000, episodes=episodes)
