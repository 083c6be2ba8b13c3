"""Attempts of plain Python to get out of a locked process; as a script, it locks itself and tries them all.

    python lock_attempts.py LOCK.PY [--stay-root] [--nobody] [--without-landlock]

The script needs nothing but the file `lock.py`, so that any user with any Python can run it. It prints one JSON object:
the layers in force, and every attempt that was not refused.
"""

# ruff: noqa: E501
from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys

PYTHON: dict[str, str] = {
    "open for reading": "open('/etc/passwd').read()",
    "open itself": "open('/proc/self/mem', 'rb')",
    "open a device": "open('/dev/zero', 'rb')",
    "open for writing": "open('/tmp/atlas-was-here', 'w').write('x')",
    "open a descriptor": "open(0, 'rb', closefd=False).fileno() == 0 and __import__('os').fstat(0)",
    "os.open": "import os\nos.open('/', 0)",
    "os.open create": "import os\nos.open('/tmp/atlas-was-here', os.O_CREAT | os.O_RDWR)",
    "temporary file": "import os\nos.open('/tmp', os.O_TMPFILE | os.O_RDWR)",
    "stat": "import os\nos.stat('/etc/passwd')",
    "lstat": "import os\nos.lstat('/')",
    "access": "import os\nresult = os.access('/', os.R_OK)\nassert result",
    "list": "import os\nos.listdir('/')",
    "scandir": "import os\nlist(os.scandir('/'))",
    "unlink": "import os\nos.unlink('/tmp/atlas-was-here')",
    "rename": "import os\nos.rename('/tmp/a', '/tmp/b')",
    "link": "import os\nos.link('/etc/passwd', '/tmp/atlas-was-here')",
    "symlink": "import os\nos.symlink('/etc/passwd', '/tmp/atlas-was-here')",
    "make folder": "import os\nos.mkdir('/tmp/atlas-was-here')",
    "make node": "import os\nos.mkfifo('/tmp/atlas-was-here')",
    "truncate": "import os\nos.truncate('/tmp/atlas-was-here', 0)",
    "chmod": "import os\nos.chmod('/tmp', 0o777)",
    "chown": "import os\nos.chown('/tmp', 0, 0)",
    "times": "import os\nos.utime('/tmp')",
    "extended attribute": "import os\nos.setxattr('/tmp', 'user.a', b'x')",
    "chdir": "import os\nos.chdir('/tmp')",
    "chroot": "import os\nos.chroot('/tmp')",
    "getcwd": "import os\nos.getcwd()",
    "readlink": "import os\nos.readlink('/proc/self/exe')",
    "stat of a descriptor": "import os\nos.fstat(0)",
    "disk space": "import os\nos.statvfs('/')",
    "fork": "import os\nos.fork()",
    "exec": "import os\nos.execv('/bin/true', ['true'])",
    "posix_spawn": "import os\nos.posix_spawn('/bin/true', ['true'], {})",
    "system": "import os\nresult = os.system('true')\nassert result == 0",
    "popen": "import os\nos.popen('true')",
    "terminal": "import os\nos.openpty()",
    "thread": "import _thread\n_thread.start_new_thread(print, ())",
    "kill parent": "import os\nos.kill(os.getppid(), 9)",
    "kill self": "import os\nos.kill(os.getpid(), 9)",
    "kill everything": "import os\nos.kill(-1, 9)",
    "kill group": "import os\nos.killpg(0, 9)",
    "wait": "import os\nos.waitpid(-1, os.WNOHANG)",
    "pipe": "import os\nos.pipe()",
    "dup": "import os\nos.dup(0)",
    "dup2": "import os\nos.dup2(0, 5)",
    "memfd": "import os\nos.memfd_create('x')",
    "eventfd": "import os\nos.eventfd(0)",
    "pidfd": "import os\nos.pidfd_open(1)",
    "read other descriptor": "import os\nos.read(3, 1)",
    "read own output": "import os\nos.read(1, 1)",
    "positioned read": "import os\nos.pread(0, 1, 0)",
    "vector read": "import os\nos.readv(0, [bytearray(1)])",
    "write other descriptor": "import os\nos.write(2, b'x')",
    "write own input": "import os\nos.write(0, b'x')",
    "vector write": "import os\nos.writev(1, [b''])",
    "send file": "import os\nos.sendfile(1, 0, None, 1)",
    "splice": "import os\nos.splice(0, 1, 1)",
    "close": "import os\nos.close(0)",
    "seek": "import os\nos.lseek(0, 0, 0)",
    "blocking": "import os\nos.set_blocking(0, False)",
    "inheritable": "import os\nos.set_inheritable(0, True)",
    "raise limits": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))",
    "raise memory": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "read limits": "import resource\nresource.getrlimit(resource.RLIMIT_AS)",
    "priority": "import os\nos.setpriority(os.PRIO_PROCESS, 0, -5)",
    "scheduler": "import os\nos.sched_setaffinity(0, {0})",
    "new module": "import wave",
    "new C module": "import _ssl",
    "sleep": "import time\ntime.sleep(0.01)",
    "set the clock": "import time\ntime.clock_settime(0, 0.0)",
    "too much memory": "x = bytearray(10 ** 9)",
    "much memory in parts": "l = []\nwhile True: l.append(bytearray(10 ** 6))",
    "setuid": "import os\nos.setuid(0)",
    "setgroups": "import os\nos.setgroups([0])",
    "new session": "import os\nos.setsid()",
    "name of the machine": "import os\nos.uname()",
    "signal handler": "import signal\nsignal.signal(signal.SIGTERM, lambda *a: None)",
    "alarm": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 1)",
    "wait for a descriptor": "import select\nselect.select([0], [], [], 0)",
    "poll": "import select\np = select.poll()\np.register(0)\np.poll(0)",
    "epoll": "import select\nselect.epoll()",
}  # fmt: skip

