"""The parent of workers: a clean interpreter with everything imported, which forks one locked worker per request.

It never runs a program. It ends when the host closes the control socket; workers end with it. A dead worker stays a
zombie until the host asks for it, so that a process id the host knows is never somebody else's.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time
import types
from typing import Any

_HEADER = struct.Struct("<I")
_ORPHAN_CHECK_SECONDS = 2.0


def main(control_descriptor: int) -> None:
    """Serve the host until it goes away."""
    control = socket.socket(fileno=control_descriptor)
    try:
        _prepare()
    except BaseException as error:
        _send(control, {"fault": f"{type(error).__name__}: {error}"})
        return
    _send(control, {"ready": True})
    children: set[int] = set()
    own_pid, host_pid = os.getpid(), os.getppid()
    while True:
        # a child of the host may hold the other end of the socket too, so its closing is not the only sign
        while not select.select([control], [], [], _ORPHAN_CHECK_SECONDS)[0] and os.getppid() == host_pid:
            pass
        if os.getppid() != host_pid:
            break
        request, descriptors = _receive(control)
        if request is None:
            break
        if request["t"] == "fork":
            pid = os.fork()
            if pid == 0:
                _worker(control, request, descriptors, own_pid)
            children.add(pid)
            for descriptor in descriptors:
                os.close(descriptor)
            _send(control, {"pid": pid})
        elif request["t"] == "reap" and request["pid"] in children:
            _, status, usage = os.wait4(request["pid"], 0)
            children.discard(request["pid"])
            _send(control, {"status": status, "rss": usage.ru_maxrss})
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)


def _prepare() -> None:
    """Import everything that a worker may ever need: after the lock, imports fail."""
    # statistics imports random for a part that is not offered, and random imports half of the library
    sys.modules.setdefault("random", types.ModuleType("random"))
    vars(sys.modules["random"]).setdefault("Random", object)
    import warnings

    from . import lock
    from .compiling import compile_program

    for name in ("_strptime", "unicodedata"):
        importlib.import_module(name)
    for name in ("ascii", "cp1252", "idna", "latin_1", "utf_16", "utf_8_sig"):
        importlib.import_module(f"encodings.{name}")
    importlib.import_module(".serve", __package__)
    lock.prepare()
    warnings.simplefilter("ignore")
    os.environ.clear()
    os.environ["TZ"] = "UTC0"
    time.tzset()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    compile_program("x = [a.b for a in []]\nx", "<warm>", max_nodes=100, modules=())
    sys.setrecursionlimit(1_000)
    gc.collect()
    gc.disable()
    gc.freeze()


def _worker(control: socket.socket, request: dict[str, Any], descriptors: list[int], parent: int) -> None:
    """In the child: lock, report, serve. Never returns."""
    status = 1
    try:
        from .channel import Channel
        from .lock import LockFailed, lock
        from .serve import Worker

        source, target = (os.dup(descriptor) for descriptor in descriptors)
        control.detach()
        os.dup2(source, 0)
        os.dup2(target, 1)
        os.closerange(2, 65_536)
        sys.stdin = sys.stdout = sys.stderr = None
        sys.unraisablehook = lambda _: None
        channel = Channel(0, 1)
        worker = Worker(channel, raw=request["raw"])
        try:
            report = lock(request["memory_bytes"], parent=parent, unsafe=request["unsafe"])
        except LockFailed as error:
            channel.send({"t": "fault", "message": str(error)})
        else:
            channel.send({"t": "ready", "layers": {name: list(one) for name, one in report.layers.items()}})
            worker.serve()
    except BaseException:
        status = 2
    finally:
        os._exit(status)


def _receive(control: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """One request with its descriptors; None when the host has gone."""
    descriptors: list[int] = []
    data = b""
    needed = _HEADER.size
    while len(data) < needed:
        try:
            part, ancillary, _, _ = control.recvmsg(needed - len(data), socket.CMSG_SPACE(2 * 4))
        except OSError:
            return None, descriptors
        if not part:
            return None, descriptors
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                found = array.array("i")
                found.frombytes(content[: len(content) - len(content) % found.itemsize])
                descriptors += found
        data += part
        if len(data) == _HEADER.size:
            needed += _HEADER.unpack(data)[0]
    return json.loads(data[_HEADER.size :]), descriptors


def _send(control: socket.socket, message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    try:
        control.sendall(_HEADER.pack(len(body)) + body)
    except OSError:
        os._exit(0)
