"""Which process runs an episode, so that one that died is told apart from one that is still at work."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def this_process() -> str:
    """Host, process id and start time: a process id alone is used again after a while."""
    return f"{socket.gethostname()} {os.getpid()} {_started(os.getpid())}"


def is_alive(owner: str) -> bool:
    """True when the process may still be running; a process of another host is taken to be dead."""
    host, _, rest = owner.partition(" ")
    number, _, started = rest.partition(" ")
    if host != socket.gethostname() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it exists and belongs to another user
    return started in ("", _started(int(number)))


def _started(process: int) -> str:
    """Clock ticks since boot at which the process started; empty where /proc does not say."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
