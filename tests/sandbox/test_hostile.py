"""Hostile programs get nothing, end in time, and leave a worker (or a fresh one) that behaves."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from atlas.sandbox import Limits, Sandbox


def _neighbour(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"sandbox_tests_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hostile = _neighbour("hostile_programs")
support = _neighbour("support")
LIMITS = Limits(wall_seconds=2.0, memory_mb=64, max_calls=50, max_output_bytes=10_000, cpu_seconds=0.12)
CASES = [(category, name) for category, programs in hostile.PROGRAMS.items() for name in programs]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as opened:
        yield opened


@pytest.mark.parametrize(("category", "name"), CASES)
def test_a_hostile_program_ends_and_gets_nothing(sandbox: Sandbox, category: str, name: str) -> None:
    served: list[str] = []

    def call(tool: str, arguments: dict[str, object]) -> object:
        served.append(tool)
        return arguments

    began = time.monotonic()
    outcome = sandbox.run(hostile.PROGRAMS[category][name], support.ECHO, call)
    allowed = {"refused", "error", "limit", "killed"} | ({"ok"} if name in hostile.HARMLESS else set())
    assert outcome.status in allowed, outcome
    assert time.monotonic() - began < LIMITS.wall_seconds + 5.0
    assert len(served) <= LIMITS.max_calls and set(served) <= {"demo.echo"}
    assert len(outcome.output.encode()) <= LIMITS.max_output_bytes
    assert outcome.peak_rss_mb < LIMITS.memory_mb + 40
    support.works(sandbox)


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 300 and len(hostile.PROGRAMS) >= 15


def test_nothing_was_left_behind(tmp_path: Path) -> None:
    with Sandbox(LIMITS) as sandbox:
        sandbox.run("while True: pass", support.ECHO, support.give_back)
        support.works(sandbox)
        pid = sandbox.worker_pid
    assert pid is not None and not os.path.exists(f"/proc/{pid}")
