"""Ends the servers of a process that was killed and could not do it itself.

A server that waits for its standard input ends when its client dies, one that is busy does not. So the first server
started brings along one small process that waits for the end of a pipe, which the kernel closes when this process ends
in whatever way, and then kills what carries this process' mark. Linux only, like the mark.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
from pathlib import Path

from .leftovers import MARK

_GRACE_SECONDS = 1.0
"""For servers that end by themselves."""

_WATCH = f"""
import os, sys, time
sys.stdin.buffer.read()
time.sleep({_GRACE_SECONDS})
for name in os.listdir("/proc"):
    try:
        if name.isdigit() and sys.argv[1].encode() in open(f"/proc/{{name}}/environ", "rb").read():
            os.kill(int(name), 9)
    except OSError:
        pass
"""

_lock = threading.Lock()
_process_mark = secrets.token_hex(8)
_users = 0
_watcher: subprocess.Popen[bytes] | None = None


def new_mark() -> str:
    """A value for the environment variable `MARK` that no other server has, of this process or another."""
    return f"{_process_mark}.{secrets.token_hex(8)}"


def watch() -> None:
    """Watch over the servers of this process until `release` was called as often."""
    global _users, _watcher
    with _lock:
        _users += 1
        if _watcher is None and Path("/proc/self/environ").exists():
            command = [sys.executable, "-I", "-S", "-c", _WATCH, f"{MARK}={_process_mark}."]
            _watcher = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, env={})


def release() -> None:
    """One server less to watch over."""
    global _users, _watcher
    with _lock:
        _users -= 1
        if _users == 0 and _watcher is not None:
            _watcher.kill()
            _watcher.communicate()
            _watcher = None
