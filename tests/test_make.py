"""What `make run` hands on, with the installation left out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import atlas

ROOT = Path(atlas.__file__).resolve().parent
ECHO = '#!/bin/sh\nexec python3 -c "import json, sys; print(json.dumps(sys.argv[1:]))" "$@"\n'

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The Makefile over an `atlas` that prints its arguments."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name, text in ((".ci/setup", "#!/bin/sh\n"), (".venv/bin/atlas", ECHO)):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    return tmp_path


def make(clone: Path, *arguments: str) -> list[str]:
    done = subprocess.run(["make", "-s", *arguments], cwd=clone, capture_output=True, text=True, timeout=300, check=True)
    words: list[str] = json.loads(done.stdout)
    return words


@pytest.mark.parametrize(
    "task",
    [
        """He said "it's $5" and `date`""",
        "$(shell touch made) ${x #c \\ é %s",
        "two\nlines",
        "--help",
    ],
)
def test_a_task_arrives_unharmed(task: str, clone: Path):
    assert make(clone, "run", f"TASK={task}")[-2:] == ["--", task]
    assert not (clone / "made").exists()


def test_arguments_are_passed_on_as_the_shell_reads_them(clone: Path):
    words = make(clone, "run", "TASK=x", 'ARGS=--json --workspace "a b"')
    assert words[-5:] == ["--json", "--workspace", "a b", "--", "x"]


def test_alone_it_is_a_demonstration(clone: Path):
    words = make(clone, "run")
    assert words[:3] == ["run", "--workspace", "examples/workspace"] and words[-1].endswith("?")
