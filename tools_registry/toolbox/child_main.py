"""The child process: takes one job after the other over a socket, under limits that the kernel enforces.

Started as a script, so that nothing of the package is imported; the module with its jobs (`patterns`, `measures`,
`queries`) is loaded by its file. A job takes and returns JSON values and raises `ValueError` with a message for the
caller. One that runs over its time is ended by the timer's signal, which needs no help from the interpreter; the end of
the parent is noticed through the socket, also mid-job.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import re
import resource
import signal
import socket
import sys
from types import ModuleType
from typing import Any

_HEADER_BYTES = 8
_MAX_FILES = 32


def main() -> None:
    """Serve jobs until the parent closes the socket."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    start = json.loads(_frame(channel)[0])
    sys.path[:] = start["path"]
    _limit(start["memory_bytes"])
    module = _module(start["module"])
    module.warm()
    _send(channel, b"{}")
    while True:
        frame, files = _frame(channel)
        request = json.loads(frame)
        _watch(channel, request["seconds"])
        reply = _reply(module, request, files)
        _watch(channel, 0.0)
        for descriptor in files:
            os.close(descriptor)
        _send(channel, reply)


def _send(channel: socket.socket, frame: bytes) -> None:
    channel.sendall(len(frame).to_bytes(_HEADER_BYTES, "big") + frame)


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it reads and computes, and never writes a file
    if sys.platform.startswith("linux"):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("atlas_job", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _watch(channel: socket.socket, seconds: float) -> None:
    """Let the kernel end this process at the deadline, or when the parent's end of the socket closes mid-job."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.signal(signal.SIGIO, signal.SIG_DFL if seconds else signal.SIG_IGN)
    flags = fcntl.fcntl(channel, fcntl.F_GETFL)
    fcntl.fcntl(channel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(channel, fcntl.F_SETFL, flags | os.O_ASYNC if seconds else flags & ~os.O_ASYNC)


def _reply(module: ModuleType, request: dict[str, Any], files: list[int]) -> bytes:
    arguments = request["arguments"]
    paths = [f"/dev/fd/{descriptor}" for descriptor in files]
    named = {name: paths[first:last] for name, first, last in request["file_names"]}
    if named:
        arguments["files"] = named
    try:
        reply = {"result": getattr(module, request["job"])(**arguments)}
    except ValueError as problem:
        reply = {"kind": "invalid", "message": _with_names(str(problem), named)}
    except MemoryError:
        reply = {"kind": "failed", "message": "it needs more memory than is allowed"}
    except Exception as problem:
        reply = {"kind": "failed", "message": f"{type(problem).__name__}: {problem}"[:400]}
    return json.dumps(reply, default=str).encode()


def _with_names(message: str, named: dict[str, list[str]]) -> str:
    """A message with the names of files in place of the paths that this process knows them by."""
    for name, paths in named.items():
        for path in paths:
            message = re.sub(re.escape(path) + r"(?!\d)", name.replace("\\", r"\\"), message)
    return message


def _frame(channel: socket.socket) -> tuple[bytes, list[int]]:
    """The next frame, and the descriptors that came with it; the process ends when the parent is gone."""
    header, files, _, _ = socket.recv_fds(channel, _HEADER_BYTES, _MAX_FILES)
    if len(header) < _HEADER_BYTES:
        header += _exactly(channel, _HEADER_BYTES - len(header), bool(header))
    return _exactly(channel, int.from_bytes(header, "big"), True), list(files)


def _exactly(channel: socket.socket, size: int, started: bool) -> bytes:
    chunks: list[bytes] = []
    while size:
        chunk = channel.recv(min(size, 1 << 20))
        if not chunk:
            os._exit(1 if started else 0)
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


if __name__ == "__main__":
    main()
