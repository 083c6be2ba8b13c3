"""The child process that runs patterns, units and queries."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from atlas.tools_registry.toolbox import ToolboxError, child, jobs

from ...waiting import ended, until, until_dead

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
"""For processes of these tests, which import the package wherever it is."""


def search(tools, text_file: str = "notes.md") -> None:
    assert tools["text.search"](text_file, "milk") == [{"line": 2, "text": "buy milk"}]


def test_the_child_stays_warm_and_close_ends_it(tools):
    search(tools)
    first = child.PATTERNS.pid
    search(tools)
    assert child.PATTERNS.pid == first is not None
    child.close_children()
    assert child.PATTERNS.pid is None and first is not None
    until_dead(first)
    search(tools)
    assert child.PATTERNS.pid not in (None, first)


def test_a_child_that_was_killed_is_replaced(tools):
    search(tools)
    pid = child.PATTERNS.pid
    os.kill(pid, signal.SIGKILL)
    until_dead(pid)
    search(tools)


@contextlib.contextmanager
def while_busy(act: Callable[[], object]) -> Iterator[None]:
    """Do something beside this block, once the child that exists already computes."""
    pid, over = child.PATTERNS.pid, threading.Event()

    def wait_and_act() -> None:
        wait_until_busy(pid, over.is_set)
        if not over.is_set():
            act()

    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(wait_and_act)
        try:
            yield
        finally:
            over.set()
        acting.result()


def test_a_child_that_dies_mid_call_is_an_error_and_the_next_call_works(tools, fails, workspace, monkeypatch):
    monkeypatch.setattr(jobs, "_PATTERN_SECONDS", 60.0)
    (workspace / "a.txt").write_text("a" * 60 + "!")
    search(tools)
    pid = child.PATTERNS.pid
    with while_busy(lambda: os.kill(pid, signal.SIGKILL)):
        assert str(fails("text.search", "a.txt", "(a+)+$")).startswith("the pattern ended the process that ran it")
    search(tools)


def test_a_call_cut_off_by_the_end_of_another_user_is_made_again(tools, workspace, monkeypatch):
    monkeypatch.setattr(jobs, "_PATTERN_SECONDS", 30.0)
    (workspace / "a.txt").write_text(8 * ("a" * 19 + "!\n") + "milk\n")
    search(tools)
    with while_busy(child.close_children):
        assert tools["text.search"]("a.txt", "(a+)+$|milk") == [{"line": 9, "text": "milk"}]


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
        assert small.call("extract", {"text": "xy", "pattern": "y"}, seconds=20, slow="it") == ["y"]
    finally:
        small.close()


FORKED = """
import os, sys
from atlas.tools_registry.toolbox import child, toolbox_functions

def search():
    assert tools["text.search"]("notes.md", "milk") == [{"line": 2, "text": "buy milk"}]
    return child.PATTERNS.pid

tools = toolbox_functions(sys.argv[1])
before = search()
pid = os.fork()
if pid == 0:
    ok = False
    try:
        ok = search() not in (None, before)
        child.close_children()
    finally:
        os._exit(0 if ok else 1)
assert os.waitpid(pid, 0)[1] == 0
assert search() == before
print("done")
"""


def test_a_forked_process_makes_a_child_of_its_own(workspace):
    command = [sys.executable, "-c", FORKED, str(workspace)]  # a process without other threads, which may fork
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
    assert done.stdout == "done\n", done.stderr


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
        stdout=subprocess.PIPE, env=ENVIRONMENT,
    )  # fmt: skip
    with ended(parent):
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if busy:
            wait_until_busy(pid)
    until_dead(pid)


def wait_until_busy(pid: int, over: Callable[[], bool] = lambda: False) -> None:
    """Return when a process has computed for some hundredths of a second more than now, or when all is over."""

    def ticks() -> int:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])

    start = ticks()
    until(lambda: over() or ticks() > start + 2)
