"""A fresh Python process for each program: plain `exec`, calls as JSON lines over its pipes (no isolation)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from protocol import LOOP, SUM, TRIVIAL, seconds, serve

CHILD = """
import json, sys
def echo(value):
    print(json.dumps({"call": value}), flush=True)
    return json.loads(sys.stdin.readline())
body, last = json.loads(sys.stdin.readline())
space = {"echo": echo}
exec(body, space)
print(json.dumps({"value": eval(last, space)}), flush=True)
"""


def run(program: str) -> Any:
    """Start, run, end."""
    body, _, last = program.rpartition("\n")
    with subprocess.Popen(
        [sys.executable, "-I", "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([body, last]) + "\n")
        for line in process.stdout:
            message = json.loads(line)
            if "value" in message:
                return message["value"]
            process.stdin.write(json.dumps(message["call"]) + "\n")
    return None


def main() -> None:
    """Serve the benchmark."""

    def first() -> tuple[float, float]:
        started = time.perf_counter()
        assert run(TRIVIAL) == 2
        took = time.perf_counter() - started
        return took, took

    serve(
        {
            "first": first,
            "later": lambda: seconds(lambda: run(TRIVIAL), 2),
            "calls": lambda: seconds(lambda: run(LOOP.format(call="echo")), SUM),
        },
        ready={"name": "a fresh Python process (plain exec)"},
    )


main()
