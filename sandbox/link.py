"""The host's end of one worker: its pipes (never blocking), its process, its death."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import time
from collections import deque

from .frames import FrameBuffer, Message
from .limits import Limits
from .nursery import Nursery

_READ_BYTES = 1 << 16
_MOST_FLUSHED = 1 << 22
_SPARE_BYTES = 1 << 19
"""What a message may be larger than the text it carries (a control character takes six bytes of JSON)."""


_GROWTH_SECONDS = 0.002


class WorkerGone(Exception):
    """The worker closed its pipe."""


class Link:
    """One forked, locked worker."""

    def __init__(self, nursery: Nursery, limits: Limits, *, unsafe: bool, raw: bool) -> None:
        born = nursery.take(int(limits.memory_mb * 2**20), unsafe=unsafe, raw=raw)
        self._nursery = nursery
        self._outgoing: bytes | memoryview = b""
        self._waiting: deque[bytes] = deque()
        self.waiting_bytes = 0
        """What is queued and not yet written."""
        self.pid, self.source, self.target, self.layers = born.pid, born.source, born.target, born.layers
        self.incoming = FrameBuffer(max(limits.max_frame_bytes, limits.max_result_bytes) + _SPARE_BYTES)
        self.ended: tuple[int, float] | None = None
        self._peak = self.born_rss_mb = born.peak_rss_mb
        self._poller = select.poll()
        self._poller.register(self.source, select.POLLIN)

    # -- bytes

    def queue(self, data: bytes) -> None:
        """Data to write; `flush` writes it."""
        self.waiting_bytes += len(data)
        if self._outgoing:
            self._waiting.append(data)
        else:
            self._outgoing = data

    @property
    def has_output(self) -> bool:
        """Whether data waits to be written."""
        return bool(self._outgoing)

    def flush(self) -> None:
        """Write what the pipe takes, but no more at once than leaves time to look at the clock."""
        if self.ended is not None:
            raise WorkerGone  # the sandbox was closed meanwhile; the descriptors may be somebody else's by now
        end = _MOST_FLUSHED
        while self._outgoing and end > 0:
            if self._waiting and len(self._outgoing) < _READ_BYTES:
                self._join()
            try:
                written = os.write(self.target, self._outgoing)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.EPIPE:
                    raise WorkerGone from None
                raise
            end -= written
            self.waiting_bytes -= written
            if written < len(self._outgoing):
                self._outgoing = memoryview(self._outgoing)[written:]
            else:
                self._outgoing = self._waiting.popleft() if self._waiting else b""

    def _join(self) -> None:
        """Make one write of several small messages."""
        parts: list[bytes | memoryview] = [self._outgoing]
        size = len(self._outgoing)
        while self._waiting and size < _READ_BYTES:
            parts.append(self._waiting.popleft())
            size += len(parts[-1])
        self._outgoing = b"".join(parts)

    def fill(self) -> None:
        """Read what is there, at most one pipe's worth."""
        if self.ended is not None:
            raise WorkerGone
        try:
            data = os.read(self.source, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise WorkerGone
        self.incoming.feed(data)

    def wait(self, until: float) -> Message | None:
        """The next message, writing what is queued meanwhile; None at the deadline."""
        while True:
            message = self.incoming.next()
            if message is not None:
                return message
            if self._outgoing:
                self.flush()
            left = until - time.monotonic()
            if left <= 0:
                return None
            if self._outgoing:
                self._poller.register(self.target, select.POLLOUT)
            ready = self._poller.poll(left * 1000 + 1)
            if self._outgoing:
                self._poller.unregister(self.target)
            if ready:
                self.fill()

    def has_strays(self) -> bool:
        """Whether the worker sent anything, or died, while no program was running."""
        return bool(self._poller.poll(0)) or len(self.incoming) > 0

    # -- process

    def cpu_seconds(self) -> float:
        """Processor time that the worker has used."""
        if sys.platform != "linux":
            return 0.0
        try:
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:
            return 0.0

    def peak_rss_mb(self, seconds: float = 1.0) -> float:
        """Largest resident size so far; as it was where less time has passed than takes much memory to fill."""
        if self.ended is not None:
            return round(max(self.ended[1], self._peak), 1)
        if seconds >= _GROWTH_SECONDS or not self._peak:
            try:
                with open(f"/proc/{self.pid}/status", "rb") as file:
                    for line in file:
                        if line.startswith(b"VmHWM"):
                            self._peak = round(int(line.split()[1]) / 1024, 1)
                            break
            except (OSError, ValueError):
                pass
        return self._peak

    def end(self) -> tuple[int, float]:
        """Kill and reap; returns the wait status (of the death it died) and the largest resident size in MB."""
        if self._stop():
            self.ended = self._nursery.reap(self.pid)
        assert self.ended is not None
        return self.ended

    def drop(self) -> None:
        """Kill, and have it reaped when there is time."""
        if self._stop():
            self._nursery.bury(self.pid)

    def _stop(self) -> bool:
        """Close the pipes and kill; whether there is somebody to reap it."""
        if self.ended is not None:
            return False
        self.ended = (-1, self._peak)
        for descriptor in (self.source, self.target):
            os.close(descriptor)
        if not self._nursery.alive:
            return False
        os.kill(self.pid, signal.SIGKILL)
        return True
