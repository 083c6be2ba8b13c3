"""Ends what a server leaves running: the SDK stops the process it started, not what that process started in turn.

Every server gets a mark in its environment, which its descendants inherit, also those that left its process group.
Linux only; elsewhere the SDK's kill of the process group has to do.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

MARK = "ATLAS_SERVER_MARK"


def marked_processes(mark: str) -> list[int]:
    """Process ids whose environment carries `mark`."""
    entry = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def end_leftovers(mark: str) -> list[int]:
    """Kill every process that carries `mark`; return their ids."""
    found = marked_processes(mark)
    for process in found:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)
    return found
