"""Fuzzing of the frame parser, the compiler and the whole sandbox. `make fuzz` runs it for ten minutes.

    python -m tests.sandbox.fuzzing [--seconds N] [--seed N] [--keep FOLDER]    random damage and random programs
    python -m tests.sandbox.fuzzing --atheris [libFuzzer options]               coverage-guided, where atheris is installed

Every target raises where something is wrong, so that hypothesis, atheris and the loop here can share it.
"""

# ruff: noqa: E501
from __future__ import annotations

import argparse
import dis
import json
import random
import struct
import sys
import tempfile
import time
import types
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from atlas.sandbox import Limits
from atlas.sandbox.frames import FrameBuffer, FrameError, encode
from atlas.sandbox.program import Call, Program
from atlas.sandbox.wire import tool_specs
from atlas.sandbox.worker.compiling import Refused, compile_program
from atlas.sandbox.worker.namespaces import MODULES
from atlas.sandbox.worker.policy import SPECIAL_METHODS, Policy

from . import dialect_corpus, dialect_programs, hostile_cves, hostile_libraries, hostile_programs, support
from . import program_maker as maker
from .recursion_maker import endless

SPECS = tool_specs(support.ECHO)
_BY_THE_COMPILER = {"__module__", "__qualname__", "__doc__", "__classcell__", "__class__", "__firstlineno__",
                    "__static_attributes__", "__classdict__", "__name__"}  # fmt: skip
_READS = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "IMPORT_NAME", "IMPORT_FROM", "IMPORT_STAR")


# -- targets


def frames(data: bytes, cuts: tuple[int, ...] = (1, 5)) -> int:
    """Any bytes give messages that are safe to walk over, or a `FrameError`; returns how many messages."""
    buffer, found, at, turn = FrameBuffer(4_096), 0, 0, 0
    program = Program(Limits(max_output_bytes=100, max_calls=3), SPECS, lambda: 1.0, first_id=1, cpu_before=0.0, incoming=buffer)
    try:
        while at < len(data):
            size = max(1, cuts[turn % len(cuts)])
            buffer.feed(data[at : at + size])
            at, turn = at + size, turn + 1
            while (message := buffer.next()) is not None:
                found += 1
                assert type(message) is dict
                json.dumps(message, allow_nan=False, ensure_ascii=False).encode("utf-8")
                _answer(program, message)
    except FrameError:
        pass
    assert len(buffer) <= len(data)
    return found


def _answer(program: Program, message: dict[str, Any]) -> None:
    if program.end is not None:
        return
    made = program.take(message)
    if isinstance(made, Call):
        assert made.tool in SPECS and set(made.arguments) <= {"text", "n"} and "text" in made.arguments
        program.reply(made.id, made.arguments)
    assert program.output_bytes <= 100 and len(program.records()) <= 3


def compiler(source: str) -> types.CodeType | None:
    """Any text is refused, or becomes code that reads no attribute but through the guards."""
    try:
        code = compile_program(source, "<program>", max_nodes=20_000, modules=MODULES, servers=("demo",))
    except Refused as refused:
        one = refused.refusal
        assert type(one.message) is str and len(one.message) <= 1_200
        assert one.line is None or type(one.line) is int
        return None
    holds_in(code)
    return code


def holds_in(code: types.CodeType) -> None:
    """Assert that compiled code keeps to the guards, whatever syntax it came from."""
    before = None
    for step in dis.get_instructions(code):
        name = step.argval if isinstance(step.argval, str) else ""
        pieces = name == "join" and before is not None and (before.opname, before.argval) == ("LOAD_CONST", "")
        assert pieces or not step.opname.startswith(_READS), (step.opname, name)  # CPython joins a long f-string so
        before = step
        if step.opname in ("STORE_ATTR", "DELETE_ATTR"):
            assert name[:1] not in ("_", "@"), (step.opname, name)
        elif step.opname.startswith(("LOAD_GLOBAL", "LOAD_NAME", "STORE_", "DELETE_", "LOAD_FAST", "LOAD_DEREF")) and name:
            assert name[:2] != "__" or name in SPECIAL_METHODS | _BY_THE_COMPILER | {"__"}, (step.opname, name)
            if step.opname.startswith(("STORE_", "DELETE_")) and "@" in name:
                assert name == "@fields" or name.startswith("@plan"), (step.opname, name)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            holds_in(constant)


