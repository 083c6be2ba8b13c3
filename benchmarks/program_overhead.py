"""What it costs to run a program in the sandbox, against a fresh Python process, `exec`, and Monty.

`python benchmarks/program_overhead.py [REPEATS]`
"""

from __future__ import annotations

import json
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
import json, sys, time, pydantic_monty

LOOP = "total = 0\\nfor i in range(100):\\n    total += i\\ntotal"
CALLS = "sum([echo(value=i) for i in range(100)])"
HEAVY = "sum([i * i % 7 for i in range(1_000_000)])"
repeats = int(sys.argv[1])
tools = {"echo": lambda value: value}

def cold():
    with pydantic_monty.Monty() as pool, pool.checkout() as session:
        session.feed_run(LOOP)

def timed(work, count):
    work()
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds

result = {"a loop of 100: new Monty worker each time": timed(cold, repeats)}
with pydantic_monty.Monty() as pool, pool.checkout() as session:
    result["a loop of 100: warm Monty"] = timed(lambda: session.feed_run(LOOP), repeats * 5)
    result["100 tool calls: warm Monty"] = timed(lambda: session.feed_run(CALLS, external_lookup=tools), repeats)
    result["a million steps: warm Monty"] = timed(lambda: session.feed_run(HEAVY), max(3, repeats // 3))
print(json.dumps(result))
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
    if not found:
        return []
    done = subprocess.run([found / "python", "-c", MONTY, str(repeats)], capture_output=True, text=True, timeout=300)
    if done.returncode:
        print(f"Monty is not measured: {done.stderr.strip().splitlines()[-1:]}")
        return []
    return [[f"peer: {label}", Timing(tuple(seconds))] for label, seconds in json.loads(done.stdout).items()]


main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
