"""smolagents' LocalPythonExecutor: an interpreter of syntax trees in the host's own process (no isolation)."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import Any

from protocol import LOOP, SUM, TRIVIAL, seconds, serve
from smolagents.local_python_executor import LocalPythonExecutor


def echo(value: int) -> int:
    """A tool that is there at once."""
    return value


def fresh() -> Any:
    """An executor that knows the tool."""
    executor = LocalPythonExecutor([])
    executor.send_tools({"echo": echo})
    return executor


def main() -> None:
    """Serve the benchmark."""
    episode = fresh()

    def first() -> tuple[float, float]:
        started = time.perf_counter()
        assert fresh()(TRIVIAL).output == 2
        answered = time.perf_counter() - started
        return answered, answered

    calls = LOOP.format(call="echo")
    serve(
        {
            "first": first,
            "later": lambda: seconds(lambda: episode(TRIVIAL).output, 2),
            "calls": lambda: seconds(lambda: episode(calls).output, SUM),
        },
        ready={"name": f"smolagents {version('smolagents')} (in process)"},
    )


main()
