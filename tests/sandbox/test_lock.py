"""Plain Python inside the locked worker, as if the language layer had fallen: it reaches nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import RestrictedPython

import atlas
from atlas.sandbox import Limits, Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the lock of other systems is experimental")

CALL = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
ATTEMPTS = {
    "open for reading": "open('/etc/passwd').read()",
    "open itself": "open('/proc/self/mem', 'rb')",
    "open for writing": "open('/tmp/atlas-was-here', 'w').write('x')",
    "os.open": "import os\nos.open('/', 0)",
    "stat": "import os\nos.stat('/etc/passwd')",
    "list": "import os\nos.listdir('/')",
    "unlink": "import os\nos.unlink('/tmp/atlas-was-here')",
    "make folder": "import os\nos.mkdir('/tmp/atlas-was-here')",
    "chdir": "import os\nos.chdir('/tmp')",
    "chroot": "import os\nos.chroot('/tmp')",
    "readlink": "import os\nos.readlink('/proc/self/exe')",
    "socket": "import _socket\n_socket.socket(2, 1)",
    "udp": "import _socket\n_socket.socket(2, 2)",
    "unix socket": "import _socket\n_socket.socket(1, 1)",
    "socket pair": "import socket\nsocket.socketpair()",
    "fork": "import os\nos.fork()",
    "exec": "import os\nos.execv('/bin/true', ['true'])",
    "posix_spawn": "import os\nos.posix_spawn('/bin/true', ['true'], {})",
    "system": "import os\nresult = os.system('true')\nassert result == 0",
    "thread": "import _thread\n_thread.start_new_thread(print, ())",
    "kill parent": "import os\nos.kill(os.getppid(), 9)",
    "kill self": "import os\nos.kill(os.getpid(), 9)",
    "kill everything": "import os\nos.kill(-1, 9)",
    "pipe": "import os\nos.pipe()",
    "dup": "import os\nos.dup(0)",
    "memfd": "import os\nos.memfd_create('x')",
    "eventfd": "import os\nos.eventfd(0)",
    "read other descriptor": "import os\nos.read(3, 1)",
    "read own output": "import os\nos.read(1, 1)",
    "write other descriptor": "import os\nos.write(2, b'x')",
    "write own input": "import os\nos.write(0, b'x')",
    "fcntl": "import fcntl\nfcntl.fcntl(0, 1)",
    "ioctl": "import fcntl\nfcntl.ioctl(0, 0x5401, b'')",
    "raise limits": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))",
    "new module": "import wave",
    "new C module": "import _ssl",
    "sleep": "import time\ntime.sleep(0.01)",
    "executable memory": "import mmap\nmmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)",
    "shared file memory": "import mmap\nmmap.mmap(0, 4096)",
    "too much memory": "x = bytearray(10 ** 9)",
    "setuid": "import os\nos.setuid(65534)",
    "unshare": CALL + "assert libc.unshare(0x10000000) == 0, ctypes.get_errno()",
    "mount": CALL + "assert libc.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0, ctypes.get_errno()",
    "ptrace": CALL + "import os\nassert libc.ptrace(16, os.getppid(), None, None) == 0, ctypes.get_errno()",
    "process_vm_readv": CALL + "assert libc.syscall(310, 1, None, 0, None, 0, 0) == 0, ctypes.get_errno()",
    "pidfd_open": CALL + "assert libc.syscall(434, 1, 0) >= 0, ctypes.get_errno()",
    "io_uring": CALL + "assert libc.syscall(425, 8, None) >= 0, ctypes.get_errno()",
    "bpf": CALL + "assert libc.syscall(321, 0, None, 0) >= 0, ctypes.get_errno()",
    "userfaultfd": CALL + "assert libc.syscall(323, 0) >= 0, ctypes.get_errno()",
    "keyctl": CALL + "assert libc.syscall(250, 0, 0, 0, 0, 0) >= 0, ctypes.get_errno()",
    "openat2": CALL + "assert libc.syscall(437, -100, b'/', None, 0) >= 0, ctypes.get_errno()",
    "clone3": CALL + "assert libc.syscall(435, None, 0) >= 0, ctypes.get_errno()",
    "prctl dumpable": CALL + "assert libc.prctl(4, 1, 0, 0, 0) == 0, ctypes.get_errno()",
    "prctl death signal": CALL + "assert libc.prctl(1, 0, 0, 0, 0) == 0, ctypes.get_errno()",
    "seccomp again": CALL + "assert libc.syscall(317, 0, 0, None) == 0, ctypes.get_errno()",
    "mprotect executable": CALL + "import mmap\nm = mmap.mmap(-1, 4096)\n"
    "a = ctypes.addressof(ctypes.c_char.from_buffer(m))\n"
    "libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)\n"
    "assert libc.mprotect(a, 4096, 7) == 0, ctypes.get_errno()",
    "high half of a descriptor": CALL + "assert libc.syscall(0, ctypes.c_ulong(1 << 32), b'xx', 1) >= 0",
    "poison memory": CALL + "libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)\n"
    "assert libc.madvise(None, 4096, 100) == 0, ctypes.get_errno()",
    "capabilities": CALL + "assert libc.syscall(126, None, None) == 0, ctypes.get_errno()",
}


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


def test_the_lock_holds_for_an_ordinary_user() -> None:
    if os.geteuid() != 0:
        pytest.skip("the tests run as an ordinary user already")
    paths = [str(Path(atlas.__file__).resolve().parent), str(Path(RestrictedPython.__file__).resolve().parent.parent)]
    for python in (sys.executable, "/usr/bin/python3"):  # root's own interpreter is often not for others to read
        if not os.path.exists(python):
            continue
        report = subprocess.run([python, "-c", _AS_NOBODY, *paths], capture_output=True, text=True, timeout=60)
        if "cannot read" not in report.stdout and "too old" not in report.stdout:
            assert report.stdout.split() == ["True", *["PermissionError:"] * 4], (
                report.stdout, report.stderr)  # fmt: skip
            return
    pytest.skip("an ordinary user cannot read this checkout or a new enough Python")


_AS_NOBODY = """
import importlib.util, os, sys
if sys.version_info < (3, 11):
    print("too old"); sys.exit()
root, packages = sys.argv[1:]
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
    print({name: ok for name, ok, _ in sandbox.guarantees()}["seccomp"])
    for attempt in ("open('/etc/passwd')", "import os; os.fork()", "import _socket; _socket.socket()",
                    "import os; os.kill(1, 0)"):
        print(sandbox._run_raw(attempt)["error"].split()[0])
"""
