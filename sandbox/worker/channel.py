"""The worker's end of the pipes, and the budgets that it keeps itself (the host keeps them too)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, NoReturn

from ..frames import FrameBuffer, encode

_FLUSH_BYTES = 4_096
_FLUSH_SECONDS = 0.005


class LimitReached(BaseException):
    """A budget is used up; no program can name or catch it."""

    def __init__(self, budget: str, message: str) -> None:
        super().__init__(message)
        self.budget = budget


class Channel:
    """Sends calls and output, receives returns. Returns are kept in the order in which they arrive."""

    def __init__(self, source: int, target: int) -> None:
        self._source, self._target = source, target
        self._incoming = FrameBuffer(1 << 31, trusting=True)
        self.on_return: Callable[[dict[str, Any]], None] = lambda message: None
        self.frame_limit = 1 << 22
        self.next_id = 1
        self.begin(0, 0)

    def begin(self, max_calls: int, max_output_bytes: int) -> None:
        """Start the budgets of a program."""
        self.calls_left, self.output_left = max_calls, max_output_bytes
        self.max_calls, self.max_output_bytes = max_calls, max_output_bytes
        self.exceeded: LimitReached | None = None
        self.running = False
        self._output: list[str] = []
        self._held = 0
        self._flushed_at = 0.0
        self._prompt_flushes = 100

    # -- frames

    def read(self) -> dict[str, Any]:
        """The next message; ends the process when the host has gone."""
        while True:
            message = self._incoming.next()
            if message is not None:
                return message
            try:
                data = os.read(self._source, 1 << 18)
                if not data:
                    os._exit(0)
                self._incoming.feed(data)
            except MemoryError:  # part of the stream is lost, so this is the end
                self.exceed("memory_mb", "out of memory")

    def send(self, message: dict[str, Any]) -> None:
        """Write one message."""
        self._write(encode(message))

    def _write(self, data: bytes) -> None:
        written = os.write(self._target, data)
        while written < len(data):
            written += os.write(self._target, data[written:])

    # -- calls

    def call(self, tool: str, arguments: dict[str, Any]) -> int:
        """Send a call and return its id."""
        self._check()
        if self.calls_left <= 0:
            self.exceed("max_calls", f"more than {self.max_calls} tool calls")
        self.flush()
        try:
            data = encode({"t": "call", "id": self.next_id, "tool": tool, "args": arguments})
        except UnicodeEncodeError:
            raise ValueError(f"{tool}: an argument holds text that is not valid Unicode") from None
        if len(data) > self.frame_limit:
            raise ValueError(f"{tool}: the arguments take {len(data)} bytes, the limit is {self.frame_limit}")
        self.calls_left -= 1
        return self._sent(data)

    def _sent(self, data: bytes) -> int:
        self._write(data)
        self.next_id += 1
        return self.next_id - 1

    def now(self) -> float:
        """The host's time."""
        self._check()
        number = self._sent(encode({"t": "now", "id": self.next_id}))
        return float(self.wait(number)["value"])

    def wait(self, number: int) -> dict[str, Any]:
        """Block until call `number` has returned; other returns go to `on_return`."""
        while True:
            message = self.read()
            if message["id"] == number:
                return message
            self.on_return(message)

    def _check(self) -> None:
        if self.exceeded is not None:
            raise self.exceeded
        if not self.running:
            raise RuntimeError("no program is running")

    def exceed(self, budget: str, message: str) -> NoReturn:
        """End the program; every later call ends it again."""
        self.exceeded = LimitReached(budget, message)
        raise self.exceeded

    # -- output

    def write(self, text: str) -> None:
        """Print; ends the program when the budget for output is used up."""
        self._check()
        size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        if size > self.output_left:
            kept = text.encode("utf-8", "replace")[: self.output_left].decode("utf-8", "ignore")
            self._keep(kept, self.output_left)
            self.flush()
            self.exceed("max_output_bytes", f"more than {self.max_output_bytes} bytes of output; print less")
        self._keep(text, size)
        self._prompt_flushes -= 1  # at first every print is sent at once, so that a program that hangs shows its last
        if (
            self._prompt_flushes >= 0
            or self._held >= _FLUSH_BYTES
            or time.monotonic() - self._flushed_at > _FLUSH_SECONDS
        ):
            self.flush()

    def _keep(self, text: str, size: int) -> None:
        self.output_left -= size
        self._output.append(text)
        self._held += size

    def flush(self) -> None:
        """Send what was printed, so that it survives whatever comes next."""
        if self._output:
            text = "".join(self._output).encode("utf-8", "replace").decode("utf-8")
            self._output, self._held = [], 0
            self.send({"t": "out", "text": text})
            self._flushed_at = time.monotonic()
