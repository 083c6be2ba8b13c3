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
    try:
        return asyncio.run(_ended_by_sigterm(work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted from None


async def _ended_by_sigterm(work: Coroutine[Any, Any, T]) -> T:
    """Cancel the work as asyncio does for SIGINT; also in a shell's background job, where SIGINT itself is ignored."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work
