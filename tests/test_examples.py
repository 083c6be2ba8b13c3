"""The programs in examples/, run as a reader would run them; with nano where it is built, else with a script."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import atlas

ROOT = Path(atlas.__file__).resolve().parent
PROGRAMS = {
    "run_task.py": 'answer(text.count(path="notes.md", what="words"))',
    "own_tools.py": "answer(app.list_products())",
    "stream_events.py": 'answer(text.count(path="notes.md", what="words"))',
}


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_an_example_runs(name: str, tmp_path: Path):
    script = tmp_path / "replies.json"
    script.write_text(json.dumps([PROGRAMS[name]]), encoding="utf-8")
    command = [sys.executable, ROOT / "examples" / name, f"scripted:{script}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "answered" in done.stdout or "EpisodeFinished" in done.stdout
    assert not done.stderr  # embedding leaves no warning behind


def test_every_example_is_tested():
    assert sorted(PROGRAMS) == sorted(path.name for path in (ROOT / "examples").glob("*.py"))
