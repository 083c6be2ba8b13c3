"""Locks the calling process for good: it keeps descriptors 0 (read) and 1 (write), its memory, and nothing else.

The order matters: Landlock needs a free descriptor, the limits on descriptors come after it, seccomp comes last because
it forbids all the calls before it. Only ctypes; x86_64 and aarch64 on Linux.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys
from typing import NamedTuple

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SECCOMP_SET_MODE_FILTER, _TSYNC = 1, 1
_CAPABILITY_VERSION_3 = 0x20080522
_BACKSTOP_CPU_SECONDS = 3_600
_NOBODY = 65_534


class LockFailed(Exception):
    """A layer that is required could not be put in force."""


class LockReport:
    """Layer -> (in force, detail)."""

    def __init__(self) -> None:
        self.layers: dict[str, tuple[bool, str]] = {}

    def note(self, layer: str, in_force: bool, detail: str) -> None:
        """Record the state of one layer."""
        self.layers[layer] = (in_force, detail)


class _Machine(NamedTuple):
    audit: int
    calls: dict[str, int]


_LANDLOCK = {"landlock_create_ruleset": 444, "landlock_restrict_self": 446}
_MACHINES = {
    "x86_64": _Machine(0xC000003E, {
        "read": 0, "write": 1, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigprocmask": 14,
        "rt_sigreturn": 15, "sched_yield": 24, "mremap": 25, "madvise": 28, "exit": 60, "futex": 202,
        "restart_syscall": 219, "clock_gettime": 228, "exit_group": 231, "seccomp": 317, "getrandom": 318,
        "capset": 126, **_LANDLOCK,
    }),
    "aarch64": _Machine(0xC00000B7, {
        "read": 63, "write": 64, "mmap": 222, "mprotect": 226, "munmap": 215, "brk": 214, "rt_sigprocmask": 135,
        "rt_sigreturn": 139, "sched_yield": 124, "mremap": 216, "madvise": 233, "exit": 93, "futex": 98,
        "restart_syscall": 128, "clock_gettime": 113, "exit_group": 94, "seccomp": 277, "getrandom": 278,
        "capset": 91, **_LANDLOCK,
    }),
}
_FREE = (
    "munmap", "mremap", "brk", "rt_sigreturn", "rt_sigprocmask", "exit", "exit_group", "getrandom", "sched_yield",
    "restart_syscall",
)

_Instruction = tuple[int, int, int, int]
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL, _EPERM = 0x7FFF0000, 0x80000000, 0x00050001
_PROT_EXEC, _MAP_ANONYMOUS = 4, 0x20
_FUTEX_FLAGS = 128 | 256  # private, and whose clock a timeout is on
_FUTEX_PLAIN = (0, 1, 9, 10)  # wait and wake; the rest (requeueing, inheritance of priority) is where the kernel's bugs were
_ADVICE = (0, 1, 2, 3, 4, 8, 14, 15)  # what allocators say; others write pages out or, for root, inject memory errors
_CLOCKS = 12  # numbers from here on, and negative ones, are the clocks of devices and of other processes


def seccomp_filter(machine: str) -> list[_Instruction]:
    """The BPF program of the allow-list: everything else answers EPERM, a foreign architecture kills."""
    table = _MACHINES[machine]
    program: list[_Instruction] = [
        (_LOAD, 0, 0, 4), (_EQUAL, 1, 0, table.audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0),
    ]
    if machine == "x86_64":
        program += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _KILL)]
    for name, body in _checked().items():
        program += [(_EQUAL, 0, len(body), table.calls[name]), *body]
    for name in _FREE:
        program += [(_EQUAL, 0, 1, table.calls[name]), (_RETURN, 0, 0, _ALLOW)]
    return [*program, (_RETURN, 0, 0, _EPERM)]


def _checked() -> dict[str, list[_Instruction]]:
    """Calls that are allowed with some arguments only; each body ends by returning on every path."""
    no, yes = (_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)

    def low(index: int) -> _Instruction:
        return (_LOAD, 0, 0, 16 + 8 * index)

    def high(index: int) -> _Instruction:
        return (_LOAD, 0, 0, 20 + 8 * index)

    def descriptor(number: int) -> list[_Instruction]:
        return [low(0), (_EQUAL, 0, 2, number), high(0), (_EQUAL, 1, 0, 0), no, yes]

    def one_of(values: tuple[int, ...]) -> list[_Instruction]:
        left = range(len(values), 0, -1)
        return [*((_EQUAL, jump, 0, value) for jump, value in zip(left, values, strict=True)), no, yes]

    return {
        "read": descriptor(0),
        "write": descriptor(1),
        "mmap": [low(2), (_ANY_BIT, 2, 0, _PROT_EXEC), low(3), (_ANY_BIT, 1, 0, _MAP_ANONYMOUS), no, yes],
        "mprotect": [low(2), (_ANY_BIT, 0, 1, _PROT_EXEC), no, yes],
        "madvise": [low(2), *one_of(_ADVICE)],
        "futex": [low(1), (_AND, 0, 0, 0xFFFFFFFF ^ _FUTEX_FLAGS), *one_of(_FUTEX_PLAIN)],
        "clock_gettime": [low(0), (_AT_LEAST, 0, 1, _CLOCKS), no, yes],
    }


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def prepare() -> None:
    """Load what locking needs, so that forked workers find it loaded."""
    machine = os.uname().machine
    if sys.platform == "linux" and machine in _MACHINES:
        _libc()
        seccomp_filter(machine)
    os.cpu_count()


def lock(memory_bytes: int, *, parent: int, unsafe: bool) -> LockReport:
    """Lock this process; raises `LockFailed` where a required layer is missing and `unsafe` is false."""
    report = LockReport()
    if sys.platform == "darwin":
        _lock_macos(report, memory_bytes, unsafe)
        return report
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in _MACHINES:
        report.note("seccomp", False, f"not supported on {sys.platform} {machine}")
        if not unsafe:
            raise LockFailed(f"no lock is known for {sys.platform} on {machine}")
        _limit(report, memory_bytes + (_mapped_bytes() if sys.platform == "linux" else 1 << 40))
        return report
    libc, calls = _libc(), _MACHINES[machine].calls
    _leave_root(report)
    _privileges(libc, calls, report)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(9)
    mapped = _mapped_bytes()
    _landlock(libc, calls, report)
    _limit(report, mapped + memory_bytes)
    _seccomp(libc, calls, machine, report, unsafe)
    return report


def _leave_root(report: LockReport) -> None:
    """A worker of root becomes nobody: limits on processes bind it then, and files of root are not its own."""
    if os.geteuid() != 0 and os.getuid() != 0:
        report.note("user", True, f"an ordinary user ({os.geteuid()})")
        return
    try:
        with contextlib.suppress(PermissionError):  # a user namespace may forbid it, and the groups give nothing here
            os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        report.note("user", True, f"root started it, it runs as {_NOBODY}")
    except OSError as error:
        report.note("user", False, f"it stays root, without capabilities ({error.strerror})")


def _privileges(libc: ctypes.CDLL, calls: dict[str, int], report: LockReport) -> None:
    libc.personality(ctypes.c_ulong(0))  # one that the user's shell may have set makes readable memory executable
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    dropped = libc.syscall(calls["capset"], ctypes.c_char_p(header), ctypes.c_char_p(bytes(24))) == 0
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    fixed = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    report.note("privileges", dropped and fixed, "no capabilities, no new privileges, not traceable")


def _mapped_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _landlock(libc: ctypes.CDLL, calls: dict[str, int], report: LockReport) -> None:
    version = libc.syscall(calls["landlock_create_ruleset"], None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        report.note("landlock", False, "the kernel has no Landlock, or it is switched off; seccomp still refuses files")
        return
    files = (1 << (13 if version < 2 else 14 if version < 3 else 15 if version < 5 else 16)) - 1
    rules = struct.pack("=QQQ", files, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = libc.syscall(calls["landlock_create_ruleset"], ctypes.c_char_p(rules), ctypes.c_size_t(size),
                           ctypes.c_uint32(0))
    done = ruleset >= 0 and libc.syscall(calls["landlock_restrict_self"], ctypes.c_int(ruleset), ctypes.c_uint32(0)) == 0
    if ruleset >= 0:
        os.close(ruleset)
    report.note("landlock", done, f"version {version}: no file, TCP port or signal to others" if done else "refused")


def _limit(report: LockReport, address_space: int) -> None:
    wanted = {
        "NOFILE": 0, "NPROC": 0, "FSIZE": 0, "CORE": 0, "MEMLOCK": 0, "MSGQUEUE": 0,
        "AS": address_space, "CPU": _BACKSTOP_CPU_SECONDS,
    }
    missing = []
    for name, value in wanted.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        try:
            if number is not None:
                resource.setrlimit(number, (value, value))
        except (OSError, ValueError):
            missing.append(name)
    detail = f"memory {address_space >> 20} MB mapped, no new descriptors, files or processes"
    report.note("rlimits", not missing, detail if not missing else f"not set: {', '.join(missing)}")


def _seccomp(libc: ctypes.CDLL, calls: dict[str, int], machine: str, report: LockReport, unsafe: bool) -> None:
    instructions = seccomp_filter(machine)
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    program = _Program(len(instructions), code)
    done = libc.syscall(calls["seccomp"], ctypes.c_uint(_SECCOMP_SET_MODE_FILTER), ctypes.c_uint(_TSYNC),
                        ctypes.byref(program))
    detail = f"{len(instructions)} instructions: read 0, write 1, own memory, nothing else"
    if done != 0:
        detail = f"the kernel refused the filter (errno {ctypes.get_errno()})"
    report.note("seccomp", done == 0, detail)
    if done != 0 and not unsafe:
        raise LockFailed(detail)


def _lock_macos(report: LockReport, memory_bytes: int, unsafe: bool) -> None:
    """Experimental: Seatbelt's deny-everything profile, and the limits that macOS has."""
    library = ctypes.CDLL("/usr/lib/libsandbox.1.dylib", use_errno=True)
    message = ctypes.c_char_p()
    done = library.sandbox_init(b"pure-computation", ctypes.c_uint64(1), ctypes.byref(message)) == 0
    report.note("seatbelt", done, "pure-computation (experimental)" if done else "refused")
    if not done and not unsafe:
        raise LockFailed("sandbox_init refused the profile pure-computation")
    _limit(report, memory_bytes + (1 << 40))
