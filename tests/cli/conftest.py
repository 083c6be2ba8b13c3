"""Running the `atlas` command as a person would: a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .done import Done
from .trained.commands import Nest
from .trained.logs import tiny_model

Atlas = Callable[..., Done]


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    """`atlas("run", "task", "--json")` in an empty folder; `cwd` and `given` (standard input) may be named."""

    def run(*arguments: str | Path, cwd: Path = tmp_path, given: str = "") -> Done:
        command = [sys.executable, "-m", "atlas.cli", *map(str, arguments)]
        done = subprocess.run(command, cwd=cwd, input=given, capture_output=True, text=True, timeout=300)
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="module")
def nest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nest]:
    """The process from which `atlas train` is forked."""
    made = Nest(tmp_path_factory.mktemp("nest"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random GGUF."""
    return tiny_model(tmp_path_factory.mktemp("model"))
