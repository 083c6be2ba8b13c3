"""The child process that runs patterns, units and queries."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from atlas.tools_registry.toolbox import ToolboxError, child, jobs


def gone(pid: int, seconds: float = 10.0) -> bool:
    """True as soon as a process is no more (or only waits to be collected)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def search(tools, text_file: str = "notes.md") -> None:
    assert tools["text.search"](text_file, "milk") == [{"line": 2, "text": "buy milk"}]


def test_the_child_stays_warm_and_close_ends_it(tools):
    search(tools)
    first = child.PATTERNS.pid
    search(tools)
    assert child.PATTERNS.pid == first is not None
    child.close_children()
    assert child.PATTERNS.pid is None and gone(first)
    search(tools)
    assert child.PATTERNS.pid not in (None, first)


def test_a_child_that_was_killed_is_replaced(tools):
    search(tools)
    os.kill(child.PATTERNS.pid, signal.SIGKILL)
    gone(child.PATTERNS.pid or 0)
    search(tools)


def test_a_child_that_dies_mid_call_is_an_error_and_the_next_call_works(tools, fails, workspace):
    (workspace / "a.txt").write_text("a" * 60 + "!")
    search(tools)
    pid = child.PATTERNS.pid
    timer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    timer.start()
    assert str(fails("text.search", "a.txt", "(a+)+$")).startswith("the pattern ended the process that ran it")
    timer.join()
    search(tools)


def test_a_call_cut_off_by_the_end_of_another_user_is_made_again(tools, workspace, monkeypatch):
    monkeypatch.setattr(jobs, "_PATTERN_SECONDS", 30.0)
    (workspace / "a.txt").write_text(8 * ("a" * 17 + "!\n") + "milk\n")
    search(tools)
    timer = threading.Timer(0.05, child.close_children)
    timer.start()
    assert tools["text.search"]("a.txt", "(a+)+$|milk") == [{"line": 9, "text": "milk"}]
    timer.join()


def test_threads_wait_for_each_other(tools):
    failures: list[BaseException] = []

    def many() -> None:
        try:
            for _ in range(20):
                search(tools)
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_child_has_no_way_to_the_files_and_sockets_of_the_parent(tools):
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        child.close_children()
        search(tools)
        opened = {os.readlink(entry) for entry in Path(f"/proc/{child.PATTERNS.pid}/fd").iterdir()}
        environment = Path(f"/proc/{child.PATTERNS.pid}/environ").read_bytes()
    finally:
        os.close(read)
        os.close(write)
    assert {name for name in opened if not name.startswith("socket:")} == {"/dev/null"}
    assert len(opened) == 2 and environment.replace(b"LC_CTYPE=C.UTF-8\0", b"") == b""


def test_memory_is_limited():
    small = child.Child("patterns", memory_mb=100)
    try:
        with pytest.raises(ToolboxError, match=r"it needs more memory than is allowed|ended the process"):
            small.call("extract", {"text": "x" * 30_000_000, "pattern": "y"}, seconds=20, slow="it")
        assert small.call("extract", {"text": "xy", "pattern": "y"}, seconds=5, slow="it") == ["y"]
    finally:
        small.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_makes_a_child_of_its_own(tools):
    search(tools)
    before = child.PATTERNS.pid
    pid = os.fork()
    if pid == 0:
        ok = False
        try:
            search(tools)
            ok = child.PATTERNS.pid not in (None, before)
            child.close_children()
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0
    search(tools)
    assert child.PATTERNS.pid == before


@pytest.mark.parametrize("busy", [False, True])
def test_the_child_ends_with_a_parent_that_is_killed(workspace, busy):
    (workspace / "a.txt").write_text("a" * 60 + "!")
    source = """
        import sys, threading, time
        from atlas.tools_registry.toolbox import child, jobs, toolbox_functions
        jobs._PATTERN_SECONDS = 60.0
        tools = toolbox_functions(sys.argv[1])
        tools["text.search"]("notes.md", "x")
        print(child.PATTERNS.pid, flush=True)
        if sys.argv[2] == "True":
            tools["text.search"]("a.txt", "(a+)+$")
        time.sleep(60)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source), str(workspace), str(busy)],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if busy:
            wait_until_busy(pid)
    finally:
        parent.kill()
        parent.communicate()
    assert gone(pid)


def wait_until_busy(pid: int) -> None:
    """Return when a process has computed for a tenth of a second more than now."""

    def ticks() -> int:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])

    start, deadline = ticks(), time.monotonic() + 20
    while ticks() < start + 10:
        assert time.monotonic() < deadline
        time.sleep(0.02)