RAW = r"""
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
big = lambda n: ctypes.c_ulong(n & (1 << 64) - 1)
memory = ctypes.create_string_buffer(1 << 13)
page = (ctypes.addressof(memory) + 4095) & ~4095
through, tried = [], 0

def call(what, number, *arguments):
    global tried
    tried += 1
    ctypes.set_errno(0)
    got = libc.syscall(ctypes.c_long(number), *map(big, arguments))
    if got != -1 or ctypes.get_errno() != errno.EPERM:
        through.append((what, number, got, ctypes.get_errno()))

def refused(what, got, failed=-1):
    global tried
    tried += 1
    if got != failed:
        through.append((what, got))

for number in range(700):
    if number not in allowed:
        call("call", number)
        call("call with arguments", number, page, page, 4096, page, 0, 0)
for number in (1000, 4096, 0x3FFFFFFF):
    call("odd number", number)
for family in range(50):
    for kind in (1, 2, 3, 5, 0x80001):
        call("socket", numbers["socket"], family, kind, 0)
        call("socket pair", numbers["socketpair"], family, kind, 0, page)
for flags in (0, 17, 0x100 | 0x200 | 0x400 | 0x800 | 0x10000, 0x7E020000, 0x10000000, 0x20000000):
    call("clone", numbers["clone"], flags, 0, 0, 0, 0)
for fd in (*range(1, 300), 1023, 65_535, 1 << 31, (1 << 32), (1 << 32) + 1, (1 << 64) - 1, (1 << 64) - 100):
    call("read", numbers["read"], fd, page, 1)
for fd in (0, *range(2, 300), 1023, 65_535, 1 << 31, (1 << 32), (1 << 32) + 1, (1 << 64) - 1):
    call("write", numbers["write"], fd, page, 1)
for operation in (2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 128 + 6, 256 + 128 + 11, 1 << 20):
    call("futex", numbers["futex"], page, operation, 0, 0, page, 0)
for advice in (9, 10, 11, 12, 16, 18, 20, 21, 22, 23, 25, 100, 101, 102, 103, -1):
    call("madvise", numbers["madvise"], page, 4096, advice)
for clock in (-1, -2, -6, (~1 << 3) | 2, (~2 << 3) | 2, (~0 << 3) | 3, 12, 16, 100):
    call("clock of others", numbers["clock_gettime"], clock, page)
for protection in range(8):
    if protection & 4:
        refused("executable memory", libc.mmap(None, 4096, protection, 0x22, -1, 0), (1 << 64) - 1)
        refused("made executable", libc.mprotect(page, 4096, protection))
        call("made executable, raw", numbers["mprotect"], page, 4096, protection | 0x01000000)
for flags in (1, 2, 3, 0x12, 0x8002):
    for fd in (-1, 0, 1, 2, 3):
        refused("mapped file", libc.mmap(None, 4096, 1, flags, fd, 0), (1 << 64) - 1)
result = (tried, through)
"""
"""Sets `result` to (number of attempts, what was not refused). Needs `allowed` and `numbers`."""

