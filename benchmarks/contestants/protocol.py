"""What every contestant of `benchmarks/sandbox.py` shares: orders come line by line, seconds go back. No dependency."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

TRIVIAL = "1 + 1"
LOOP = "total = 0\nfor i in range(100):\n    total += {call}(value=i)\ntotal"
GATHER = "import asyncio\nsum(await asyncio.gather(*[{call}(value=i) for i in range(100)]))"
SUM = 4950
PAUSE_SECONDS = 0.05
"""Between two episodes, so that a pool has time to make the next worker."""


def serve(cases: dict[str, Callable[[], Any]], *, ready: dict[str, Any]) -> None:
    """Answer `{"case", "count"}` with a list of seconds, or with what a case that measures something else returns."""
    print(json.dumps(ready | {"cases": sorted(cases)}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        results = []
        for number in range(order["count"]):
            if number:
                time.sleep(order.get("pause", 0.0))
            results.append(cases[order["case"]]())
        print(json.dumps(results), flush=True)


def seconds(work: Callable[[], Any], expected: Any) -> float:
    """How long `work` takes; it must come to `expected`."""
    started = time.perf_counter()
    got = work()
    took = time.perf_counter() - started
    assert got == expected, got
    return took


def private_mb(pid: int) -> float | None:
    """Memory that no other process shares; None where this user may not look."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return round(sum(int(line.split()[1]) for line in file if line.startswith("Private_")) / 1024, 2)
    except OSError:
        return None


def children(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    if int(file.read().rpartition(")")[2].split()[1]) == pid:
                        found.append(int(entry))
            except OSError:
                continue
    return found


def wait_until_quiet(pid: int, most_seconds: float = 10.0) -> None:
    """Until every process below `pid` has slept for a while: a pool has made what it makes ahead of time."""
    until, quiet = time.monotonic() + most_seconds, 0
    while quiet < 3 and time.monotonic() < until:
        below = children(pid)
        below += [one for child in below for one in children(child)]
        quiet = quiet + 1 if all(_sleeps(one) for one in below) else 0
        time.sleep(0.01)


def _sleeps(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] in ("S", "Z")
    except OSError:
        return True
