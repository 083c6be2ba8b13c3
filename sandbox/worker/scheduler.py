"""Awaiting without asyncio: a program's coroutines see opaque tokens only.

What a program does depends on the order in which returns arrive and on nothing else: a return is taken from the pipe only
when no coroutine can go on (or when a plain call waits for its own), one at a time.
"""

from __future__ import annotations

import _thread
import contextlib
import heapq
import types
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from .channel import Channel

_LONGEST_SECONDS = 86_400.0
_DEEPEST = 5_000
"""Tasks started within tasks that go on; they are on the heap, where Python's own limit does not see them."""
Settle = Callable[[list[Any]], Any]


class Token:
    """Something to await. Programs can await it and nothing else."""

    __slots__ = ("__weakref__", "done", "error", "value", "waiters")

    def __init__(self) -> None:
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None
        self.waiters: list[_Task] = []

    def __await__(self) -> Generator[Token, None, Any]:
        if not self.done:
            yield self
        if self.error is not None:
            raise self.error
        return self.value

    def __repr__(self) -> str:
        return "<awaitable>"


def doze(seconds: float) -> None:
    """Wait without computing: for a lock that nobody gives back, as the locked process has no other way."""
    never = _thread.allocate_lock()
    never.acquire()
    if seconds > 0:
        never.acquire(True, min(seconds, _LONGEST_SECONDS))


class _Task:
    """A coroutine that runs beside the others; `parent` is the one that started it."""

    __slots__ = ("coroutine", "depth", "ended", "parent", "token")

    def __init__(self, coroutine: Any, token: Token, parent: _Task | None) -> None:
        self.coroutine, self.token, self.parent, self.ended = coroutine, token, parent, False
        self.depth: int = 1 if parent is None else parent.depth + 1
        if self.depth > _DEEPEST and self._measured() > _DEEPEST:
            coroutine.close()
            raise RecursionError("maximum recursion depth exceeded: tasks that start tasks")

    def _measured(self) -> int:
        """How many there are from this one up, without those that have ended."""
        task: _Task | None = self
        self.depth = 0
        while task is not None:
            self.depth += 1
            while task.parent is not None and task.parent.ended:
                task.parent = task.parent.parent
            task = task.parent
        return self.depth

    def end(self) -> Token:
        """Its token; nothing else of it is kept, while tasks that it started still name it."""
        token = self.token
        self.ended = True
        del self.coroutine, self.token
        return token


