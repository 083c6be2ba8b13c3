"""Reinforcement from the log alone: no new rollout, truncated importance weights, and the effective sample size told."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import CorruptRow, NotTrainable, TooFewOutcomes
from ..outcomes import Usable
from ..rewards import Reward, on_one_scale
from ..rows import Row, rows_of, weigh
from .metrics import plain
from .reinforce import settings
from .supervised import Phase, Told

if TYPE_CHECKING:
    from ..learn import Trainer
    from ..practice.tasks import PracticeTask
    from .gathering import Pool
    from .learner import Learner
    from .scoring import Scorer


@dataclass(slots=True)
class Replayed:
    """Rows with advantages, made of logged episodes."""

    rows: list[Row]
    groups: int
    flat: int
    alone: int
    """Episodes whose task occurs once: they are compared with each other."""


async def replayed_rows(episodes: Sequence[Usable], pool: Pool, scorer: Scorer) -> Replayed:
    """Advantages within the episodes of each task; those of tasks that occur once are compared among themselves.

    Raises `TooFewOutcomes` where all did equally well.
    """
    groups: dict[str, list[Usable]] = {}
    for one in episodes:
        origin = one.record.episode.settings.get("origin") or one.record.episode.task
        groups.setdefault(str(origin), []).append(one)
    several = {name: group for name, group in groups.items() if len(group) > 1}
    alone = [group[0] for group in groups.values() if len(group) == 1]
    found, flat = list[list[float]](), 0
    for group in several.values():
        task = _task(group[0], pool)
        scored = await scorer.group([one.record for one in group], scorer.rubric_of(task))
        flat += scored.flat
        found.append(scored.advantages)
    rows = [row for group, own in zip(several.values(), on_one_scale(found), strict=True) for row in _weighted(group, own)]
    if len(alone) > 1:
        rewards = [await _reward(one, pool, scorer) for one in alone]
        rows += _weighted(alone, _relative([one.total for one in rewards]))
    if not rows:
        raise TooFewOutcomes(
            f"all {len(episodes)} episodes did equally well: there is nothing to compare", where="episode log",
            mend="collect more, several a task, with `atlas eval SUITE --split practice --keep --temperature 1`",
        )  # fmt: skip
    return Replayed(rows, len(several), flat, len(alone))


def _task(one: Usable, pool: Pool) -> PracticeTask:
    from ..practice.tasks import PracticeTask as Made

    found = pool.task_of(one.record.episode.id)
    return found or Made(f"episode:{one.record.episode.id}", one.record.episode.task, _Nowhere())


class _Nowhere:
    """The place of a task that is not practised."""

    kind: Any = "recorded"
    world_task = None

    def scene(self) -> Any:
        """Nothing runs here."""
        raise NotTrainable("this task has no safe place")


async def _reward(one: Usable, pool: Pool, scorer: Scorer) -> Reward:
    scored = await scorer.group([one.record], scorer.rubric_of(_task(one, pool)))
    return scored.rewards[0]


def _relative(totals: Sequence[float | None]) -> list[float]:
    known = [value for value in totals if value is not None]
    if not known:
        return [0.0] * len(totals)
    middle = sum(known) / len(known)
    spread = math.sqrt(sum((value - middle) ** 2 for value in known) / len(known))
    return [0.0 if value is None or spread < 1e-6 else (value - middle) / spread for value in totals]


def _weighted(group: Sequence[Usable], advantages: Sequence[float]) -> list[Row]:
    rows = []
    for one, advantage in zip(group, advantages, strict=True):
        if advantage:
            try:
                found = rows_of(one.record)
            except (NotTrainable, CorruptRow):
                continue
            rows += [weigh(row, rl=1.0, advantage=advantage) for row in found if row.exact_sampling]
    return rows


async def relearn(learner: Learner, rows: Sequence[Row], told: Told) -> Phase:
    """Steps over the logged rows, in epochs; the effective sample size before and after stands in the history."""
    options = learner.options
    per_epoch = max(1, math.ceil(len(rows) / options.step_rows))
    steps = options.steps or per_epoch * options.epochs
    trainer = learner.trainer("replay", settings(learner, steps))
    if not trainer.restore():
        learner.check_base(trainer, rows)
    learner.remember(rows)
    history = list(trainer.extra.get("history", []))
    learner.folder.go_back("metrics.jsonl", "replay", history)
    if not history:
        history.append({"phase": "replay", "step": 0} | plain(effective(trainer, rows)))
        learner.folder.append("metrics.jsonl", history[-1])
    for number in range(len(history) - 1, steps):
        order = list(range(len(rows)))
        random.Random(f"{options.seed}:{number // per_epoch}").shuffle(order)
        start = (number % per_epoch) * options.step_rows
        metrics = trainer.step([rows[place] for place in order[start : start + options.step_rows]])
        line = plain(metrics.to_json()) | {"phase": "replay", "step": number + 1}
        if number + 1 == steps:
            line |= plain(effective(trainer, rows))
        history.append(line)
        learner.folder.append("metrics.jsonl", line)
        trainer.extra |= {"history": history}
        if (number + 1) % 10 == 0 or number + 1 == steps:
            trainer.save()
        told("reinforcement on the log", number + 1, steps)
        await asyncio.sleep(0)  # an interrupt ends the run between two steps
    return Phase("replay", steps, len(rows), "", history)


def effective(trainer: Trainer, rows: Sequence[Row]) -> dict[str, float]:
    """Effective sample size of the importance weights, as a share of the reinforced tokens, and how far the policy is."""
    found = trainer.ratios(rows)
    return {
        "effective_share": found.effective_share, "effective_tokens": found.effective_share * found.tokens,
        "tokens": float(found.tokens), "k3": found.k3,
    }  # fmt: skip
