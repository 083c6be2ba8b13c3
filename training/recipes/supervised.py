"""Supervised steps: the chosen replies of solved episodes, the whole trajectory kept as context (ATLaS)."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .metrics import plain

if TYPE_CHECKING:
    from ..learn import Trainer
    from ..rows import Row
    from .learner import Learner
    from .options import TrainOptions

Told = Callable[[str, int, int], None]
RATE = 5e-4
_LEAST_BETTER = 1e-3
_KNOWN = 0.05
"""Mean negative log-probability of a token below which imitation only sharpens what is there."""


@dataclass(slots=True)
class Phase:
    """What a phase of training came to."""

    name: str
    steps: int = 0
    rows: int = 0
    ended_early: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)


def planned_steps(rows: int, options: TrainOptions) -> int:
    """How many optimiser steps the supervised phase takes."""
    return options.steps or max(1, math.ceil(rows / options.step_rows) * options.epochs)


async def imitate(learner: Learner, rows: Sequence[Row], watched: Sequence[Row], told: Told) -> Phase:
    """Learn the weighed rows; goes on where a killed run was. Raises `LearnError`."""
    from ..learn import LearnSettings, preflight

    options = learner.options
    steps = planned_steps(len(rows), options)
    settings = LearnSettings(
        seed=options.seed, learning_rate=options.learning_rate or RATE, steps=steps, step_rows=options.step_rows,
        decay=True, precision=options.precision, gradient_checkpointing=options.gradient_checkpointing,
        max_row_tokens=max(8192, max(len(row.ids) for row in rows)),
    )  # fmt: skip
    trainer = learner.trainer("imitate", settings)
    resumed = trainer.restore()
    learner.remember(rows)
    if not resumed:
        preflight(trainer, _unadapted(rows))
    phase = Phase(
        "imitate", rows=len(rows), ended_early=str(trainer.extra.get("ended_early", "")),
        history=list(trainer.extra.get("history", [])),
    )  # fmt: skip
    learner.folder.go_back("metrics.jsonl", "imitate", phase.history)
    watch = Watch(options.patience, **trainer.extra.get("watch", {}))
    per_epoch = max(1, math.ceil(len(rows) / options.step_rows))
    for number, batch in _batches(rows, options, steps):
        if number < trainer.step_number or phase.ended_early:
            continue
        metrics = trainer.step(batch)
        line = plain(metrics.to_json()) | {"phase": "imitate", "step": number + 1}
        if (number + 1) % per_epoch == 0 and watched:
            line["watched_loss"] = mean_loss(trainer, watched)
            if watch.worse(line["watched_loss"]):
                phase.ended_early = f"the loss on watched episodes did not fall for {options.patience} epochs"
        phase.history.append(line)
        learner.folder.append("metrics.jsonl", line)
        trainer.extra |= {"history": phase.history, "watch": watch.state(), "ended_early": phase.ended_early}
        if (number + 1) % settings.save_every == 0 or number + 1 == steps or phase.ended_early:
            trainer.save()
        told("learning", number + 1, steps)
        await asyncio.sleep(0)  # an interrupt ends the run between two steps
    phase.steps = len(phase.history)
    return phase


def known_already(phase: Phase) -> list[str]:
    """A note where the model knew at the first step what it was to imitate: it can hardly have learned anything then."""
    first = next((line["loss_ce"] for line in phase.history if line.get("loss_ce") is not None), None)
    if first is None or first >= _KNOWN:
        return []
    return [
        f"the model knew what it was to imitate (loss {first:.3f} at the first step): its own safe successes teach it "
        "little. Collect with --temperature 1 and --attempts 8, or take --recipe critical or rubric"
    ]


def _unadapted(rows: Sequence[Row]) -> list[Row]:
    """Rows that the base model itself wrote: the fresh adapter changes nothing, so they must score as logged."""
    return [row for row in rows if row.adapter_hash is None][:8]


def _batches(rows: Sequence[Row], options: TrainOptions, steps: int) -> Iterator[tuple[int, list[Row]]]:
    """The rows of every step; each epoch in an order of its own, all by the seed."""
    number = epoch = 0
    while number < steps:
        order = list(range(len(rows)))
        random.Random(f"{options.seed}:{epoch}").shuffle(order)
        for start in range(0, len(order), options.step_rows):
            if number >= steps:
                return
            yield number, [rows[place] for place in order[start : start + options.step_rows]]
            number += 1
        epoch += 1


def mean_loss(trainer: Trainer, rows: Sequence[Row]) -> float:
    """Mean negative log-probability of the tokens that carry supervised loss."""
    total = weight = 0.0
    for row, values in zip(rows, trainer.logprobs(rows), strict=True):
        for place, value in zip((i for i, sampled in enumerate(row.loss_mask) if sampled), values, strict=True):
            total -= row.ce_weight[place] * value
            weight += row.ce_weight[place]
    return total / weight if weight else 0.0


@dataclass(slots=True)
class Watch:
    """Tells when a figure that should fall has not fallen for a while."""

    patience: int
    best: float = math.inf
    since: int = 0

    def worse(self, value: float) -> bool:
        """Take the next value; True when patience is at its end."""
        if value < self.best - _LEAST_BETTER:
            self.best, self.since = value, 0
        else:
            self.since += 1
        return 0 < self.patience <= self.since

    def state(self) -> dict[str, Any]:
        """To be kept with a checkpoint."""
        return {"best": self.best if math.isfinite(self.best) else 1e9, "since": self.since}
