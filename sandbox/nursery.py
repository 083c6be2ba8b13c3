"""The host's hold on the parent of workers: one clean process, started by the first sandbox, ended by the last.

Workers are forked from it, because a fork costs 3 ms and a new interpreter 40; and because the kernel ties a worker to
the thread that forked it, which in the host may end at any time.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import SandboxUnavailable

_HEADER = struct.Struct("<I")
_START_SECONDS = 60.0
# The packages' own `__init__` modules are skipped: they import far more than a worker needs.
_BOOT = """\
import sys, types
package = types.ModuleType("sandbox_package")
package.__path__ = [sys.argv[1]]
sys.modules["sandbox_package"] = package
sys.path.append(sys.argv[2])
package = types.ModuleType("RestrictedPython")
package.__path__ = [sys.argv[3]]
sys.modules["RestrictedPython"] = package
from sandbox_package.worker.zygote import main
main(int(sys.argv[4]))
"""


class Nursery:
    """A running zygote. Its requests are answered one at a time, in milliseconds."""

    def __init__(self) -> None:
        self.users = 0
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._ready = False
        self._control, self._process = _start()

    def fork(self, descriptors: tuple[int, int], memory_bytes: int, *, unsafe: bool, raw: bool) -> int:
        """A new worker that reads and writes `descriptors`; returns its process id."""
        request = {"t": "fork", "memory_bytes": memory_bytes, "unsafe": unsafe, "raw": raw}
        return int(self._ask(request, descriptors)["pid"])

    def reap(self, pid: int) -> tuple[int, float]:
        """Wait status and largest resident size (MB) of a worker that was killed or has ended."""
        answer = self._ask({"t": "reap", "pid": pid})
        return int(answer["status"]), answer["rss"] / (1024 if sys.platform == "linux" else 1024 * 1024)

    @property
    def alive(self) -> bool:
        """Whether it still runs, in the process that started it."""
        return self.owner == os.getpid() and self._control.fileno() >= 0 and self._process.poll() is None

    def close(self) -> None:
        """End the zygote, and with it every worker."""
        self._control.close()
        if self.owner == os.getpid():
            self._process.wait()

    def _ask(self, request: dict[str, Any], descriptors: tuple[int, ...] = ()) -> dict[str, Any]:
        with self._lock:
            try:
                self._await_start()
                body = json.dumps(request).encode()
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
                self._control.sendmsg([_HEADER.pack(len(body)) + body], rights)
                return self._answer()
            except (OSError, EOFError) as error:
                raise SandboxUnavailable(
                    f"the process that makes workers has gone: {error}", where="sandbox", mend="try again"
                ) from None
            except KeyboardInterrupt:
                self._control.close()  # an answer may still come, for a question nobody remembers
                raise

    def _await_start(self) -> None:
        if not self._ready:
            first = self._answer()
            if "fault" in first:
                raise SandboxUnavailable(
                    f"a worker cannot be started: {first['fault']}", where="sandbox",
                    mend="reinstall atlas-runtime with its dependencies (RestrictedPython 9)",
                )
            self._ready = True

    def _answer(self) -> dict[str, Any]:
        size = _HEADER.unpack(self._exactly(_HEADER.size))[0]
        answer = json.loads(self._exactly(size))
        assert isinstance(answer, dict)
        return answer

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._control.recv(size - len(data))
            if not part:
                raise EOFError("it ended" + ("" if self._ready else f" while starting ({sys.executable})"))
            data += part
        return data


def _start() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    import RestrictedPython

    if not sys.executable:
        raise SandboxUnavailable("this Python does not know its own executable", where="sandbox",
                                 mend="run Atlas with a normal Python installation")
    ours, theirs = socket.socketpair()
    restricted = Path(RestrictedPython.__file__).parent
    command = [sys.executable, "-s", "-S", "-P", "-c", _BOOT, str(Path(__file__).parent), str(restricted.parent),
               str(restricted), str(theirs.fileno())]
    try:
        process = subprocess.Popen(
            command, env={"PYTHONHASHSEED": "0"}, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
    except OSError as error:
        ours.close()
        raise SandboxUnavailable(f"a worker cannot be started: {error}", where=sys.executable,
                                 mend="check that this Python can be executed and that processes are left") from None
    finally:
        theirs.close()
    ours.settimeout(_START_SECONDS)
    return ours, process


_current: Nursery | None = None
_guard = threading.Lock()


def acquire() -> Nursery:
    """The running nursery, or a new one; each holder gives it back with `release`."""
    global _current
    with _guard:
        if _current is None or not _current.alive:
            _current = Nursery()
        _current.users += 1
        return _current


def release(nursery: Nursery) -> None:
    """Give a nursery back; the last one ends it."""
    global _current
    with _guard:
        nursery.users -= 1
        if nursery.users == 0:
            nursery.close()
            if _current is nursery:
                _current = None


@contextmanager
def keep_warm() -> Iterator[None]:
    """Within this block the parent of workers stays, so that opening a sandbox costs milliseconds each time."""
    nursery = acquire()
    try:
        yield
    finally:
        release(nursery)


def _forget_in_child() -> None:
    global _current, _guard
    _current, _guard = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_in_child)
