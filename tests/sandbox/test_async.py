"""`Sandbox.arun`: overlap, order, cancellation."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from atlas.sandbox import Limits, Outcome, Sandbox, ToolError


def _neighbour(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"sandbox_tests_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


support = _neighbour("support")

GATHER = """
import asyncio
r = await asyncio.gather(*[demo.echo('x', n=n) for n in range(5)])
answer([one['n'] for one in r])
"""
RACE = """
import asyncio
seen = []
async def one(n):
    await demo.echo('first', n=n)
    seen.append(n)
    await demo.echo('second', n=n)
await asyncio.gather(*[one(n) for n in range(4)])
answer(seen)
"""


def _go(body: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(30):
            return await body()

    return asyncio.run(bounded())


def test_awaitables_overlap_and_results_keep_their_place() -> None:
    under_way = most = 0

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        while most < 5:
            await asyncio.sleep(0)
        under_way -= 1
        return arguments

    async def body() -> Outcome:
        async with Sandbox() as sandbox:
            return await sandbox.arun(GATHER, support.ECHO, call)

    outcome = _go(body)
    assert outcome.value == [0, 1, 2, 3, 4] and most == 5
    assert [one.arguments["n"] for one in outcome.calls] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_the_program_goes_on_in_the_order_in_which_the_awaitables_end(order: list[int]) -> None:
    waiting: dict[int, asyncio.Future[None]] = {}

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        if arguments["text"] == "first":
            waiting[arguments["n"]] = asyncio.get_running_loop().create_future()
            await waiting[arguments["n"]]
        return arguments

    async def release() -> None:
        while len(waiting) < 4:
            await asyncio.sleep(0.001)
        for number in order:
            waiting[number].set_result(None)

    async def body() -> Outcome:
        async with Sandbox() as sandbox, asyncio.TaskGroup() as group:
            group.create_task(release())
            return await sandbox.arun(RACE, support.ECHO, call)

    outcome = _go(body)
    assert outcome.value == order
    second = [one.arguments["n"] for one in outcome.calls if one.arguments["text"] == "second"]
    assert second == order


def test_plain_results_and_awaitables_mix() -> None:
    def call(tool: str, arguments: dict[str, Any]) -> Any:
        async def later() -> Any:
            return "later"

        return later() if arguments["text"] == "a" else "now"

    async def body() -> Outcome:
        async with Sandbox() as sandbox:
            return await sandbox.arun("[demo.echo('a'), demo.echo('b'), demo.echo('a')]", support.ECHO, call)

    assert _go(body).value == ["later", "now", "later"]


def test_a_failing_call_is_raised_where_it_is_awaited_after_all_have_ended() -> None:
    ended = []

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        if arguments["n"] == 1:
            raise ToolError("broken", "failed")
        await asyncio.sleep(0.02)
        ended.append(arguments["n"])
        return arguments

    async def body() -> Outcome:
        async with Sandbox() as sandbox:
            return await sandbox.arun(GATHER, support.ECHO, call)

    outcome = _go(body)
    assert outcome.status == "error" and str(outcome.error) == "line 3: ToolError: broken"
    assert ended == [0, 2, 3, 4] and [one.ok for one in outcome.calls] == [True, False, True, True, True]


def test_the_event_loop_stays_free_while_a_program_computes() -> None:
    async def body() -> tuple[Outcome, int]:
        ticks = 0
        async with Sandbox(Limits(wall_seconds=0.4)) as sandbox:
            await sandbox.arun("1")
            running = asyncio.create_task(sandbox.arun("while True: pass"))
            while not running.done():
                await asyncio.sleep(0.01)
                ticks += 1
            return await running, ticks

    outcome, ticks = _go(body)
    assert outcome.error is not None and outcome.error.type == "wall_seconds" and ticks >= 5


def test_the_wall_clock_ends_calls_that_hang() -> None:
    cancelled = []

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(tool)
            raise

    async def body() -> Outcome:
        async with Sandbox(Limits(wall_seconds=0.3)) as sandbox:
            return await sandbox.arun("demo.echo('x')", support.ECHO, call)

    outcome = _go(body)
    assert (outcome.status, outcome.error and outcome.error.type, cancelled) == ("limit", "wall_seconds", ["demo.echo"])
    assert outcome.error is not None and "waiting for demo.echo" in outcome.error.message


def test_a_pause_stops_the_wall_clock_of_an_awaiting_call() -> None:
    async def body() -> Outcome:
        async with Sandbox(Limits(wall_seconds=0.3)) as sandbox:
            async def call(tool: str, arguments: dict[str, Any]) -> Any:
                with sandbox.paused():
                    await asyncio.sleep(0.5)
                return 1

            return await sandbox.arun("demo.echo('x')", support.ECHO, call)

    assert _go(body).value == 1


def test_cancelling_ends_the_program_and_leaves_nothing() -> None:
    async def body() -> tuple[int | None, Outcome]:
        started = asyncio.Event()

        async def call(tool: str, arguments: dict[str, Any]) -> Any:
            started.set()
            await asyncio.sleep(60)

        async with Sandbox() as sandbox:
            running = asyncio.create_task(sandbox.arun("demo.echo('x')", support.ECHO, call))
            await started.wait()
            pid = sandbox.worker_pid
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return pid, await sandbox.arun("1 + 1")

    pid, outcome = _go(body)
    assert not os.path.exists(f"/proc/{pid}") and outcome.value == 2


def test_other_exceptions_of_call_reach_the_caller() -> None:
    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        raise LookupError("host")

    async def body() -> Outcome:
        async with Sandbox() as sandbox:
            with pytest.raises(LookupError, match="host"):
                await sandbox.arun("demo.echo('x')", support.ECHO, call)
            return await sandbox.arun("3")

    assert _go(body).value == 3


def test_large_values_go_both_ways_while_the_worker_does_not_read() -> None:
    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        return arguments["text"] * 2

    async def body() -> Outcome:
        async with Sandbox(Limits(max_output_bytes=100)) as sandbox:
            source = "r = await asyncio.gather(*[demo.echo('x' * 150_000) for _ in range(12)])\nsum(map(len, r))"
            return await sandbox.arun(source, support.ECHO, call)

    assert _go(body).value == 12 * 300_000


def test_many_sandboxes_at_once() -> None:
    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        await asyncio.sleep(0.01)
        return arguments["n"]

    async def one(number: int) -> Any:
        async with Sandbox() as sandbox:
            return (await sandbox.arun(f"sum(demo.echo('x', n=k) for k in range({number}))", support.ECHO, call)).value

    async def body() -> list[Any]:
        return await asyncio.gather(*[one(number) for number in range(8)])

    assert _go(body) == [sum(range(number)) for number in range(8)]


def test_a_recorded_run_replays_with_the_same_calls() -> None:
    async def run(answer: Callable[[int, dict[str, Any]], Awaitable[Any]]) -> tuple[Outcome, list[Any]]:
        made: list[Any] = []

        def call(tool: str, arguments: dict[str, Any]) -> Awaitable[Any]:
            made.append((tool, arguments))
            return answer(len(made), arguments)

        async with Sandbox() as sandbox:
            return await sandbox.arun(RACE, support.ECHO, call), made

    finished: list[int] = []

    async def live(number: int, arguments: dict[str, Any]) -> Any:
        await asyncio.sleep((7 * number) % 5 / 200)
        finished.append(number)
        return arguments

    async def body() -> None:
        first, made = await run(live)
        order, gates = list(finished), {number: asyncio.Event() for number in finished}
        gates[order[0]].set()

        async def recorded(number: int, arguments: dict[str, Any]) -> Any:
            await gates[number].wait()
            place = order.index(number)
            if place + 1 < len(order):
                gates[order[place + 1]].set()
            return arguments

        again, made_again = await run(recorded)
        assert (again.value, made_again) == (first.value, made)

    _go(body)


def test_time_spent_is_measured() -> None:
    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        await asyncio.sleep(0.05)

    async def body() -> Outcome:
        async with Sandbox() as sandbox:
            return await sandbox.arun("demo.echo('x')", support.ECHO, call)

    began = time.monotonic()
    outcome = _go(body)
    assert 0.05 <= outcome.calls[0].seconds <= outcome.seconds <= time.monotonic() - began
    assert 5 < outcome.peak_rss_mb < 60
