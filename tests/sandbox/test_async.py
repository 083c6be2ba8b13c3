"""`Sandbox.arun`: overlap, order, cancellation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from atlas.sandbox import Limits, Outcome, Sandbox, ToolError, keep_warm
from atlas.sandbox.program import Program

from ..waiting import until_gone
from . import support

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
    ended, failed = [], asyncio.Event()

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        if arguments["n"] == 1:
            failed.set()
            raise ToolError("broken", "failed")
        await failed.wait()
        ended.append(arguments["n"])
        return arguments

    async def body() -> Outcome:
        async with Sandbox() as sandbox:
            return await sandbox.arun(GATHER, support.ECHO, call)

    outcome = _go(body)
    assert outcome.status == "error" and str(outcome.error) == "line 3: ToolError: broken"
    assert sorted(ended) == [0, 2, 3, 4] and [one.ok for one in outcome.calls] == [True, False, True, True, True]


def test_the_event_loop_stays_free_while_a_program_computes() -> None:
    async def body() -> tuple[Outcome, int]:
        ticks = 0
        async with Sandbox(Limits(wall_seconds=0.4)) as sandbox:
            await sandbox.arun("1")
            running = asyncio.create_task(sandbox.arun("while True: pass"))
            while not running.done():
                await asyncio.sleep(0)
                ticks += 1
            return await running, ticks

    outcome, ticks = _go(body)
    assert outcome.error is not None and outcome.error.type == "wall_seconds" and ticks >= 5


CHECKED_OFTEN = Limits(wall_seconds=20.0, cpu_seconds=0.1)
"""While a program waits, its time is looked at again when it could have used up what it may compute."""


def test_the_wall_clock_ends_calls_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled, clock = [], support.Clock(monkeypatch)

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        clock.ahead += 20.1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(tool)
            raise

    async def body() -> Outcome:
        async with Sandbox(CHECKED_OFTEN) as sandbox:
            return await sandbox.arun("demo.echo('x')", support.ECHO, call)

    outcome = _go(body)
    assert (outcome.status, outcome.error and outcome.error.type, cancelled) == ("limit", "wall_seconds", ["demo.echo"])
    assert outcome.error is not None and "waiting for demo.echo" in outcome.error.message


def test_a_pause_stops_the_wall_clock_of_an_awaiting_call(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, check = support.Clock(monkeypatch), Program.check_time

    async def body() -> Outcome:
        checked = asyncio.Event()

        def watched(program: Program, cpu_clock: float, paused: bool) -> float:
            left = check(program, cpu_clock, paused)
            if clock.ahead and paused:
                checked.set()
            return left

        monkeypatch.setattr(Program, "check_time", watched)
        async with Sandbox(CHECKED_OFTEN) as sandbox:
            async def call(tool: str, arguments: dict[str, Any]) -> Any:
                with sandbox.paused():
                    clock.ahead += 25.0
                    await checked.wait()
                return 1

            return await sandbox.arun("demo.echo('x')", support.ECHO, call)

    assert _go(body).value == 1


def test_cancelling_ends_the_program_and_leaves_nothing() -> None:
    async def body() -> tuple[int | None, Outcome]:
        started = asyncio.Event()

        async def call(tool: str, arguments: dict[str, Any]) -> Any:
            started.set()
            await asyncio.Event().wait()

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
    assert pid is not None and outcome.value == 2
    until_gone(pid)


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


LEFTOVER = """
import asyncio
s = asyncio.Semaphore(0)
async def stubborn():
    await s.acquire()
    try:
        await s.acquire()
    finally:
        await s.acquire()
async def late():
    await s.acquire()
    await s.acquire()
    demo.echo('from the program before')
async def main():
    for task in (stubborn(), stubborn(), late(), late()):
        asyncio.create_task(task)
    await asyncio.sleep(0)
    for _ in range(8):
        s.release()
    raise ValueError
await main()
"""


def test_no_task_of_a_failed_program_goes_on_in_the_next_one() -> None:
    called: list[str] = []

    def call(tool: str, arguments: dict[str, Any]) -> None:
        called.append(arguments["text"])

    with Sandbox() as sandbox:
        assert sandbox.run(LEFTOVER, support.ECHO, call).status == "error"
        called.clear()
        wait = "import asyncio\nfor _ in range(5):\n    await asyncio.sleep(0)\n'done'"
        outcome = sandbox.run(wait, support.ECHO, call)
        assert (outcome.status, outcome.value, called) == ("ok", "done", [])


def test_many_large_results_at_once_end_the_program_and_not_the_host() -> None:
    large = "x" * 2_000_000

    async def call(tool: str, arguments: dict[str, Any]) -> str:
        await asyncio.sleep(0)
        return large

    async def body() -> Outcome:
        async with Sandbox(Limits(memory_mb=64)) as sandbox:
            source = "import asyncio\nr = await asyncio.gather(*[demo.echo('x') for _ in range(40)])"
            return await sandbox.arun(source, support.ECHO, call)

    outcome = _go(body)
    assert outcome.status == "limit" and outcome.error is not None and outcome.error.type == "memory_mb", outcome
    assert "not read yet" in outcome.error.message


def test_the_arguments_of_all_calls_together_have_a_limit() -> None:
    with Sandbox(Limits(max_sent_bytes=1_000_000)) as sandbox:
        outcome = sandbox.run("for _ in range(100):\n    demo.echo('x' * 300_000)", support.ECHO, lambda *_: None)
        assert (outcome.status, outcome.error and outcome.error.type) == ("limit", "max_sent_bytes")
        assert len(outcome.calls) == 3
        support.works(sandbox)


def test_a_sandbox_that_is_closed_by_a_call_ends_its_program() -> None:
    sandbox = Sandbox().__enter__()
    outcome = sandbox.run("demo.echo('x')", support.ECHO, lambda *_: sandbox.close())
    assert outcome.status == "killed"


def test_a_sandbox_that_is_closed_from_elsewhere_ends_its_program_and_leaves_the_next_one_alone() -> None:
    async def body() -> tuple[Outcome, Outcome]:
        started = asyncio.Event()

        async def call(tool: str, arguments: dict[str, Any]) -> Any:
            started.set()
            await asyncio.Event().wait()

        async def back(tool: str, arguments: dict[str, Any]) -> Any:
            return arguments

        with keep_warm():
            closed = Sandbox()
            running = asyncio.create_task(closed.arun("demo.echo('x')", support.ECHO, call))
            await started.wait()
            closed.close()
            async with Sandbox() as other:  # its pipes have the numbers that those of the first one had
                outcome = await other.arun("demo.echo('y')['text']", support.ECHO, back)
                return await running, outcome

    ended, outcome = _go(body)
    assert ended.status == "killed" and [one.ok for one in ended.calls] == [False]
    assert (outcome.status, outcome.value) == ("ok", "y")


def test_a_result_that_cannot_be_written_is_an_error_of_its_call() -> None:
    class Broken:
        def isoformat(self) -> str:
            raise OSError("gone")

    with Sandbox() as sandbox:
        outcome = sandbox.run("demo.echo('x')", support.ECHO, lambda *_: Broken())
        assert outcome.error is not None and outcome.error.type == "ToolError" and "gone" in outcome.error.message
