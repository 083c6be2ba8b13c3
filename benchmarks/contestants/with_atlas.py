"""Atlas: one locked worker per episode, made ahead of time."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack
from typing import Any

from protocol import GATHER, LOOP, SUM, TRIVIAL, children, private_mb, seconds, serve, wait_until_quiet

from atlas.sandbox import Limits, Sandbox, keep_warm

LIMITS = Limits(wall_seconds=30, memory_mb=128)
TOOLS = {"demo.echo": {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"]}}
CALLS, GATHERED = LOOP.format(call="demo.echo"), GATHER.format(call="demo.echo")


def echo(tool: str, arguments: dict[str, Any]) -> Any:
    """A tool that is there at once."""
    return arguments["value"]


async def slow_echo(tool: str, arguments: dict[str, Any]) -> Any:
    """The same as a coroutine."""
    return arguments["value"]


def main() -> None:
    """Serve the benchmark."""
    with ExitStack() as stack:
        stack.enter_context(keep_warm())
        episode = stack.enter_context(Sandbox(LIMITS))
        runner = stack.enter_context(asyncio.Runner())

        def first() -> tuple[float, float]:
            wait_until_quiet(os.getpid())
            started = time.perf_counter()
            with Sandbox(LIMITS) as sandbox:
                assert sandbox.run(TRIVIAL, TOOLS, echo).value == 2
                answered = time.perf_counter() - started
            return answered, time.perf_counter() - started

        def run(program: str) -> Any:
            return lambda: episode.run(program, TOOLS, echo).value

        def arun(program: str) -> Any:
            return lambda: runner.run(episode.arun(program, TOOLS, slow_echo)).value

        def memory() -> dict[str, Any]:
            workers = {pid for zygote in children(os.getpid()) for pid in children(zygote)}
            spare = sorted(workers - {episode.worker_pid or 0})
            return {"idle": [private_mb(pid) for pid in spare], "used": private_mb(episode.worker_pid or 0)}

        assert run(TRIVIAL)() == 2
        serve(
            {
                "first": first,
                "later": lambda: seconds(run(TRIVIAL), 2),
                "calls": lambda: seconds(run(CALLS), SUM),
                "calls_async": lambda: seconds(arun(CALLS), SUM),
                "gather": lambda: seconds(run(GATHERED), SUM),
                "gather_async": lambda: seconds(arun(GATHERED), SUM),
                "memory": memory,
            },
            ready={"name": "atlas", "layers": [name for name, there, _ in episode.guarantees() if there]},
        )


main()