class Running:
    """Programs in the sandbox itself: it always tells a proper end, and stays usable."""

    def __init__(self) -> None:
        limits = Limits(wall_seconds=5.0, cpu_seconds=0.3, memory_mb=64, max_calls=20, max_output_bytes=20_000)
        self._context = support.forgetful(limits)
        self.sandbox, self._forget = self._context.__enter__()
        self.ends: Counter[str] = Counter()

    def close(self) -> None:
        """End the sandbox."""
        self._context.__exit__(None, None, None)

    def program(self, source: str) -> Any:
        """The outcome of any text."""
        served: list[str] = []

        def call(tool: str, arguments: dict[str, Any]) -> Any:
            served.append(tool)
            return arguments

        outcome = self.sandbox.run(source, support.ECHO, call)
        self.ends[outcome.status] += 1
        assert outcome.status in ("ok", "error", "refused", "limit"), (outcome.status, outcome.error)
        assert set(served) <= {"demo.echo"} and len(served) <= 20
        assert (outcome.error is None) == (outcome.status == "ok")
        return outcome

    def endless(self, source: str) -> None:
        """Recursion without end is an error, or takes too much time or memory; it never ends the worker."""
        outcome = self.program(source)
        assert outcome.status == "limit" or outcome.error.type == "RecursionError", (outcome.status, outcome.error)

    def same(self, source: str) -> bool:
        """A program of the dialect gives what CPython gives; False where a limit ended it."""
        self._forget()
        outcome = self.program(source)
        if outcome.status == "limit":
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = support.cpython(source)
        if outcome.status == "refused" and expected["error"] is not None:
            return True  # certain to fail, and it does: another error may come first
        found = support.difference(outcome, expected)
        assert found is None, found
        return True


# -- data


def corpus() -> list[str]:
    """Programs to damage."""
    hostile = hostile_programs.PROGRAMS, hostile_libraries.PROGRAMS
    found = [source for table in hostile for programs in table.values() for source in programs.values()]
    found += [source for programs in hostile_cves.PROGRAMS.values() for source in programs]
    found += dialect_programs.PROGRAMS.values()
    found += dialect_corpus.HAND.values()
    return [source for source in found if 0 < len(source) < 3_000]


def frame_bytes(choose: random.Random) -> bytes:
    """Frames of a worker, with some random damage."""
    made = b""
    for number in range(choose.randint(1, 4)):
        message = choose.choice((
            {"t": "call", "id": number + 1, "tool": "demo.echo", "args": {"text": "x" * choose.randint(0, 30)}},
            {"t": "out", "text": "é\n" * choose.randint(0, 80)},
            {"t": "now", "id": number + 1},
            {"t": "done", "status": "ok", "value": [1, {"a": None}], "answered": True, "error": None, "names": ["a"],
             "variables": {"a": "int: 1"}},
            {"t": "done", "status": "error", "error": {"type": "X", "message": "y", "line": 3}, "names": [], "variables": {}},
            {"t": choose.choice(("", "what", None, [], {})), "id": choose.choice((True, 1.0, "1", -1, 10**30, None))},
        ))  # fmt: skip
        made += encode(message)  # type: ignore[arg-type]
    damage = bytearray(made)
    for _ in range(choose.choice((0, 1, 2, 8))):
        at = choose.randrange(len(damage) + 1)
        piece = choose.choice((
            b"[" * choose.choice((1, 90, 500)), b"{\"a\":" * 200, b"\\ud800", b"\xff", b"1e999", b"NaN", b"9" * 5000, b"\0",
            struct.pack("<I", choose.choice((0, 1, 4_096, 4_097, 2**31, 2**32 - 1))), b'"', b",", b"}", b"true",
        ))  # fmt: skip
        damage[at : at + choose.choice((0, 1, 4))] = piece
    return bytes(damage)