class Scheduler:
    """Runs the coroutines of one worker."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._ready: deque[_Task] = deque()
        self._running: _Task | None = None
        self._calls: dict[int, tuple[Token, Settle]] = {}
        self.ahead = 0
        """Calls under way that the program has not asked for yet."""
        self.made = self.changes = 0
        """Calls that programs have made themselves, and those of them that are not read-only."""
        self._asleep: list[tuple[float, int, Token]] = []
        self._clock = 0.0  # seconds slept so far: sleepers wake in the order of their times, whatever returns come
        self._sleeps = 0
        channel.on_return = self._returned

    @property
    def left(self) -> bool:
        """Whether an ended program left anything behind."""
        return bool(self._ready or self._calls or self._asleep or self.ahead)

    def reset(self) -> None:
        """Forget what an ended program left behind; what closing it runs or raises can keep nothing of it alive."""
        left = [task.coroutine for task in self._ready]
        self._forget()
        for coroutine in left:
            with contextlib.suppress(BaseException):
                coroutine.close()
        self._forget()

    def _forget(self) -> None:
        self._ready.clear()
        self._calls.clear()
        self._asleep.clear()
        self.ahead = 0

    # -- making tokens

    def call(self, number: int, settle: Settle) -> Token:
        """A token for a call that was sent; `settle` makes its value of the return, or raises."""
        token = Token()
        self._calls[number] = (token, settle)
        return token

    def call_ahead(self, number: int, arrive: Callable[[list[Any]], None]) -> None:
        """Give the return of a call that was sent ahead to `arrive`."""

        def settle(message: list[Any]) -> None:
            self.ahead -= 1
            arrive(message)

        self.ahead += 1
        self._calls[number] = (Token(), settle)

    def finished(self, value: Any) -> Token:
        """A token that is done."""
        token = Token()
        token.done, token.value = True, value
        return token

    def spawn(self, coroutine: Any) -> Token:
        """Run a coroutine beside the others."""
        token = Token()
        self._ready.append(_Task(coroutine, token, self._running))
        return token

    def as_token(self, value: Any) -> Token:
        """A token for anything: itself, a coroutine running, or a value that is there already."""
        if type(value) is Token:
            return value
        if type(value) is types.CoroutineType:
            return self.spawn(value)
        if type(value) in _STEPS:
            return self.spawn(_step_of(value))
        return self.finished(value)

    def gather(self, values: tuple[Any, ...], return_exceptions: bool) -> Token:
        """All of `values`, in order. The first error, in that order, is raised when all have ended."""
        tokens = [self.as_token(value) for value in values]
        return self.spawn(_gather(tokens, return_exceptions))

    def resolve(self, token: Token, value: Any) -> None:
        """End the waiting for `token`."""
        self._finish(token, value, None)

    def sleep(self, seconds: Any, value: Any) -> Token:
        """A token that is done when nothing else can go on and so many seconds have been slept."""
        token = Token()
        token.value = value
        self._sleeps += 1
        heapq.heappush(self._asleep, (self._clock + max(0.0, float(seconds)), self._sleeps, token))
        return token

    def _wake(self) -> bool:
        """Sleep until the first sleeper is due; False where nobody sleeps."""
        if not self._asleep:
            return False
        due, _, token = heapq.heappop(self._asleep)
        doze(due - self._clock)
        self._clock = due
        self._finish(token, token.value, None)
        return True

    # -- running

    def run(self, value: Any) -> Any:
        """Drive everything until `value` (a coroutine or token) is done, and return its result."""
        token = self.as_token(value)
        while not token.done:
            if self._ready:
                self._step(self._ready.popleft())
            elif self._calls:
                self._returned(self._channel.read_return())
            elif not self._wake():
                raise RuntimeError("the program waits for something that never happens")
        if token.error is not None:
            raise token.error
        return token.value

    def drain(self) -> None:
        """Wait for calls that were started and never awaited, so that none outlives its program."""
        while self._ready or self._calls or self._asleep:
            if self._ready:
                self._step(self._ready.popleft())
            elif self._calls:
                self._returned(self._channel.read_return())
            else:
                self._wake()

    def settle(self) -> None:
        """Wait for calls under way without going on with anything."""
        while self._calls:
            self._returned(self._channel.read_return())

    def await_return(self) -> None:
        """Wait for one return, whichever comes first."""
        self._returned(self._channel.read_return())

    def settle_ahead(self) -> None:
        """Wait for all calls that were sent ahead."""
        while self.ahead:
            self.await_return()

    def _step(self, task: _Task) -> None:
        outer, self._running = self._running, task
        try:
            waits_for = task.coroutine.send(None)
        except StopIteration as stop:
            self._finish(task.end(), stop.value, None)
        except Exception as error:
            self._finish(task.end(), None, error)
        else:
            if type(waits_for) is not Token:
                self._finish(task.end(), None, RuntimeError("awaited something that is not awaitable"))
            elif waits_for.done:
                self._ready.append(task)
            else:
                waits_for.waiters.append(task)
        finally:
            self._running = outer

    def _finish(self, token: Token, value: Any, error: BaseException | None) -> None:
        token.done, token.value, token.error = True, value, error
        self._ready.extend(token.waiters)
        token.waiters = []

    def _returned(self, message: list[Any]) -> None:
        waiting = self._calls.pop(message[0], None)
        if waiting is None:
            return  # the call was given up: the recursion limit struck between sending and waiting
        token, settle = waiting
        try:
            value = settle(message)
        except Exception as error:
            self._finish(token, None, error)
        else:
            self._finish(token, value, None)


async def _nothing() -> AsyncGenerator[None, None]:
    yield


_STEPS = frozenset({type(_nothing().__anext__()), type(anext(_nothing(), None))})
"""What `anext` gives."""
WITHIN = _STEPS | {types.CoroutineType}
"""What runs within the coroutine that awaits it, as Python has it, so that the recursion limit counts it."""


async def _step_of(step: Any) -> Any:
    return await step


async def _gather(tokens: list[Token], return_exceptions: bool) -> list[Any]:
    results: list[Any] = []
    first: BaseException | None = None
    for token in tokens:
        try:
            results.append(await token)
        except Exception as error:
            results.append(error)
            first = first or error
    if first is not None and not return_exceptions:
        raise first
    return results
