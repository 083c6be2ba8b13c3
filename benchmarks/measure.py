"""What the benchmarks share: repeated timing of commands, the machine, and one table form."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "bin"


@dataclass(frozen=True)
class Timing:
    """Repeated timings of one thing."""

    seconds: tuple[float, ...]
    processor: tuple[float, ...] = ()
    """User and system time of the commands, where commands were timed; hardly moved by what else the machine does."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        return f"{_shown(self.median)} ({_shown(min(self.seconds))} to {_shown(max(self.seconds))})"


    @property
    def work(self) -> str:
        """The median of the processor seconds."""
        return _shown(statistics.median(self.processor)) if self.processor else "-"


def _shown(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} us"


def timed(work: Callable[[], object], repeats: int) -> Timing:
    """Call `work` once unmeasured, then `repeats` times."""
    work()
    seconds, processor = [], []
    for _ in range(repeats):
        started, used = time.perf_counter(), children_seconds()
        work()
        seconds.append(time.perf_counter() - started)
        processor.append(children_seconds() - used)
    return Timing(tuple(seconds), tuple(processor))


def children_seconds() -> float:
    """Processor time of all commands that ended so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def command(arguments: Sequence[str | Path], **environment: str) -> Callable[[], str]:
    """A command to time; it must succeed."""

    def run() -> str:
        done = subprocess.run(
            [str(one) for one in arguments],
            env=os.environ | environment, capture_output=True, text=True, cwd=ROOT, timeout=300,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{arguments} failed with exit code {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout

    return run


def machine() -> str:
    """Date and machine."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def heading(title: str) -> None:
    """Title, date, machine and load."""
    print(f"\n## {title}\n\n{machine()}, load at the start {os.getloadavg()[0]:.1f}\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A Markdown table."""
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def peer(package: str) -> Path | None:
    """The bin folder of an environment that holds only this peer, made on first use; None where it cannot be installed."""
    folder = ROOT / ".venv" / "peers" / package
    if not (folder / "done").exists():
        print(f"installing {package} into an environment of its own ...", flush=True)
        try:
            subprocess.run([BIN / "python", "-m", "venv", folder], check=True, capture_output=True)
            subprocess.run(
                [folder / "bin" / "pip", "install", "-q", package], check=True, capture_output=True, timeout=300
            )
        except (subprocess.SubprocessError, OSError) as problem:
            print(f"{package} is not measured: {problem}")
            return None
        (folder / "done").touch()
    return folder / "bin"


def peer_code(package: str, code: str, given: str = "", *arguments: str) -> str:
    """What `code` prints when the peer's own Python runs it with `given` as its input."""
    folder = peer(package)
    if folder is None:
        raise SystemExit(f"{package} cannot be installed")
    done = subprocess.run(
        [folder / "python", "-c", code, *arguments], input=given, capture_output=True, text=True, check=False, timeout=600
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{package} failed:\n{done.stderr[-2000:]}")
    return done.stdout
