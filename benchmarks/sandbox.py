"""What a program and its calls cost: Atlas against Monty's warm pool, smolagents' executor and a fresh process.

`python benchmarks/sandbox.py [ROUNDS] [--only atlas,monty] [--json FILE]`

All contestants are up at the same time, each in a process and an environment of its own, and take turns in random order:
in every round each case of each contestant is measured once. The ratios are taken round by round, so what the machine does
besides hits both sides of a ratio alike.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from measure import BIN, heading, peer, table

HERE = Path(__file__).parent / "contestants"
COUNTS = {"first": 2, "later": 10, "calls": 2, "calls_async": 2, "gather": 2, "gather_async": 2}
TITLES = {
    "first": "first trivial program of an episode", "first, closed": "the same, with the episode's end",
    "later": "every later one", "calls": "100 calls, one after the other",
    "calls_async": "the same in an event loop, coroutine tools", "gather": "100 independent calls (`gather`)",
    "gather_async": "the same in an event loop, coroutine tools",
}
BARS = {"first": ("first", 2.0), "later": ("later", 1.0), "calls": ("calls", 0.4), "gather_async": ("gather_async", 0.35)}
"""Case -> Monty's case to divide by, and the bar of issue 5."""


class Contestant:
    """One process that measures on order."""

    def __init__(self, python: Path, script: str, stack: ExitStack) -> None:
        self.process = stack.enter_context(subprocess.Popen(
            [python, HERE / script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        ))  # fmt: skip
        stack.callback(self._end)
        self.about = self._line()
        self.name: str = self.about["name"]
        self.cases: list[str] = self.about["cases"]

    def order(self, case: str, count: int = 1) -> list[Any]:
        """Measure one case."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"case": case, "count": count, "pause": 0.05 if case == "first" else 0}) + "\n")
        answer = self._line()
        assert isinstance(answer, list)
        return answer

    def _line(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args!r} ended with exit code {self.process.wait()}")
        return json.loads(line)

    def _end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


Rounds = dict[tuple[str, str], list[float]]
"""(contestant, case) -> the median of each round."""


def measured(contestants: dict[str, Contestant], rounds: int, seed: int = 5) -> Rounds:
    """All rounds, in random order within each; one round before them is not counted."""
    found: Rounds = {}
    visits = [(key, case) for key, one in contestants.items() for case in one.cases if case in COUNTS]
    for number in range(rounds + 1):
        random.Random(seed + number).shuffle(visits)
        for key, case in visits:
            got = contestants[key].order(case, COUNTS[case])
            columns = {case: got} if case != "first" else {
                "first": [one[0] for one in got], "first, closed": [one[1] for one in got]
            }  # fmt: skip
            for name, values in columns.items():
                if number:
                    found.setdefault((key, name), []).append(statistics.median(values))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int, nargs="?", default=25)
    parser.add_argument("--only", default="atlas,monty,smolagents,subprocess")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    heading("Programs in the sandbox")
    pythons: dict[str, Callable[[], Path | None]] = {
        "atlas": lambda: BIN, "subprocess": lambda: BIN,
        "monty": lambda: peer("pydantic-monty"), "smolagents": lambda: peer("smolagents"),
    }  # fmt: skip
    with ExitStack() as stack:
        contestants = {}
        for key in options.only.split(","):
            folder = pythons[key]()
            if folder is not None:
                contestants[key] = Contestant(folder / "python", f"with_{key}.py", stack)
        found = measured(contestants, options.rounds)
        memory = {key: one.order("memory")[0] for key, one in contestants.items() if "memory" in one.cases}
        names = {key: one.name for key, one in contestants.items()}
        if "atlas" in contestants:
            print(f"Locks of the Atlas worker in force: {', '.join(contestants['atlas'].about['layers'])}.\n")
    _times(found, names)
    _ratios(found)
    _memory(memory, names)
    print(f"\nLoad at the end: {os.getloadavg()[0]:.1f}; {options.rounds} rounds.")
    if options.json:
        options.json.write_text(json.dumps({f"{key} {case}": values for (key, case), values in found.items()}))


def _spread(values: list[float], shown: Callable[[float], str]) -> str:
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
    return f"{shown(statistics.median(ordered))} ({shown(low)} to {shown(high)})"


def _times(found: Rounds, names: dict[str, str]) -> None:
    def shown(value: float) -> str:
        return f"{value * 1e6:.0f}"

    print("Microseconds: median of the rounds (10th to 90th percentile).\n")
    rows: list[list[object]] = []
    for case, title in TITLES.items():
        if any((key, case) in found for key in names):
            rows.append([title, *(_spread(found[key, case], shown) if (key, case) in found else "-" for key in names)])
    table(["", *names.values()], rows)


def _ratios(found: Rounds) -> None:
    rows: list[list[object]] = []
    for case, (other, bar) in BARS.items():
        if ("atlas", case) in found and ("monty", other) in found:
            pairs = zip(found["atlas", case], found["monty", other], strict=True)
            values = [mine / theirs for mine, theirs in pairs]
            met = "met" if statistics.median(values) <= bar else "**missed**"
            rows.append([TITLES[case], _spread(values, lambda value: f"{value:.2f}"), f"{bar:g}", met])
    if rows:
        print("\nAtlas divided by Monty, round by round.\n")
        table(["", "ratio (10th to 90th percentile)", "bar", ""], rows)


def _memory(memory: dict[str, dict[str, Any]], names: dict[str, str]) -> None:
    print("\nPrivate memory of a worker, MB (bar for an idle worker of Atlas: 4).\n")
    rows: list[list[object]] = []
    for key, one in memory.items():
        idle = ", ".join("?" if value is None else f"{value:.2f}" for value in one["idle"])
        rows.append([names[key], idle, one["used"]])
    table(["", "idle, waiting for its first program", "after this benchmark's programs"], rows)


main()