# -- the loop


def main() -> int:
    """Fuzz until the time is up; returns 1 where something was found."""
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=600.0)
    options.add_argument("--seed", type=int, default=None)
    options.add_argument("--keep", type=Path, default=Path("runs/fuzz"))
    chosen = options.parse_args()
    seed = chosen.seed if chosen.seed is not None else int(time.time())
    print(f"fuzzing for {chosen.seconds:g} seconds from seed {seed}: frames, compiler, sandbox, and CPython beside it")
    choose, known, running = random.Random(seed), corpus(), Running()
    counts: Counter[str] = Counter()
    found = 0
    until, told = time.monotonic() + chosen.seconds, time.monotonic()
    warnings.simplefilter("ignore")
    while time.monotonic() < until:
        made = choose.random()
        data: Any = None
        try:
            if made < 0.45:
                kind, data = "frames", frame_bytes(choose)
                frames(data, tuple(choose.randint(1, 90) for _ in range(3)))
            elif made < 0.8:
                kind, data = "compiler", maker.damaged(choose.choice(known), choose, known)
                counts["accepted"] += compiler(data) is not None
            elif made < 0.81:
                kind, data = "recursion", endless(choose.getrandbits(48))
                running.endless(data)
            elif made < 0.9:
                kind, data = "sandbox", maker.damaged(choose.choice(known), choose, known)
                running.program(data)
            else:
                kind, data = "as CPython", maker.Maker(choose.getrandbits(48)).program(choose.randint(3, 14))
                running.same(data)
            counts[kind] += 1
        except Exception as problem:
            found += 1
            _keep(chosen.keep, kind, data, problem)
            if found >= 50:
                break
        if time.monotonic() - told > 60:
            told = time.monotonic()
            print(f"  {dict(counts)}, {found} found", flush=True)
    running.close()
    print(f"{dict(counts)}; ends {dict(running.ends)}; {found} found")
    return int(found > 0)


def _keep(folder: Path, kind: str, data: Any, problem: Exception) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = repr(data)
    path = folder / f"{kind.replace(' ', '-')}-{abs(hash(text)) % 10**10}.txt"
    path.write_text(f"{type(problem).__name__}: {problem}\n\n{text}\n", encoding="utf-8", errors="backslashreplace")
    print(f"FOUND {kind}: {type(problem).__name__}: {str(problem)[:300]}\n      in {path}", flush=True)


def atheris_main() -> None:
    """The frame parser and the compiler under libFuzzer."""
    import atheris  # type: ignore[import-not-found]

    for kind in (FrameBuffer, Program, *Policy.__mro__[:-1]):
        for function in vars(kind).values():
            if isinstance(function, types.FunctionType):
                atheris.instrument_func(function)

    def one(data: bytes) -> None:
        warnings.simplefilter("ignore")
        if data[:1] < b"\x80":
            frames(data[1:])
        else:
            compiler(data[1:].decode("utf-8", "surrogateescape"))

    with tempfile.TemporaryDirectory() as folder:
        for number, source in enumerate(corpus()):
            Path(folder, str(number)).write_bytes(b"\xff" + source.encode("utf-8", "replace"))
        choose = random.Random(1)
        for number in range(200):
            Path(folder, f"frame{number}").write_bytes(b"\0" + frame_bytes(choose))
        atheris.Setup([*(word for word in sys.argv if word != "--atheris"), folder], one)
        atheris.Fuzz()


if __name__ == "__main__":
    if "--atheris" in sys.argv:
        atheris_main()
    else:
        sys.exit(main())
