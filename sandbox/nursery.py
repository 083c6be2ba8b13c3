"""The host's hold on the parent of workers: one clean process, started by the first sandbox, ended by the last.

Workers are forked from it, because a fork costs 3 ms and a new interpreter 40; and because the kernel ties a worker to
the thread that forked it, which in the host may end at any time. Some wait ready, locked and rehearsed, for the next
sandbox; what was taken is made again while nothing else is asked.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .control import Control
from .errors import SandboxUnavailable
from .limits import Limits

_START_SECONDS = 60.0
SPARES = 2
"""Workers that wait for a sandbox, once the first sandbox has one."""
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


@dataclass(slots=True)
class Newborn:
    """A locked worker that has run nothing of anybody's, and the host's ends of its pipes."""

    pid: int
    source: int
    target: int
    layers: dict[str, tuple[bool, str]]
    peak_rss_mb: float


class Nursery:
    """A running zygote. Its requests are answered one at a time, in milliseconds."""

    def __init__(self) -> None:
        self.users = 0
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._spares: deque[dict[str, Any]] = deque()
        self._expected = 0
        self._orders = 0
        self._ready = False
        self._memory_bytes = int(Limits().memory_mb * 2**20)
        self._control, self._process = _start()
        self.refill(1)

    # -- workers

    def take(self, memory_bytes: int, *, unsafe: bool, raw: bool) -> Newborn:
        """A worker that may map `memory_bytes` more than it has: one that waits, or one made to order.

        The limit is part of a worker's lock, and nobody may change it later: the spare ones are made as the last one was.
        """
        if not unsafe and not raw:
            self._memory_bytes = memory_bytes
            born = self._spare(memory_bytes)
            if born is not None:
                return born
        return self._ordered(memory_bytes, unsafe=unsafe, raw=raw)

    def refill(self, wanted: int = SPARES) -> None:
        """Have spare workers made, in the background."""
        with self._lock, suppress(OSError):
            count = wanted - self._expected - len(self._spares)
            if count > 0 and self._control.is_open:
                self._control.send({"t": "spare", "count": count, "memory_bytes": self._memory_bytes})
                self._expected += count

    def _spare(self, memory_bytes: int) -> Newborn | None:
        """A worker that waits; None where there is none."""
        while True:
            with self._asking():
                while not self._spares and self._expected:
                    self._receive()
                if not self._spares:
                    return None
                found = self._spares.popleft()
            if found["memory_bytes"] == memory_bytes and _is_quiet(found["source"]):
                return _newborn(found)
            self._discard(found)

    def _discard(self, found: dict[str, Any]) -> None:
        os.close(found["source"])
        os.close(found["target"])
        os.kill(found["pid"], signal.SIGKILL)
        self.bury(found["pid"])

    def _ordered(self, memory_bytes: int, *, unsafe: bool, raw: bool) -> Newborn:
        with self._asking():
            self._orders += 1
            number = self._orders
            self._control.send(
                {"t": "make", "order": number, "memory_bytes": memory_bytes, "unsafe": unsafe, "raw": raw}
            )
            while (answer := self._receive()).get("order") != number:
                pass
        if "fault" in answer:
            raise SandboxUnavailable(
                f"the worker cannot be locked: {answer['fault']}", where="sandbox",
                mend="use a Linux kernel with seccomp filters, or accept the risk with --unsafe-sandbox (unsafe=True)",
            )
        return _newborn(answer)

    def reap(self, pid: int) -> tuple[int, float]:
        """Wait status and largest resident size (MB) of a worker that was killed or has ended."""
        with self._asking():
            self._control.send({"t": "reap", "pid": pid})
            while (answer := self._receive())["t"] != "reaped":
                pass
        return int(answer["status"]), answer["rss"] / (1024 if sys.platform == "linux" else 1024 * 1024)

    def bury(self, pid: int) -> None:
        """Have a worker that was killed reaped, without waiting for it."""
        with self._lock, suppress(OSError):
            self._control.send({"t": "bury", "pid": pid})

    # -- the process

    @property
    def alive(self) -> bool:
        """Whether it still runs, in the process that started it."""
        return self.owner == os.getpid() and self._control.is_open and self._process.poll() is None

    def close(self) -> None:
        """End the zygote, and with it every worker."""
        with self._lock:
            for spare in self._spares:
                os.close(spare["source"])
                os.close(spare["target"])
            self._spares.clear()
            self._control.close()
        if self.owner == os.getpid():
            self._process.wait()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """One question at a time."""
        with self._lock:
            try:
                self._await_start()
                yield
            except (OSError, EOFError) as error:
                raise SandboxUnavailable(
                    f"the process that makes workers has gone: {error}", where="sandbox", mend="try again"
                ) from None
            except KeyboardInterrupt:
                self._control.close()  # an answer may still come, for a question nobody remembers
                raise

    def _receive(self) -> dict[str, Any]:
        """The next message; a spare worker is put aside."""
        message = self._control.receive()
        if message["t"] == "worker":
            if "fault" not in message:
                message["source"], message["target"] = self._control.take(2)
            if message["order"] == 0:
                self._expected -= 1
                if "fault" not in message:
                    self._spares.append(message)
        return message

    def _await_start(self) -> None:
        if self._ready:
            return
        try:
            first = self._control.receive()
        except EOFError as error:
            raise EOFError(f"{error} while starting ({sys.executable})") from None
        if first["t"] == "fault":
            raise SandboxUnavailable(
                f"a worker cannot be started: {first['message']}", where="sandbox",
                mend="reinstall atlas-runtime with its dependencies (RestrictedPython 9)",
            )
        self._ready = True


def _is_quiet(source: int) -> bool:
    """Whether a worker that waits is alive and says nothing."""
    try:
        os.read(source, 1)
    except BlockingIOError:
        return True
    return False


def _newborn(message: dict[str, Any]) -> Newborn:
    layers = {str(name): (bool(one[0]), str(one[1])) for name, one in message["layers"].items()}
    return Newborn(
        message["pid"], message["source"], message["target"], layers, round(message.get("resident", 0) / 2**20, 1)
    )


def _start() -> tuple[Control, subprocess.Popen[bytes]]:
    import RestrictedPython

    if not sys.executable:
        raise SandboxUnavailable("this Python does not know its own executable", where="sandbox",
                                 mend="run Atlas with a normal Python installation")
    ours, theirs = socket.socketpair()
    restricted = Path(RestrictedPython.__file__).parent
    command = [sys.executable, "-s", "-S", "-P", "-c", _BOOT, str(Path(__file__).parent), str(restricted.parent),
               str(restricted), str(theirs.fileno())]
    try:
        # a process group of its own: Ctrl-C is for the host. Not a session: Linux shares out the processor session by
        # session (autogroup), and a call that goes to and fro between two of them waits a turn each time on a busy machine
        process = subprocess.Popen(
            command, env={"PYTHONHASHSEED": "0"}, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0,
        )
    except OSError as error:
        ours.close()
        raise SandboxUnavailable(f"a worker cannot be started: {error}", where=sys.executable,
                                 mend="check that this Python can be executed and that processes are left") from None
    finally:
        theirs.close()
    ours.settimeout(_START_SECONDS)
    return Control(ours), process


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
    """Within this block the parent of workers stays, so that opening a sandbox costs microseconds each time."""
    nursery = acquire()
    try:
        yield
    finally:
        release(nursery)


def _forget_in_child() -> None:
    global _current, _guard
    _current, _guard = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_in_child)
