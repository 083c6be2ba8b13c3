"""What the studies of training share: the same episodes for every arm, `atlas train` and `atlas eval` as users call them.

Everything is kept in the study's folder, one home for each seed; a study that was killed goes on when it is called again.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import BIN, machine

from atlas.training.evaluate import wilson
from atlas.training.pace import span
from atlas.training.recipes.trial import paired_interval
from atlas.training.report.plots import shares, standalone

OUT = Path(__file__).resolve().parents[1] / "docs" / "studies"
SPLITS = {"heldout": "unseen", "practice": "seen"}
"""Worlds made of pieces that training never saw, and of those that it saw, with other seeds."""
SECONDS_A_STEP = 4.0
"""Of learning nano with 16 rows a step on one core; only for the estimate."""
_PACED = 6
_APART = 1_000
"""Between the seeds of collected tasks and those of scored ones."""


@dataclass(frozen=True)
class Arm:
    """One way of training that is compared."""

    name: str
    arguments: tuple[str, ...]
    plays: int = 0
    """Forks and rollouts of its own, for the estimate."""


@dataclass(frozen=True)
class Scale:
    """How large a study is."""

    suite: str
    seeds: tuple[int, ...]
    tasks: int
    attempts: int
    steps: int
    trial: int
    """Scored tasks of each split."""

    @property
    def episodes(self) -> int:
        """Collected for each seed."""
        return self.tasks * self.attempts


class Study:
    """One study at work in its folder."""

    def __init__(self, folder: Path, scale: Scale, arms: Sequence[Arm], splits: Sequence[str], model: str) -> None:
        self.folder, self.scale, self.arms, self.splits, self.model = folder, scale, arms, splits, model
        folder.mkdir(parents=True, exist_ok=True)

    def estimate(self) -> None:
        """Print how long the whole study takes, by the pace of a few tasks, and what it consists of."""
        began = time.monotonic()
        self._atlas("pace", "eval", self.scale.suite, "--split", "practice", "--limit", str(_PACED), "--model", self.model)
        pace = (time.monotonic() - began) / _PACED
        scale = self.scale
        scored = (len(self.arms) + 1) * len(self.splits) * scale.trial
        plays = len(scale.seeds) * (scale.episodes + scored + sum(arm.plays for arm in self.arms))
        learning = len(scale.seeds) * len(self.arms) * scale.steps * SECONDS_A_STEP
        print(f"{plays:,} tasks to play at {pace:.1f} s and {learning:,.0f} s of learning: {span(plays * pace + learning)}")

    def run(self) -> None:
        """All of it; what is done already is not done again."""
        for seed in self.scale.seeds:
            self._collect(seed)
            self._score(seed, "base", "none")
            for arm in self.arms:
                adapter = self._train(seed, arm)
                if adapter is not None:
                    self._score(seed, arm.name, adapter)

    def solved(self, seed: int, arm: str, split: str) -> list[bool]:
        """Task by task; empty where the arm could not be trained."""
        file = self._scores(seed, arm, split)
        return [bool(json.loads(line)["success"]) for line in file.read_text().splitlines()] if file.is_file() else []

    def problem(self, arm: str) -> str | None:
        """Why an arm could not be trained, if it could not."""
        files = [self.folder / f"seed-{seed}" / f"{arm}.problem" for seed in self.scale.seeds]
        return next((file.read_text().strip() for file in files if file.is_file()), None)

    def _collect(self, seed: int) -> None:
        done = self.folder / f"seed-{seed}" / "collected"
        if done.is_file():
            return
        scale = self.scale
        several = ("--attempts", str(scale.attempts)) if scale.attempts > 1 else ()
        told = self._atlas(
            f"seed-{seed}/home", "eval", scale.suite, "--split", "practice", "--keep", "--temperature", "1", "--json",
            "--limit", str(scale.tasks), "--seed", str(_APART * (seed + 1)), "--model", self.model, *several,
        )  # fmt: skip
        done.write_text(told)

    def _train(self, seed: int, arm: Arm) -> str | None:
        file = self.folder / f"seed-{seed}" / f"{arm.name}.json"
        problem, run = file.with_suffix(".problem"), self.folder / f"seed-{seed}" / arm.name
        if not file.is_file() and not problem.is_file():
            fresh = ("--recipe", "critical", "--model", self.model, "--seed", str(seed), "--steps", str(self.scale.steps),
                     "--eval-limit", "0", "--patience", "0", "--suite", self.scale.suite, "--threads", "1", *arm.arguments)
            given = ("--resume",) if run.is_dir() else fresh
            try:
                file.write_text(self._atlas(f"seed-{seed}/home", "train", "--out", str(run), "--json", *given))
            except subprocess.CalledProcessError as failed:
                problem.write_text(_reason(failed))
        return str(json.loads(file.read_text())["adapter"]) if file.is_file() else None

    def _score(self, seed: int, arm: str, adapter: str) -> None:
        for split in self.splits:
            file = self._scores(seed, arm, split)
            if len(self.solved(seed, arm, split)) < self.scale.trial:
                self._atlas(
                    f"seed-{seed}/home", "eval", self.scale.suite, "--split", split, "--limit", str(self.scale.trial),
                    "--seed", str(seed), "--model", self.model, "--adapter", adapter, "--out", str(file),
                )  # fmt: skip

    def _scores(self, seed: int, arm: str, split: str) -> Path:
        return self.folder / f"seed-{seed}" / f"{arm}.{split}.jsonl"

    def _atlas(self, home: str, *arguments: str) -> str:
        place = self.folder / home
        place.mkdir(parents=True, exist_ok=True)
        print(f"{time.strftime('%H:%M:%S')} {home}: atlas {' '.join(arguments)}", flush=True)
        done = subprocess.run(
            [str(BIN / "atlas"), *arguments], env=os.environ | {"ATLAS_HOME": str(place)}, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        return done.stdout

    # -- what came of it

    def table(self, split: str) -> Iterator[str]:
        """One line for each arm: success over all seeds, by seed, and the paired difference from the base."""
        yield "| arm | solved | 95 % interval | by seed | against the base, paired |"
        yield "|---|---|---|---|---|"
        base = self._all("base", split)
        for name in ("base", *(arm.name for arm in self.arms)):
            found = self._all(name, split)
            if not found:
                yield f"| {name} | could not be trained: {self.problem(name)} | | | |"
                continue
            low, high = wilson(sum(found), len(found))
            seeds = ", ".join(f"{statistics.fmean(self.solved(seed, name, split)):.0%}" for seed in self._seeds(name, split))
            versus = "" if name == "base" else self._against(name, split, base)
            solved = f"{sum(found)} of {len(found)} ({statistics.fmean(found):.1%})"
            yield f"| {name} | {solved} | {low:.1%} to {high:.1%} | {seeds} | {versus} |"

    def _against(self, name: str, split: str, base: Sequence[bool]) -> str:
        mine = self._all(name, split)
        theirs = [one for seed in self._seeds(name, split) for one in self.solved(seed, "base", split)]
        low, high = paired_interval(theirs, mine)
        return f"{100 * (sum(mine) - sum(theirs)) / len(mine):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"

    def _seeds(self, name: str, split: str) -> list[int]:
        return [seed for seed in self.scale.seeds if self.solved(seed, name, split)]

    def _all(self, name: str, split: str) -> list[bool]:
        return [one for seed in self._seeds(name, split) for one in self.solved(seed, name, split)]

    def draw(self, split: str, file: Path) -> None:
        """Bars of all arms with their intervals."""
        bars = []
        for name in ("base", *(arm.name for arm in self.arms)):
            found = self._all(name, split)
            if found:
                bars.append((name, statistics.fmean(found), *wilson(sum(found), len(found))))
        file.write_text(standalone(shares(bars)), encoding="utf-8")

    def write(self, out: Path, name: str, title: str, text: str) -> None:
        """The study as a page with its plots."""
        out.mkdir(parents=True, exist_ok=True)
        parts = [f"# {title}", text.strip(), self._how()]
        for split in self.splits:
            self.draw(split, out / f"{name}-{split}.svg")
            parts += [f"## {SPLITS[split].capitalize()} worlds", "\n".join(self.table(split)), f"![]({name}-{split}.svg)"]
        (out / f"{name}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")

    def _how(self) -> str:
        scale = self.scale
        seeds = f"{len(scale.seeds)} seeds" if len(scale.seeds) > 1 else "one seed"
        return (
            f"`{scale.suite}`, {seeds}: {scale.tasks} practice tasks a seed with {scale.attempts} attempts each at "
            f"temperature 1, {scale.steps} optimiser steps for every arm, then {scale.trial} tasks of each split, greedily. "
            f"Arms of a seed learn from the same episodes. {machine()}"
        )


def _reason(failed: subprocess.CalledProcessError) -> str:
    """What a command with `--json` says of its failure."""
    try:
        return str(json.loads(failed.stdout)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return str(failed.stderr).strip().rpartition("\n")[2]


def arguments(described: str, *, folder: str, tasks: int, attempts: int, steps: int, trial: int) -> argparse.Namespace:
    """The command line of a study."""
    parser = argparse.ArgumentParser(description=described)
    parser.add_argument("--folder", type=Path, default=Path(folder), help="where everything is kept")
    parser.add_argument("--out", type=Path, default=OUT, help="the folder of the page and its plots")
    parser.add_argument("--estimate", action="store_true", help="only say how long it will take")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--suite", default="worlds:hard")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    for name, value in (("tasks", tasks), ("attempts", attempts), ("steps", steps), ("trial", trial)):
        parser.add_argument(f"--{name}", type=int, default=value)
    return parser.parse_args()


def scale_of(given: argparse.Namespace) -> Scale:
    """How large the study is to be."""
    return Scale(given.suite, tuple(given.seeds), given.tasks, given.attempts, given.steps, given.trial)