X32 = "import ctypes\nctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 + 39))"
_MODULES = "ctypes errno fcntl mmap resource select signal time _socket _thread".split()


def numbers_of(lock: object, machine: str) -> dict[str, int]:
    """The calls that `RAW` names."""
    more = {"x86_64": {"socket": 41, "socketpair": 53, "clone": 56}, "aarch64": {"socket": 198, "socketpair": 199, "clone": 220}}
    return {**lock._MACHINES[machine].calls, **more[machine]}  # type: ignore[attr-defined]


def raw_program(lock: object, machine: str) -> str:
    """`RAW` with what it needs."""
    numbers = numbers_of(lock, machine)
    passing = {335, 336} if machine == "x86_64" else set()  # uretprobe, uprobe: never filtered, kill whoever calls them
    allowed = sorted(passing | {numbers[name] for name in (*lock._FREE, *lock._checked())})  # type: ignore[attr-defined]
    return f"allowed = {set(allowed)}\nnumbers = {numbers}\n{RAW}"


def attempt(source: str) -> str | None:
    """What a program that got through gave; None where it was refused."""
    space: dict[str, object] = {}
    try:
        exec(compile(source, "<attempt>", "exec"), space)
    except (OSError, MemoryError, ImportError, RuntimeError, AssertionError, ValueError):
        return None
    return repr(space.get("result"))


def main() -> None:
    """Lock this process, try everything, and tell."""
    path, *options = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("lock", path)
    assert spec is not None and spec.loader is not None
    lock = importlib.util.module_from_spec(spec)
    sys.modules["lock"] = lock
    spec.loader.exec_module(lock)
    for name in _MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            print(f"no module {name} here", file=sys.stderr)
    if "--nobody" in options:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    if "--stay-root" in options:
        lock._leave_root = lambda report: None
    if "--without-landlock" in options:
        lock._landlock = lambda libc, calls, report: report.note("landlock", False, "left out")
    source = raw_program(lock, os.uname().machine)
    who = os.getuid()
    os.closerange(3, 256)
    report = lock.lock(64 << 20, parent=os.getppid(), unsafe=False)
    space: dict[str, object] = {}
    exec(compile(source, "<raw>", "exec"), space)
    through = {name: got for name, text in PYTHON.items() if (got := attempt(text)) is not None}
    layers = {name: in_force for name, (in_force, _) in report.layers.items()}
    tried, raw = space["result"]  # type: ignore[misc]
    told = {"layers": layers, "user": who, "raw": raw, "python": through, "tried": tried + len(PYTHON)}
    os.write(1, json.dumps(told).encode())
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except BaseException as problem:  # standard error is closed by the lock
        os.write(1, json.dumps({"failed": repr(problem)}).encode())
        os._exit(1)
