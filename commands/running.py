"""Running the asynchronous rooms from a verb: an interrupt or a polite kill ends the run in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Interrupted(Exception):
    """An interrupt that ended the work; typer would swallow a `KeyboardInterrupt` with what is to be printed of it."""


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end. SIGTERM counts as an interrupt at the keyboard, so that nothing is left behind."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        return asyncio.run(_ended_by_sigterm(work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted from None
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


async def _ended_by_sigterm(work: Coroutine[Any, Any, T]) -> T:
    """Cancel the work as asyncio does for SIGINT; also in a shell's background job, where SIGINT itself is ignored.

    A handler of the loop would be gone, and the process killed, as soon as the loop is closed.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None

    def cancel(number: int, frame: object) -> None:
        task.cancel()
        if not loop.is_closed():
            loop.call_soon_threadsafe(lambda: None)  # wakes it up

    signal.signal(signal.SIGTERM, cancel)
    return await work
