"""Moves one program's messages in an event loop, from callbacks: a call costs few turns of the loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from .errors import ToolError
from .link import Link
from .program import Call, Program

PLAIN_TYPES = frozenset({dict, list, str, int, float, bool, type(None)})
"""Results that are certainly not awaitable."""


class AsyncDriver:
    """Reads, starts calls, writes their results in the order in which they end."""

    def __init__(
        self, program: Program, link: Link, call: Callable[[str, dict[str, Any]], Any], paused: Callable[[], bool]
    ) -> None:
        self._program, self._link, self._call, self._paused = program, link, call, paused
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._tasks: dict[asyncio.Future[Any], int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing = False

    async def drive(self) -> None:
        """Until the program has ended; every task of a call has ended then, too."""
        self._loop.add_reader(self._link.source, self._guarded, self._readable)
        try:
            self._guarded(self._link_flush)
            self._guarded(self._check_time)
            await self._done
        finally:
            self._loop.remove_reader(self._link.source)
            if self._writing:
                self._loop.remove_writer(self._link.target)
            if self._timer is not None:
                self._timer.cancel()
            await self._cancel()

    def _guarded(self, step: Callable[[], None]) -> None:
        """One step; its error, or the program's end, ends `drive`."""
        if self._done.done():
            return
        try:
            step()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._done.set_exception(error)
        else:
            if self._program.end is not None and not self._done.done():
                self._done.set_result(None)

    def _readable(self) -> None:
        self._link.fill()
        while self._program.end is None:
            message = self._link.incoming.next()
            if message is None:
                break
            answer = self._program.take(message)
            if isinstance(answer, Call):
                answer = self._start(answer)
            if answer is not None:
                self._link.queue(answer)
        self._link_flush()

    def _start(self, made: Call) -> bytes | None:
        try:
            value = self._call(made.tool, made.arguments)
        except ToolError as error:
            return self._program.fail(made.id, error)
        if type(value) in PLAIN_TYPES or not inspect.isawaitable(value):
            return self._program.reply(made.id, value)
        task = asyncio.ensure_future(value if inspect.iscoroutine(value) else _as_coroutine(value))
        self._tasks[task] = made.id
        task.add_done_callback(self._call_ended)
        return None

    def _call_ended(self, task: asyncio.Future[Any]) -> None:
        number = self._tasks.pop(task, None)
        if number is None or self._done.done():
            return

        def deliver() -> None:
            if task.cancelled():
                raise ToolError("the call was cancelled", "cancelled")
            self._link.queue(self._program.reply(number, task.result()))

        def step() -> None:
            try:
                deliver()
            except ToolError as error:
                self._link.queue(self._program.fail(number, error))
            self._link_flush()

        self._guarded(step)

    def _link_flush(self) -> None:
        self._link.flush()
        if self._link.has_output != self._writing:
            self._writing = self._link.has_output
            if self._writing:
                self._loop.add_writer(self._link.target, self._guarded, self._link_flush)
            else:
                self._loop.remove_writer(self._link.target)

    def _check_time(self) -> None:
        left = self._program.check_time(self._link.cpu_seconds(), self._paused())
        if self._program.end is None:
            self._timer = self._loop.call_later(left, self._guarded, self._check_time)

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)


async def _as_coroutine(value: Awaitable[Any]) -> Any:
    return await value
