"""Plain Python inside the locked worker, as if the language layer had fallen: it reaches nothing."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import RestrictedPython

import atlas
from atlas.sandbox import Limits, Sandbox
from atlas.sandbox.worker import lock

from . import lock_attempts as attempts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the lock of other systems is experimental")

CALL = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
BY_NAME = {
    "socket": "import _socket\n_socket.socket(2, 1)",
    "udp": "import _socket\n_socket.socket(2, 2)",
    "unix socket": "import _socket\n_socket.socket(1, 1)",
    "socket pair": "import socket\nsocket.socketpair()",
    "socket of a descriptor": "import _socket\n_socket.socket(2, 1, 0, 0).recv(1)",
    "name lookup": "import _socket\n_socket.getaddrinfo('localhost', 80)",
    "unshare": CALL + "assert libc.unshare(0x10000000) == 0, ctypes.get_errno()",
    "mount": CALL + "assert libc.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0, ctypes.get_errno()",
    "ptrace": CALL + "assert libc.ptrace(16, 1, None, None) == 0, ctypes.get_errno()",
    "traced by the parent": CALL + "assert libc.ptrace(0, 0, None, None) == 0, ctypes.get_errno()",
    "prctl dumpable": CALL + "assert libc.prctl(4, 1, 0, 0, 0) == 0, ctypes.get_errno()",
    "prctl death signal": CALL + "assert libc.prctl(1, 0, 0, 0, 0) == 0, ctypes.get_errno()",
    "new library": CALL + "ctypes.CDLL('libssl.so.3')",
    "thread of the C library": CALL + "t = ctypes.c_ulong()\n"
    "assert libc.pthread_create(ctypes.byref(t), None, libc.abort, None) == 0",
}
ATTEMPTS = {**attempts.PYTHON, **BY_NAME}


def _raw_sandbox() -> Sandbox:
    sandbox = Sandbox(Limits(wall_seconds=5, memory_mb=64))
    sandbox._raw = True
    return sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with _raw_sandbox() as opened:
        yield opened


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_lock_refuses(sandbox: Sandbox, attempt: str) -> None:
    report = sandbox._run_raw(ATTEMPTS[attempt])
    assert report is not None and "error" in report and "result" not in report, report
    assert not os.path.exists("/tmp/atlas-was-here")
    assert sandbox.run("1 + 1").value == 2


def test_the_kernel_refuses_every_call_that_is_not_on_the_list(sandbox: Sandbox) -> None:
    report = sandbox._run_raw(attempts.raw_program(lock, os.uname().machine))
    assert report is not None and "result" in report, report
    tried, through = ast.literal_eval(report["result"])
    assert through == [] and tried > 2_000
    assert sandbox.run("1 + 1").value == 2


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="another machine has no second numbering")
def test_the_other_numbering_of_calls_ends_the_worker(sandbox: Sandbox) -> None:
    report = sandbox._run_raw(attempts.X32)
    assert report == {"t": "raw", "error": "WorkerGone"}
    assert sandbox.run("1 + 1").value == 2


def _python_for_everybody() -> str | None:
    """An interpreter that an ordinary user can execute; root's own is often not for others to read."""
    for python in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(python) and subprocess.run(
            [python, "-c", "import os, sys; os.setuid(65534); sys.exit(not os.access(sys.executable, os.X_OK))"],
            capture_output=True, timeout=60,
        ).returncode == 0:  # fmt: skip
            return python
    return None


SCRIPTS = [
    ["--stay-root"], ["--stay-root", "--without-landlock"], [], ["--without-landlock"],
    ["--nobody"], ["--nobody", "--without-landlock"],
]  # fmt: skip


