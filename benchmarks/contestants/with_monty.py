"""Monty: an interpreter in Rust, its warm pool of worker processes, with limits."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any

import pydantic_monty
from protocol import GATHER, LOOP, SUM, TRIVIAL, children, private_mb, seconds, serve, wait_until_quiet

LIMITS = {"max_feed_duration_secs": 30.0, "max_memory": 128 << 20, "max_suspensions": 100_000_000}
CALLS, GATHERED = LOOP.format(call="echo"), GATHER.format(call="echo")


def echo(value: int) -> int:
    """A tool that is there at once."""
    return value


async def slow_echo(value: int) -> int:
    """The same as a coroutine."""
    return value


async def _async_episode() -> Any:
    pool = await pydantic_monty.AsyncMonty(min_processes=1).__aenter__()
    return await pool.checkout(limits=LIMITS).__aenter__()


def main() -> None:
    """Serve the benchmark."""
    with ExitStack() as stack:
        pool = stack.enter_context(pydantic_monty.Monty(min_processes=2, max_processes=4))
        episode: Any = stack.enter_context(pool.checkout(limits=LIMITS))
        runner = stack.enter_context(asyncio.Runner())
        async_episode: Any = runner.run(_async_episode())

        def first() -> tuple[float, float]:
            wait_until_quiet(os.getpid())
            started = time.perf_counter()
            with pool.checkout(limits=LIMITS) as session:
                assert session.feed_run(TRIVIAL) == 2
                answered = time.perf_counter() - started
            return answered, time.perf_counter() - started

        def run(program: str) -> Any:
            return lambda: episode.feed_run(program, external_lookup={"echo": echo})

        def arun(program: str) -> Any:
            async def once() -> Any:
                return await async_episode.feed_run(program, external_lookup={"echo": slow_echo})

            return lambda: runner.run(once())

        def memory() -> dict[str, Any]:
            mine = [private_mb(pid) for pid in children(os.getpid())]
            return {"idle": mine[:1], "used": mine[-1] if mine else None}

        awaited = CALLS.replace("+= echo", "+= await echo")
        serve(
            {
                "first": first,
                "later": lambda: seconds(run(TRIVIAL), 2),
                "calls": lambda: seconds(run(CALLS), SUM),
                "calls_async": lambda: seconds(arun(awaited), SUM),
                "gather_async": lambda: seconds(arun(GATHERED), SUM),
                "memory": memory,
            },
            ready={"name": f"Monty {version('pydantic-monty')}"},
        )


main()
