"""Moves one program's messages in an event loop, from callbacks: a call costs few turns of the loop."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from .errors import ToolError
from .link import Link, WorkerGone
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
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._reading = False
        self._writing = False
        self._flushing = False
        self._aborted = False

    async def drive(self) -> None:
        """Until the program has ended; every task of a call has ended then, too."""
        self._loop.add_reader(self._link.source, self._guarded, self._readable)
        self._reading = True
        try:
            self._guarded(self._link_flush)
            first = max(0.0, self._program.first_check - time.monotonic())
            self._timer = self._loop.call_later(first, self._guarded, self._check_time)
            await self._done
        except WorkerGone:
            await self._outlast()
            raise
        finally:
            self._let_go()
            if self._timer is not None:
                self._timer.cancel()
            await self._cancel()

    def abort(self) -> None:
        """End `drive`: its worker is about to be dropped from outside, so nothing under way can be delivered any more."""
        self._aborted = True
        self._let_go()
        if not self._done.done():
            self._done.set_exception(WorkerGone())
        for task in self._tasks:
            task.cancel()

    def _let_go(self) -> None:
        """Watch the descriptors no more, once: after they are closed, their numbers are somebody else's."""
        if self._reading:
            self._loop.remove_reader(self._link.source)
        if self._writing:
            self._loop.remove_writer(self._link.target)
        self._reading = self._writing = False

    def _guarded(self, step: Callable[[], None]) -> None:
        """One step; its error, or the program's end, ends `drive`."""
        if self._done.done():
            return
        try:
            step()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if not self._done.done():  # the step itself may have aborted
                self._done.set_exception(error)
        else:
            if self._program.end is not None and not self._done.done():
                self._done.set_result(None)

    def _readable(self) -> None:
        self._link.fill()
        while self._program.end is None and not self._aborted:
            message = self._link.incoming.next()
            if message is None:
                break
            answer = self._program.take(message)
            if isinstance(answer, Call):
                answer = self._start(answer)
            if answer is not None:
                self._link.queue(answer)
                self._program.check_waiting(self._link.waiting_bytes)
        self._link_flush()

    def _start(self, made: Call) -> bytes | None:
        try:
            value = self._call(made.tool, made.arguments)
        except ToolError as error:
            return self._program.fail(made.id, error)
        if type(value) in PLAIN_TYPES or not inspect.isawaitable(value):
            return self._program.reply(made.id, value)
        self._tasks.add(self._loop.create_task(self._awaited(made.id, value)))
        return None

    async def _awaited(self, number: int, value: Awaitable[Any]) -> None:
        """One call; its end is delivered before its task has ended, so that nothing waits for another turn of the loop."""
        try:
            frame = self._program.reply(number, await value)
        except ToolError as error:
            frame = self._program.fail(number, error)
        except asyncio.CancelledError:
            if self._done.done():
                raise
            frame = self._program.fail(number, ToolError("the call was cancelled", "cancelled"))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if not self._done.done():
                self._done.set_exception(error)
            return
        finally:
            self._tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        if not self._done.done():
            self._link.queue(frame)
            self._program.check_waiting(self._link.waiting_bytes)
            if self._program.end is not None or not self._tasks:
                self._guarded(self._link_flush)
            elif not self._flushing:
                self._flushing = True
                self._loop.call_soon(self._flush_soon)

    def _flush_soon(self) -> None:
        """Write what came back in this turn of the loop at once, so that the worker is woken once for all of it."""
        self._flushing = False
        self._guarded(self._link_flush)

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

    async def _outlast(self) -> None:
        """The worker died, the calls under way did not: what they give is worth knowing, within the program's time."""
        if self._tasks and not self._aborted:
            await asyncio.wait(set(self._tasks), timeout=max(0.0, self._program.deadline - time.monotonic()))

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
