"""What programs get of `asyncio`: waiting for several things at once, on the tokens of the scheduler."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Callable
from typing import Any

from .guards import COMPUTED, METHODS
from .scheduler import Scheduler, Token
from .tools import Tool


class Semaphore:
    """Lets `value` tasks in at a time, in the order in which they came."""

    __slots__ = ("_free", "_scheduler", "_waiting")

    def __init__(self, scheduler: Scheduler, value: int) -> None:
        if value < 0:
            raise ValueError("Semaphore initial value must be >= 0")
        self._scheduler, self._free = scheduler, value
        self._waiting: deque[Token] = deque()

    async def acquire(self) -> bool:
        """Wait for a place."""
        if self._free > 0 and not self._waiting:
            self._free -= 1
        else:
            token = Token()
            self._waiting.append(token)
            await token
        return True

    def release(self) -> None:
        """Give the place to the next."""
        if self._waiting:
            self._scheduler.resolve(self._waiting.popleft(), None)
        else:
            self._free += 1

    def locked(self) -> bool:
        """Whether there is no place."""
        return self._free == 0

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *error: object) -> None:
        self.release()


class TaskGroup:
    """Waits at its end for everything that was started in it; the first error is raised there."""

    __slots__ = ("_scheduler", "_tokens")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._tokens: list[Token] = []

    def create_task(self, value: Any, *, name: Any = None, context: Any = None) -> Token:
        """Run a coroutine beside the others."""
        token = self._scheduler.as_token(value)
        self._tokens.append(token)
        return token

    async def __aenter__(self) -> TaskGroup:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        await self._scheduler.gather(tuple(self._tokens), error is not None)


class _Timeout:
    __slots__ = ()

    async def __aenter__(self) -> _Timeout:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None


def _result(token: Token) -> Callable[[], Any]:
    def result() -> Any:
        if not token.done:
            raise RuntimeError("the task is not done; await it")
        if token.error is not None:
            raise token.error
        return token.value

    return result


METHODS[Semaphore] = frozenset({"acquire", "release", "locked"})
METHODS[TaskGroup] = frozenset({"create_task"})
COMPUTED.update({
    (Token, "result"): _result,
    (Token, "done"): lambda token: lambda: token.done,
    (Token, "exception"): lambda token: lambda: token.error,
    (Token, "cancelled"): lambda token: lambda: False,
    (Token, "cancel"): lambda token: lambda *_: False,
})


def asyncio_members(scheduler: Scheduler) -> dict[str, Any]:
    """The members of the namespace `asyncio`."""

    def gather(*values: Any, return_exceptions: bool = False) -> Token:
        return scheduler.gather(values, return_exceptions)

    def wait_for(fut: Any, timeout: Any = None) -> Token:
        return scheduler.as_token(fut)

    def sleep(delay: Any = 0, result: Any = None) -> Token:
        return scheduler.sleep(delay, result)

    def start(coro: Any, *, name: Any = None, context: Any = None) -> Token:
        return scheduler.as_token(coro)

    async def wait(tasks: Any, *, timeout: Any = None, return_when: Any = None) -> tuple[list[Token], list[Token]]:
        tokens = [scheduler.as_token(one) for one in tasks]
        await scheduler.gather(tuple(tokens), True)
        return tokens, []

    def as_completed(fs: Any, *, timeout: Any = None) -> list[Token]:
        return [scheduler.as_token(one) for one in fs]

    def to_thread(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Token:
        if type(func) is Tool:
            return func.start(args, kwargs)
        return scheduler.finished(func(*args, **kwargs))

    def timeout(delay: Any) -> _Timeout:
        return _Timeout()

    def semaphore(value: int = 1) -> Semaphore:
        return Semaphore(scheduler, value)

    return {
        "gather": gather, "run": scheduler.run, "create_task": start, "ensure_future": start, "sleep": sleep,
        "wait_for": wait_for, "wait": wait, "as_completed": as_completed, "to_thread": to_thread, "timeout": timeout,
        "Semaphore": semaphore, "BoundedSemaphore": semaphore, "Lock": lambda: Semaphore(scheduler, 1),
        "TaskGroup": lambda: TaskGroup(scheduler), "TimeoutError": TimeoutError, "iscoroutine": is_awaitable,
        "FIRST_COMPLETED": "FIRST_COMPLETED", "FIRST_EXCEPTION": "FIRST_EXCEPTION", "ALL_COMPLETED": "ALL_COMPLETED",
    }


def is_awaitable(value: Any) -> bool:
    """Whether `await` waits for it."""
    return type(value) is Token or type(value) is types.CoroutineType
