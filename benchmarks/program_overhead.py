"""What it costs to run a program in the sandbox, against a fresh Python process, `exec`, and Monty.

`python benchmarks/program_overhead.py [REPEATS]`
"""

from __future__ import annotations

import subprocess
import sys

from measure import BIN, Timing, heading, peer, table, timed

from atlas.sandbox import Limits, Sandbox

ONE = "total = 0\nfor i in range(100):\n    total += i\nanswer(total)"
PLAIN = "total = 0\nfor i in range(100):\n    total += i\nprint(total)"
HUNDRED_CALLS = "answer(sum(demo.echo(value=i) for i in range(100)))"
HEAVY = "answer(sum(i * i % 7 for i in range(1_000_000)))"
HEAVY_PLAIN = "print(sum(i * i % 7 for i in range(1_000_000)))"
SCHEMA = {"demo.echo": {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"]}}
MONTY = """
import sys, time, pydantic_monty
program, repeats = sys.argv[1], int(sys.argv[2])
for place in range(repeats + 1):
    started = time.perf_counter()
    pydantic_monty.Monty(program).run()
    if place:
        print(time.perf_counter() - started)
"""


def main(repeats: int) -> None:
    heading("Program overhead")
    rows: list[list[object]] = []

    def echo(tool: str, arguments: dict[str, int]) -> int:
        return arguments["value"]

    def cold() -> None:
        with Sandbox(Limits()) as sandbox:
            assert sandbox.run(ONE).value == 4950

    rows.append(["a loop of 100: new sandbox each time", timed(cold, repeats)])
    with Sandbox(Limits()) as sandbox:
        rows.append(["a loop of 100: warm sandbox", timed(lambda: sandbox.run(ONE), repeats * 5)])
        calls = timed(lambda: sandbox.run(HUNDRED_CALLS, tools=SCHEMA, call=echo), repeats)
        rows.append(["100 tool calls: warm sandbox", calls])
        rows.append(["a million steps: warm sandbox", timed(lambda: sandbox.run(HEAVY), max(3, repeats // 3))])
    python = [str(BIN / "python"), "-c"]
    fresh = timed(lambda: subprocess.run([*python, PLAIN], check=True, capture_output=True), repeats)
    rows.append(["baseline: a loop of 100 in a fresh Python process", fresh])
    bare = timed(lambda: exec(PLAIN.replace("print", "str"), {}), repeats * 5)
    rows.append(["lower bound: a loop of 100 by `exec`, no sandbox", bare])
    heavy = timed(lambda: subprocess.run([*python, HEAVY_PLAIN], check=True, capture_output=True), max(3, repeats // 3))
    rows.append(["baseline: a million steps in a fresh Python process", heavy])
    rows += _monty(repeats)
    table(["program", "median (least to most)"], rows)


def _monty(repeats: int) -> list[list[object]]:
    found = peer("pydantic-monty")
    rows: list[list[object]] = []
    for label, program in (("a loop of 100", PLAIN), ("a million steps", HEAVY_PLAIN)) if found else ():
        done = subprocess.run(
            [str(found / "python"), "-c", MONTY, program.replace("print(", "str("), str(repeats)],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        if done.returncode:
            print(f"Monty is not measured: {done.stderr.strip().splitlines()[-1:]}")
            return []
        rows.append([f"peer: {label} in Monty, warm", Timing(tuple(map(float, done.stdout.split())))])
    return rows


main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
