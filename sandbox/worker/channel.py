"""The worker's end of the pipes, and the budgets that it keeps itself (the host keeps them too)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, NoReturn

from ..frames import FrameBuffer, Message, encode

_FLUSH_BYTES = 4_096
_FLUSH_SECONDS = 0.005
_READ_BYTES = 1 << 13
_LARGE_READ_BYTES = 1 << 18
"""Where more is on its way. A large buffer for every small message would make the heap grow and shrink each time."""
_HELD_BYTES = 1 << 16


class LimitReached(BaseException):
    """A budget is used up; no program can name or catch it."""

    def __init__(self, budget: str, message: str) -> None:
        super().__init__(message)
        self.budget = budget


class Channel:
    """Sends calls and output, receives returns. Returns are kept in the order in which they arrive.

    Calls that nobody waits for yet may be held back until the program waits for anything: then one write, and one
    waking of the host, serves all of them.
    """

    def __init__(self, source: int, target: int) -> None:
        self.on_return: Callable[[list[Any]], None] = lambda message: None
        self.frame_limit = 1 << 22
        self._incoming = FrameBuffer(1 << 31, trusting=True)
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._read_bytes = _READ_BYTES
        self.connect(source, target)
        self.begin(0, 0)

    def connect(self, source: int, target: int) -> None:
        """Use these descriptors from now on, and count calls from 1."""
        self._source, self._target = source, target
        self.next_id = 1

    def begin(self, max_calls: int, max_output_bytes: int) -> None:
        """Start the budgets of a program."""
        self.calls_left, self.output_left = max_calls, max_output_bytes
        self.max_calls, self.max_output_bytes = max_calls, max_output_bytes
        self.exceeded: LimitReached | None = None
        self.running = False
        self._output: list[str] = []
        self._output_bytes = 0
        self._flushed_at = 0.0
        self._prompt_flushes = 100

    # -- frames

    def read(self) -> Message:
        """The next message; ends the process when the host has gone."""
        if self._held:
            self._write(b"")
        while True:
            message = self._incoming.next()
            if message is not None:
                return message
            try:
                data = os.read(self._source, self._read_bytes)
                if not data:
                    os._exit(0)
                self._read_bytes = _LARGE_READ_BYTES if len(data) >= self._read_bytes else _READ_BYTES
                self._incoming.feed(data)
            except MemoryError:  # part of the stream is lost, so this is the end
                self.exceed("memory_mb", "out of memory")

    def read_return(self) -> list[Any]:
        """The next return of a call; while a program runs the host sends nothing else."""
        message: Any = self.read()
        returned: list[Any] = message
        return returned

    def send(self, message: Message) -> None:
        """Write one message."""
        self._write(encode(message))

    def _write(self, data: bytes) -> None:
        if self._held:
            self._held.append(data)
            data = b"".join(self._held)
            self._held, self._held_bytes = [], 0
        written = os.write(self._target, data)
        while written < len(data):
            written += os.write(self._target, data[written:])

    # -- calls

    def call(self, tool: str, arguments: dict[str, Any], *, hold: bool = False) -> int:
        """Send a call and return its id; with `hold` it leaves when the program next waits, prints, or ends."""
        if self.exceeded is not None or not self.running:
            self._check()
        if self.calls_left <= 0:
            self.exceed("max_calls", f"more than {self.max_calls} tool calls")
        if self._output:
            self.flush()
        try:
            data = encode([self.next_id, tool, arguments])
        except UnicodeEncodeError:
            raise ValueError(f"{tool}: an argument holds text that is not valid Unicode") from None
        if len(data) > self.frame_limit:
            raise ValueError(f"{tool}: the arguments take {len(data)} bytes, the limit is {self.frame_limit}")
        self.calls_left -= 1
        if hold and self._held_bytes < _HELD_BYTES:
            self._held.append(data)
            self._held_bytes += len(data)
        else:
            self._write(data)
        self.next_id += 1
        return self.next_id - 1

    def now(self) -> float:
        """The host's time."""
        self._check()
        number = self.next_id
        self.send({"t": "now", "id": number})
        self.next_id += 1
        return float(self.wait(number)[1])

    def wait(self, number: int) -> list[Any]:
        """Block until call `number` has returned; other returns go to `on_return`."""
        while True:
            message = self.read_return()
            if message[0] == number:
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

    def write(self, text: str, *, last: bool = False) -> None:
        """Print; ends the program when the budget for output is used up. What is printed `last` goes with its end."""
        if self.exceeded is not None or not self.running:
            self._check()
        size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        if size > self.output_left:
            kept = text.encode("utf-8", "replace")[: self.output_left].decode("utf-8", "ignore")
            self._keep(kept, self.output_left)
            self.flush()
            self.exceed("max_output_bytes", f"more than {self.max_output_bytes} bytes of output; print less")
        self._keep(text, size)
        if last:
            return
        self._prompt_flushes -= 1  # at first every print is sent at once, so that a program that hangs shows its last
        if (
            self._prompt_flushes >= 0
            or self._output_bytes >= _FLUSH_BYTES
            or time.monotonic() - self._flushed_at > _FLUSH_SECONDS
        ):
            self.flush()

    def _keep(self, text: str, size: int) -> None:
        self.output_left -= size
        self._output.append(text)
        self._output_bytes += size

    def flush(self) -> None:
        """Send what was printed, so that it survives whatever comes next."""
        if self._output:
            self._write(encode({"t": "out", "text": self.rest()}))
            self._flushed_at = time.monotonic()

    def rest(self) -> str:
        """What was printed and not sent; it is the caller's from now on."""
        text = "".join(self._output)
        self._output, self._output_bytes = [], 0
        return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
