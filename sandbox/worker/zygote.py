"""The parent of workers: a clean interpreter with everything imported, which forks locked workers ahead of time.

A worker that is handed to the host has been locked, and has rehearsed: it has run a few programs of ours, so that the
pages that every program touches are its own already, and the first program of an episode does not pay for them.

The zygote runs no program of anybody else. It ends when the host closes the control socket; workers end with it. A dead
worker stays a zombie until the host asks for it, so that a process id the host knows is never somebody else's.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
import types
from typing import TYPE_CHECKING, Any, NoReturn

from ..control import Control
from ..frames import FrameBuffer, encode
from .rehearsal import OUTPUT_BYTES, rehearsal, steps

if TYPE_CHECKING:
    from .serve import Worker

_ORPHAN_CHECK_SECONDS = 2.0
_READY_SECONDS = 25.0
_PIPE_BYTES = 1 << 20
_ROUNDS = 4
"""Rehearsals in the zygote itself: the interpreter specialises what has run a few times, for all workers to come."""


def main(control_descriptor: int) -> None:
    """Serve the host until it goes away."""
    control = Control(socket.socket(fileno=control_descriptor))
    try:
        worker = _prepare()
    except BaseException as error:
        control.send({"t": "fault", "message": f"{type(error).__name__}: {error}"})
        return
    _Zygote(control, worker).serve()


class _Zygote:
    def __init__(self, control: Control, worker: Worker) -> None:
        self._control, self._worker = control, worker
        self._children: set[int] = set()
        self._spares, self._memory_bytes = 0, 0
        self._pid, self._host = os.getpid(), os.getppid()

    def serve(self) -> None:
        """Answer the host; make spare workers while it asks for nothing."""
        with contextlib.suppress(OSError, EOFError):
            self._control.send({"t": "ready"})
            while self._host_is_there():
                if self._control.readable(0 if self._spares else _ORPHAN_CHECK_SECONDS):
                    self._answer(self._control.receive())
                elif self._spares:
                    self._spares -= 1
                    self._make({"order": 0, "memory_bytes": self._memory_bytes, "unsafe": False, "raw": False})
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in self._children:
            os.waitpid(pid, 0)

    def _host_is_there(self) -> bool:
        """A child of the host may hold the other end of the socket too, so its closing is not the only sign."""
        return os.getppid() == self._host

    def _answer(self, request: dict[str, Any]) -> None:
        kind = request["t"]
        if kind == "spare":
            self._spares += request["count"]
            self._memory_bytes = request["memory_bytes"]
        elif kind == "make":
            self._make(request)
        elif request["pid"] in self._children:
            _, status, usage = os.wait4(request["pid"], 0)
            self._children.discard(request["pid"])
            if kind == "reap":
                self._control.send({"t": "reaped", "status": status, "rss": usage.ru_maxrss})

    def _make(self, request: dict[str, Any]) -> None:
        """A worker, locked and rehearsed, with the host's ends of its pipes; or what went wrong."""
        theirs_in, target = os.pipe()
        source, theirs_out = os.pipe()
        answer: dict[str, Any] = {"t": "worker", "order": request["order"], "memory_bytes": request["memory_bytes"]}
        try:
            for descriptor in (target, source):
                os.set_blocking(descriptor, False)
                _widen(descriptor)
            pid = os.fork()
            if pid == 0:
                self._be_worker(request, theirs_in, theirs_out)
            self._children.add(pid)
            os.close(theirs_in)
            os.close(theirs_out)
            theirs_in = theirs_out = -1
            os.write(target, _REHEARSAL)
            answer |= {"pid": pid, **_await_ready(pid, source)}
            ready = "fault" not in answer
            self._control.send(answer, (source, target) if ready else ())
            if not ready:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                self._children.discard(pid)
        except (OSError, ValueError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            self._control.send(answer | {"fault": f"{type(error).__name__}: {error}"})
        finally:
            for descriptor in (source, target, theirs_in, theirs_out):
                if descriptor >= 0:
                    os.close(descriptor)

    def _be_worker(self, request: dict[str, Any], theirs_in: int, theirs_out: int) -> NoReturn:
        """In the child: lock, report, serve."""
        status = 1
        try:
            from .lock import LockFailed, lock

            source, target = os.dup(theirs_in), os.dup(theirs_out)
            self._control.detach()
            os.dup2(source, 0)
            os.dup2(target, 1)
            os.closerange(2, 65_536)
            sys.stdin = sys.stdout = sys.stderr = None
            sys.unraisablehook = lambda _: None
            worker = self._worker
            worker.raw = request["raw"]
            worker.channel.connect(0, 1)
            try:
                report = lock(request["memory_bytes"], parent=self._pid, unsafe=request["unsafe"])
            except LockFailed as error:
                worker.channel.send({"t": "fault", "message": str(error)})
            else:
                layers = {name: list(one) for name, one in report.layers.items()}
                worker.channel.send({"t": "locked", "layers": layers})
                worker.serve()
        except BaseException:
            status = 2
        finally:
            os._exit(status)


_REHEARSAL = b"".join(encode(message) for message in rehearsal())


def _await_ready(pid: int, source: int) -> dict[str, Any]:
    """What a new worker says of its lock, once it has rehearsed."""
    buffer, layers = FrameBuffer(OUTPUT_BYTES), None
    until = time.monotonic() + _READY_SECONDS
    poller = select.poll()
    poller.register(source, select.POLLIN)
    while True:
        message = buffer.next()
        if message is None:
            if not poller.poll(max(0.0, until - time.monotonic()) * 1000):
                return {"fault": "it did not start in time"}
            data = os.read(source, OUTPUT_BYTES)
            if not data:
                return {"fault": "it ended while it was locked"}
            buffer.feed(data)
        elif isinstance(message, dict) and message["t"] == "fault":
            return {"fault": message["message"]}
        elif isinstance(message, dict) and message["t"] == "locked":
            layers = message["layers"]
        elif isinstance(message, dict) and message["t"] == "fresh":
            return {"layers": layers, **_memory(pid)}


def _memory(pid: int) -> dict[str, int]:
    """Bytes that the worker has mapped, and that it has in memory; nothing where /proc does not say."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            mapped, resident = (int(word) * os.sysconf("SC_PAGE_SIZE") for word in file.read().split()[:2])
    except (OSError, ValueError):
        return {}
    return {"mapped": mapped, "resident": resident}


def _widen(descriptor: int) -> None:
    command = getattr(fcntl, "F_SETPIPE_SZ", None)
    if command is not None:
        with contextlib.suppress(OSError):  # the user's share of pipe memory may be used up; then it stays small
            fcntl.fcntl(descriptor, command, _PIPE_BYTES)


def _prepare() -> Worker:
    """Import everything that a worker may ever need: after the lock, imports fail."""
    # statistics imports random for a part that is not offered, and random imports half of the library
    sys.modules.setdefault("random", types.ModuleType("random"))
    vars(sys.modules["random"]).setdefault("Random", object)
    import warnings

    from . import lock
    from .channel import Channel
    from .serve import Worker

    for name in ("_strptime", "unicodedata"):
        importlib.import_module(name)
    for name in ("ascii", "cp1252", "idna", "latin_1", "utf_16", "utf_8_sig"):
        importlib.import_module(f"encodings.{name}")
    lock.prepare()
    warnings.simplefilter("ignore")
    os.environ.clear()
    os.environ["TZ"] = "UTC0"
    time.tzset()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setrecursionlimit(1_000)
    gc.disable()
    worker = Worker(Channel(-1, -1), raw=False)
    for _ in range(_ROUNDS):
        _rehearse(worker)
    gc.collect()
    gc.freeze()
    return worker


def _rehearse(worker: Worker) -> None:
    """In this process, over pipes that nobody else has: what all workers would do alike is done once."""
    source, target = os.pipe()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.write(target, _REHEARSAL)
        worker.channel.connect(source, nowhere)
        for _ in range(steps()):
            worker.serve_one()
    finally:
        for descriptor in (source, target, nowhere):
            os.close(descriptor)
