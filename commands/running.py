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
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise Interrupted from None
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: object) -> None:
    signal.raise_signal(signal.SIGINT)
