"""What an interrupt at the keyboard or a polite kill does while a command starts and while it ends.

In between, either one raises `KeyboardInterrupt`, or cancels what `run_async` runs. Loads nothing but the standard library's
smallest modules: what is imported before the first of these calls is not covered.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

INTERRUPTED = 130
_BOTH = (signal.SIGINT, signal.SIGTERM)
_TOLD = '{"error": {"type": "Interrupted", "message": "interrupted before it was done", "where": "", "mend": ""}}\n'


def end_at_once(*, as_json: bool) -> None:
    """While the program is being loaded nothing has begun: an interrupt is told, and ends the process."""

    def told(number: int, frame: object) -> None:
        stream, text = (1, _TOLD) if as_json else (2, "atlas: error: interrupted before it was done\n")
        with contextlib.suppress(OSError):
            os.write(stream, text.encode())
        os._exit(INTERRUPTED)

    atexit.register(_set, signal.SIG_IGN)  # the last thing that Python does, before it puts the signals back
    _set(told)


def raise_them() -> None:
    """From here on both are a `KeyboardInterrupt`."""
    _set(signal.default_int_handler)


def keep(code: int) -> None:
    """All is done: an interrupt ends what is left of the process, and changes nothing of its exit code."""
    _set(lambda number, frame: os._exit(code))
    # Python remembers an interrupt that left an `exec`, as in the making of a dataclass, though it was caught further out,
    # and ends by the signal; the next `exec` makes it forget
    exec("")


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """For the moment in which an interrupt is told: a second one changes nothing."""
    before = [signal.getsignal(number) for number in _BOTH]
    with contextlib.suppress(ValueError):  # not the main thread, which alone is interrupted
        _set(signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in zip(_BOTH, before, strict=True):
            with contextlib.suppress(ValueError):
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _set(handler: Callable[[int, Any], object] | signal.Handlers) -> None:
    """Handle both; an interrupt that is ignored, as in a shell's background job, stays so."""
    for number in _BOTH:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
