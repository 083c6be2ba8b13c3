"""The host's end of one worker: its pipes (never blocking), its process, its death."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import signal
import sys
import time
from typing import Any

from .errors import SandboxUnavailable
from .frames import FrameBuffer, FrameError
from .limits import Limits
from .nursery import Nursery

_READ_BYTES = 1 << 18
_START_SECONDS = 30.0
_SPARE_BYTES = 1 << 19
"""What a message may be larger than the text it carries (a control character takes six bytes of JSON)."""


class WorkerGone(Exception):
    """The worker closed its pipe."""


class Link:
    """One forked, locked worker."""

    def __init__(self, nursery: Nursery, limits: Limits, *, unsafe: bool, raw: bool) -> None:
        self._nursery = nursery
        self._outgoing = bytearray()
        self.incoming = FrameBuffer(max(limits.max_frame_bytes, limits.max_result_bytes) + _SPARE_BYTES)
        self.ended: tuple[int, float] | None = None
        theirs_in, self.target = os.pipe()
        self.source, theirs_out = os.pipe()
        try:
            self.pid = nursery.fork((theirs_in, theirs_out), int(limits.memory_mb * 2**20), unsafe=unsafe, raw=raw)
        except BaseException:
            os.close(self.source)
            os.close(self.target)
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        for descriptor in (self.source, self.target):
            os.set_blocking(descriptor, False)
            _widen(descriptor)
        self._poller = select.poll()
        self._poller.register(self.source, select.POLLIN)
        self.layers = self._await_lock()

    def _await_lock(self) -> dict[str, tuple[bool, str]]:
        try:
            first = self.wait(time.monotonic() + _START_SECONDS)
        except (WorkerGone, FrameError):
            first = None
        if first is not None and first.get("t") == "ready":
            return {str(name): (bool(one[0]), str(one[1])) for name, one in first["layers"].items()}
        self.end()
        reason = first.get("message") if first is not None else "it did not start"
        raise SandboxUnavailable(
            f"the worker cannot be locked: {reason}", where="sandbox",
            mend="use a Linux kernel with seccomp filters, or accept the risk with --unsafe-sandbox (unsafe=True)",
        )

    # -- bytes

    def queue(self, data: bytes) -> None:
        """Data to write; `flush` writes it."""
        self._outgoing += data

    @property
    def has_output(self) -> bool:
        """Whether data waits to be written."""
        return bool(self._outgoing)

    def flush(self) -> None:
        """Write as much as the pipe takes."""
        while self._outgoing:
            try:
                written = os.write(self.target, self._outgoing)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.EPIPE:
                    raise WorkerGone from None
                raise
            del self._outgoing[:written]

    def fill(self) -> None:
        """Read what is there, at most one pipe's worth."""
        try:
            data = os.read(self.source, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise WorkerGone
        self.incoming.feed(data)

    def wait(self, until: float) -> dict[str, Any] | None:
        """The next message, writing what is queued meanwhile; None at the deadline."""
        while True:
            message = self.incoming.next()
            if message is not None:
                return message
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
        try:
            self.fill()
        except WorkerGone:
            return True
        return len(self.incoming) > 0

    # -- process

    def cpu_seconds(self) -> float:
        """Processor time that the worker has used."""
        if sys.platform != "linux":
            return 0.0
        try:
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:
            return 0.0

    def peak_rss_mb(self) -> float:
        """Largest resident size so far."""
        if self.ended is not None:
            return round(self.ended[1], 1)
        try:
            with open(f"/proc/{self.pid}/status", "rb") as file:
                for line in file:
                    if line.startswith(b"VmHWM"):
                        return round(int(line.split()[1]) / 1024, 1)
        except (OSError, ValueError):
            pass
        return 0.0

    def end(self) -> tuple[int, float]:
        """Kill and reap; returns the wait status (of the death it died) and the largest resident size in MB."""
        if self.ended is None:
            self.ended = (-1, 0.0)
            for descriptor in (self.source, self.target):
                os.close(descriptor)
            if self._nursery.alive:
                os.kill(self.pid, signal.SIGKILL)
                self.ended = self._nursery.reap(self.pid)
        return self.ended


def _widen(descriptor: int) -> None:
    command = getattr(fcntl, "F_SETPIPE_SZ", None)
    if command is not None:
        with contextlib.suppress(OSError):  # the user's share of pipe memory may be used up; then it stays small
            fcntl.fcntl(descriptor, command, 1 << 20)
