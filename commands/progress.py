"""How far a long command is, on stderr: one line that is written over at a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time

from ..training.pace import span
from .report import note, safe

_SECONDS_BETWEEN_LINES = 20.0
_SECONDS_BEFORE_FORECAST = 5.0


class Progress:
    """Takes what is being done, how much of it is done, and of how much; a whole of 0 makes a plain line of it."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._kind = ""
        self._began = (0.0, 0)
        self._told = 0.0
        self._open = False

    def __call__(self, what: str, done: int, total: int) -> None:
        if not total:
            self.close()
            note(what)
            return
        now = time.monotonic()
        fresh = self._turned_to(what.partition(",")[0], now, done)
        left = f", {span(seconds)} left" if (seconds := self._left(now, done, total)) is not None else ""
        if self._live:
            line = f"{safe(what)} {_bar(done, total)}{done}/{total}{left}"
            print(f"\r\x1b[Katlas: {line}", end="", file=sys.stderr, flush=True)
            self._open = True
        elif fresh or done >= total or now - self._told > _SECONDS_BETWEEN_LINES:
            note(f"{what} {done}/{total}{left}")
            self._told = now

    def close(self) -> None:
        """End the line that was being written over."""
        if self._open:
            print(file=sys.stderr, flush=True)
            self._open = False

    def _turned_to(self, kind: str, now: float, done: int) -> bool:
        if kind == self._kind and done >= self._began[1]:
            return False
        if self._kind and kind != self._kind:
            self.close()
        self._kind, self._began = kind, (now, done)
        return True

    def _left(self, now: float, done: int, total: int) -> float | None:
        """Seconds, by the pace since this kind of work began; None where that says too little yet."""
        since, first = self._began
        if done >= total or done <= first or now - since < _SECONDS_BEFORE_FORECAST:
            return None
        return (now - since) / (done - first) * (total - done)


def _bar(done: int, total: int, width: int = 20) -> str:
    full = width * min(done, total) // max(1, total)
    return f"{'█' * full}{'░' * (width - full)} "
