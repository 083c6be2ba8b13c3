"""Programs that must work give what CPython gives."""

from __future__ import annotations

import importlib.util
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


PROGRAMS = _neighbour("dialect_programs").PROGRAMS
support = _neighbour("support")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(wall_seconds=20)) as opened:
        yield opened


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_gives_what_cpython_gives(sandbox: Sandbox, name: str) -> None:
    assert support.sandboxed(sandbox, PROGRAMS[name]) == support.cpython(PROGRAMS[name])
