"""`atlas train` as commands: forked from a process that has imported everything, with what they told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..done import Done
from . import nest as nests


class Nest:
    """The process from which the commands are forked."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, str(Path(nests.__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def train(self, home: str | Path, *arguments: str, cwd: Path | None = None, **more: Any) -> Done:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._count += 1
        out, err = (self._folder / f"{self._count}.{name}" for name in ("out", "err"))
        order = {"arguments": ["train", *arguments, "--json"], "home": str(home), "cwd": str(cwd or self._folder)}
        self._process.stdin.write(json.dumps(order | {"out": str(out), "err": str(err)} | more) + "\n")
        self._process.stdin.flush()
        self._process.stdout.readline()
        code = int(self._process.stdout.readline())
        done = Done(code, out.read_text(), err.read_text())
        assert "Traceback" not in done.err, done.err
        return done

    def close(self) -> None:
        self._process.communicate(timeout=60)


def losses(run: Path) -> list[tuple[str, int, float]]:
    """Phase, step and loss of every step, as recorded."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["phase"], line["step"], line["loss"]) for line in lines if "loss" in line]
