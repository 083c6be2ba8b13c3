"""What programs can reach by name and by allowed attribute holds no way out; and the filter says what it should."""

from __future__ import annotations

import builtins
import os
import struct
import types
from typing import Any

import pytest

from atlas.sandbox.worker import lock
from atlas.sandbox.worker.channel import Channel
from atlas.sandbox.worker.guards import CLASS_MEMBERS, DYNAMIC, METHODS, Members, guarded_getattr
from atlas.sandbox.worker.serve import Worker

FORBIDDEN = [
    getattr(builtins, name)
    for name in ("open", "eval", "exec", "compile", "__import__", "globals", "locals", "vars", "dir", "input", "type",
                 "getattr", "setattr", "delattr", "BaseException", "SystemExit", "memoryview", "breakpoint", "id")
]  # fmt: skip


def _reachable() -> list[tuple[str, Any]]:
    source, target = os.pipe()
    try:
        table = Worker(Channel(source, target), raw=False).names.table
    finally:
        os.close(source)
        os.close(target)
    found, todo = [], [(name, value) for name, value in table.items() if name[0] not in "@_"]
    while todo:
        path, value = todo.pop()
        found.append((path, value))
        names: Any = value.members if type(value) is Members else ()
        if isinstance(value, type):
            names = CLASS_MEMBERS.get(value, frozenset()) | {name for kind, name in DYNAMIC if kind is value}
        todo += [(f"{path}.{name}", guarded_getattr(value, name)) for name in names]
    return found


def test_no_module_and_no_dangerous_builtin_is_reachable():
    found = _reachable()
    assert len(found) > 400
    for path, value in found:
        assert not isinstance(value, types.ModuleType), path
        assert not any(value is one for one in FORBIDDEN), path
        assert not (isinstance(value, type) and issubclass(value, BaseException) and not issubclass(value, Exception)), path


def test_no_list_of_attributes_holds_an_internal_name():
    for table in (METHODS, CLASS_MEMBERS):
        for kind, names in table.items():
            assert not any(name.startswith("_") for name in names), kind
            assert not {"format", "format_map", "gi_frame", "cr_frame", "mro"} & names, kind


def _verdict(machine: str, number: int, arguments: tuple[int, ...] = (), *, audit: int | None = None) -> str:
    """What the kernel would do: a small interpreter of the filter."""
    table = lock._MACHINES[machine]
    padded = (*arguments, *([0] * (6 - len(arguments))))
    data = struct.pack("=IIQ6Q", number, table.audit if audit is None else audit, 0, *padded)
    program, place, register = lock.seccomp_filter(machine), 0, 0
    while True:
        code, yes, no, value = program[place]
        place += 1
        if code == lock._LOAD:
            register = struct.unpack_from("=I", data, value)[0]
        elif code == lock._AND:
            register &= value
        elif code == lock._RETURN:
            return {lock._ALLOW: "allow", lock._KILL: "kill", lock._EPERM: "refuse"}[value]
        else:
            met = {lock._EQUAL: register == value, lock._AT_LEAST: register >= value,
                   lock._ANY_BIT: bool(register & value)}[code]  # fmt: skip
            place += yes if met else no


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_allows_what_a_worker_needs_and_nothing_else(machine: str):
    calls = lock._MACHINES[machine].calls
    assert _verdict(machine, calls["read"], (0,)) == "allow" and _verdict(machine, calls["write"], (1,)) == "allow"
    for name, number in (("read", 1), ("read", 3), ("write", 0), ("write", 2), ("read", 1 << 32), ("write", (1 << 32) + 1)):
        assert _verdict(machine, calls[name], (number,)) == "refuse", (name, number)
    assert _verdict(machine, calls["mmap"], (0, 4096, 3, 0x22)) == "allow"
    assert _verdict(machine, calls["mmap"], (0, 4096, 7, 0x22)) == "refuse"
    assert _verdict(machine, calls["mmap"], (0, 4096, 3, 0x02, 5)) == "refuse"
    assert _verdict(machine, calls["mprotect"], (0, 4096, 3)) == "allow"
    assert _verdict(machine, calls["mprotect"], (0, 4096, 5)) == "refuse"
    for advice in range(-1, 200):
        expected = "allow" if advice in (0, 1, 2, 3, 4, 8, 14, 15) else "refuse"
        assert _verdict(machine, calls["madvise"], (0, 4096, advice & 0xFFFFFFFF)) == expected, advice
    for operation in range(1024):
        expected = "allow" if operation & ~(128 | 256) in (0, 1, 9, 10) else "refuse"
        assert _verdict(machine, calls["futex"], (0, operation)) == expected, operation
    for clock in range(-100, 100):
        expected = "allow" if 0 <= clock < 12 else "refuse"
        assert _verdict(machine, calls["clock_gettime"], (clock & 0xFFFFFFFF,)) == expected, clock
    allowed = {calls[name] for name in (*lock._FREE, *lock._checked())}
    for number in range(600):
        if number not in allowed:
            assert _verdict(machine, number, (0, 0, 0, 0)) == "refuse", number
    assert _verdict(machine, calls["exit"], audit=0x40000003) == "kill"


def test_the_other_numbering_of_x86_64_is_killed():
    assert _verdict("x86_64", 0x40000000 + 59) == "kill"