@pytest.mark.parametrize("options", SCRIPTS, ids=" ".join)
def test_the_lock_holds_for_root_and_for_an_ordinary_user_and_without_landlock(options: list[str]) -> None:
    if os.geteuid() != 0 and ("--nobody" in options or "--stay-root" in options):
        pytest.skip("the tests run as an ordinary user already")
    python = _python_for_everybody() if "--nobody" in options else sys.executable
    if python is None:
        pytest.skip("an ordinary user can execute no Python here")
    script = Path(__file__).with_name("lock_attempts.py").read_text()
    command = [python, "-I", "-c", script, lock.__file__, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    report = json.loads(done.stdout)
    assert report["raw"] == [] and report["python"] == {} and report["tried"] > 2_000, report
    layers = report["layers"]
    assert layers["seccomp"] and layers["rlimits"] and layers["privileges"]
    assert layers["landlock"] is ("--without-landlock" not in options)
    assert report["user"] == (65534 if "--nobody" in options else os.getuid())


def test_raw_python_does_run_there(sandbox: Sandbox) -> None:
    report = sandbox._run_raw("import sys\nresult = sum(range(10))")
    assert report == {"t": "raw", "result": "45"}


def test_the_worker_has_no_environment_and_no_arguments_of_the_host(sandbox: Sandbox) -> None:
    report = sandbox._run_raw("import os\nresult = sorted(os.environ)")
    assert report == {"t": "raw", "result": "['TZ']"}


def test_only_a_test_sandbox_takes_raw_python() -> None:
    with Sandbox(Limits(wall_seconds=0.3)) as sandbox:
        assert sandbox._run_raw("result = 1") is None


def test_guarantees_name_the_layers(sandbox: Sandbox) -> None:
    layers = {name: in_force for name, in_force, _ in sandbox.guarantees()}
    assert layers["seccomp"] and layers["rlimits"] and layers["privileges"] and layers["language"]
    assert "landlock" in layers


def test_a_sandbox_of_an_ordinary_user_is_locked() -> None:
    if os.geteuid() != 0:
        pytest.skip("the tests run as an ordinary user already")
    paths = [str(Path(atlas.__file__).resolve().parent), str(Path(RestrictedPython.__file__).resolve().parent.parent)]
    told = json.dumps([list(ATTEMPTS.values()), attempts.raw_program(lock, os.uname().machine)])
    for python in (sys.executable, "/usr/bin/python3"):
        if not os.path.exists(python):
            continue
        report = subprocess.run(
            [python, "-c", _AS_NOBODY, *paths], input=told, capture_output=True, text=True, timeout=60
        )
        if "cannot read" not in report.stdout and "too old" not in report.stdout:
            assert report.stdout, report.stderr
            seccomp, got_through, tried, raw = json.loads(report.stdout)
            assert seccomp and got_through == [] and tried > 2_000 and raw == [], report.stdout
            return
    pytest.skip("an ordinary user cannot read this checkout or a new enough Python")


_AS_NOBODY = """
import ast, importlib.util, json, os, sys
if sys.version_info < (3, 11):
    print("too old"); sys.exit()
root, packages = sys.argv[1:]
attempts, raw = json.load(sys.stdin)
sys.path.append(packages)
spec = importlib.util.spec_from_file_location("atlas", root + "/__init__.py", submodule_search_locations=[root])
sys.modules["atlas"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["atlas"])
from atlas.sandbox import Limits, Sandbox
import atlas.sandbox.host, RestrictedPython
os.setgid(65534); os.setuid(65534)
for path in (sys.executable, os.__file__, atlas.sandbox.host.__file__, RestrictedPython.__file__):
    if not os.access(path, os.R_OK):
        print("cannot read", path); sys.exit()
sandbox = Sandbox(Limits(wall_seconds=20)); sandbox._raw = True
with sandbox:
    locked = {name: ok for name, ok, _ in sandbox.guarantees()}["seccomp"]
    through = [text for text in attempts if "error" not in sandbox._run_raw(text)]
    tried, calls = ast.literal_eval(sandbox._run_raw(raw)["result"])
    print(json.dumps([locked, through, tried, calls]))
"""
