"""A child process that runs jobs under wall-time and memory limits, and is killed and replaced when it goes over.

A child stays warm between calls. It is started on first use, shared by the whole process, and ends with it: it reads
from a socket whose other end only this process holds.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import ToolboxError

_HERE = Path(__file__).parent
_HEADER_BYTES = 8
_START_SECONDS = 20.0
_GRACE_SECONDS = 0.5  # the parent's clock ends a job first; the child's own timer is for when the parent is gone
_REPLY_LIMIT_BYTES = 64 * 1024 * 1024


class Child:
    """One kind of job, one process at a time; calls from several threads wait for each other."""

    def __init__(self, module: str, memory_mb: int) -> None:
        self._module = str(_HERE / f"{module}.py")
        self._memory_bytes = memory_mb * 1024 * 1024
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._closings = 0

    def call(
        self,
        job: str,
        arguments: Mapping[str, Any],
        *,
        seconds: float,
        slow: str,
        files: Mapping[str, Sequence[int]] | None = None,
        retry: bool = True,
    ) -> Any:
        """Run a job; `files` are open descriptors that it gets as paths by name. `slow` says what took too long.

        With `retry`, a call that was cut off because another user of the child closed it is made once more.
        """
        with self._turn:
            closings = self._closings
            try:
                reply = self._exchange(job, arguments, seconds, files or {})
            except TimeoutError:
                self.close()
                raise ToolboxError(f"{slow} took longer than {seconds:g} s", "timeout") from None
            except OSError:
                if self._closings == closings or not retry:
                    self.close()
                    raise ToolboxError(f"{slow} ended the process that ran it (out of memory?)", "failed") from None
                reply = None
            except BaseException:  # an interrupt mid-call: the reply would be taken for the next call's
                self.close()
                raise
        if reply is None:
            return self.call(job, arguments, seconds=seconds, slow=slow, files=files, retry=False)
        if "result" in reply:
            return reply["result"]
        raise ToolboxError(str(reply.get("message")), str(reply.get("kind", "failed")))

    def _exchange(
        self, job: str, arguments: Mapping[str, Any], seconds: float, files: Mapping[str, Sequence[int]]
    ) -> dict[str, Any]:
        self._ensure()
        deadline = time.monotonic() + seconds
        self._send(_request(job, arguments, seconds + _GRACE_SECONDS, files), files, deadline)
        return self._receive(deadline)

    def close(self) -> None:
        """End the child if there is one; the next call starts another."""
        self._closings += 1
        process, channel = self._process, self._channel
        self._process = self._channel = None
        if process is not None:
            process.kill()  # first: a thread that waits for the reply wakes up
            process.wait()
        if channel is not None:
            channel.close()

    @property
    def pid(self) -> int | None:
        """The process id of the child, None while there is none."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def _ensure(self) -> None:
        """Start the child where there is none, and wait until it is ready for its first job."""
        if self._process is not None and self._process.poll() is None:
            return
        if self._process is not None:
            self.close()
        self._channel, theirs = socket.socketpair()
        self._channel.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_HERE / "child_main.py"), str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),), env={}, cwd="/", start_new_session=True,
            )  # fmt: skip
        start = {
            "path": [path for path in sys.path if path],
            "module": self._module,
            "memory_bytes": self._memory_bytes,
        }
        deadline = time.monotonic() + _START_SECONDS
        self._send(json.dumps(start).encode(), {}, deadline)
        self._receive(deadline)

    def forget(self) -> None:
        """After a fork, in the new process: the child belongs to the old one."""
        self._turn = threading.Lock()
        if self._channel is not None:
            self._channel.close()
        self._process = self._channel = None

    def _send(self, frame: bytes, files: Mapping[str, Sequence[int]], deadline: float) -> None:
        channel = self._open_channel()
        descriptors = [descriptor for group in files.values() for descriptor in group]
        header = len(frame).to_bytes(_HEADER_BYTES, "big")
        self._wait(select.POLLOUT, deadline)
        sent = socket.send_fds(channel, [header], descriptors) if descriptors else channel.send(header)
        view = memoryview(header[sent:] + frame)
        while view:
            self._wait(select.POLLOUT, deadline)
            view = view[channel.send(view) :]

    def _receive(self, deadline: float) -> dict[str, Any]:
        size = int.from_bytes(self._exactly(_HEADER_BYTES, deadline), "big")
        if size > _REPLY_LIMIT_BYTES:
            raise ConnectionResetError("the child sent more than it should")
        reply: dict[str, Any] = json.loads(self._exactly(size, deadline))
        return reply

    def _exactly(self, size: int, deadline: float) -> bytes:
        channel = self._open_channel()
        chunks: list[bytes] = []
        while size:
            self._wait(select.POLLIN, deadline)
            chunk = channel.recv(min(size, 1 << 20))
            if not chunk:
                raise ConnectionResetError("the child ended")
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    def _wait(self, event: int, deadline: float) -> None:
        poll = select.poll()
        try:
            poll.register(self._open_channel(), event)
        except ValueError:  # another thread closed it just now
            raise ConnectionResetError("the child was closed") from None
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError

    def _open_channel(self) -> socket.socket:
        if self._channel is None:
            raise ConnectionResetError("the child was closed")
        return self._channel


def _request(job: str, arguments: Mapping[str, Any], seconds: float, files: Mapping[str, Sequence[int]]) -> bytes:
    names, first = [], 0
    for name, descriptors in files.items():
        names.append((name, first, first + len(descriptors)))
        first += len(descriptors)
    return json.dumps({"job": job, "arguments": arguments, "seconds": seconds, "file_names": names}).encode()


PATTERNS = Child("patterns", memory_mb=1024)
MEASURES = Child("measures", memory_mb=1024)
QUERIES = Child("queries", memory_mb=3072)
_users = 0
_users_turn = threading.Lock()


def close_children() -> None:
    """End all children of this process; later calls start new ones."""
    for child in (PATTERNS, MEASURES, QUERIES):
        child.close()


def hold_children() -> None:
    """Count one more user of the children."""
    global _users
    with _users_turn:
        _users += 1


def release_children() -> None:
    """Count one user less; the last one ends the children."""
    global _users
    with _users_turn:
        _users -= 1
        last = _users == 0
    if last:
        close_children()


def _forget_children() -> None:
    for child in (PATTERNS, MEASURES, QUERIES):
        child.forget()


atexit.register(close_children)
os.register_at_fork(after_in_child=_forget_children)
