"""Waiting in tests: for a state, for the end of a process; and processes that do not outlive their test."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import AnyStr

PATIENCE_SECONDS = 120.0
"""After this a wait counts as hanging. Nothing here takes long by itself, but a busy machine does."""


def until(condition: Callable[[], object], told: Callable[[], object] = lambda: "waited too long") -> None:
    """Wait for what other processes do and no event tells of; `told` says what is wrong when it never comes true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.01)


def until_dead(pid: int) -> None:
    """Wait until a process runs no more, whoever its parent is; it may still wait to be collected."""
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        try:
            assert select.select([process], [], [], PATIENCE_SECONDS)[0], f"process {pid} is still there"
        finally:
            os.close(process)


def until_gone(pid: int) -> None:
    """Wait until a process has ended and was collected by its parent."""
    until_dead(pid)
    until(lambda: not os.path.exists(f"/proc/{pid}"), lambda: f"nobody collects process {pid}")


@contextlib.contextmanager
def side_by_side(commands: Iterable[Sequence[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that run at once, with their outputs to be read; none outlives the block."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(ended(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)))
            for command in commands
        ]


@contextlib.contextmanager
def ended(process: subprocess.Popen[AnyStr]) -> Iterator[subprocess.Popen[AnyStr]]:
    """A process that does not outlive its test, however that ends; its pipes are closed."""
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
