"""Reinforcement of the learned router: PPO with a value head and GAE over its runs, on the rows and trainer of the others.

A step practises some tasks in groups of runs, values every sampled token with the critic as it is, and goes through the rows
`ppo_epochs` times in mini-batches of `step_rows`. What the environment wrote carries no loss.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CorruptRow, NotTrainable, PracticeError
from ..practice.curriculum import Curriculum
from ..practice.rollouts import Rollout
from ..routing.practice import Drill
from ..routing.rewards import PARTS, RouteReward, reward_of_route
from ..rows import Row, rows_of, weigh
from .metrics import mean, plain
from .supervised import Phase, Told

if TYPE_CHECKING:
    from ..learn import LearnSettings, Trainer
    from ..learn.metrics import StepMetrics
    from ..practice.tasks import PracticeTask
    from .learner import Learner

STEPS = 30
RATE = 1e-4
PHASE = "route"
_MEANS = ("loss", "loss_policy", "loss_value", "kl_base", "grad_norm", "clipped_share")


async def demonstration_rows(
    drill: Drill, learner: Learner, tasks: Sequence[PracticeTask], told: Told
) -> tuple[list[Row], int]:
    """Rows of runs as they should be, those that solved their task; and how many were played."""
    options, rows, played = learner.options, list[Row](), 0
    chosen = tasks[: options.demonstrations]
    for number, task in enumerate(chosen, 1):
        told("members try the tasks alone, and a demonstration is made of each", number, len(chosen))
        shown = await drill.demonstrate(learner.policy, task, cost_weight=options.cost_weight, seed=options.seed)
        played += 1
        if shown.known != 1.0:
            continue
        try:
            rows += [weigh(row, ce=1.0) for row in rows_of(shown.record)]
        except (NotTrainable, CorruptRow):
            continue
    return rows, played


@dataclass(slots=True)
class Routed:
    """Everything the steps work with."""

    learner: Learner
    drill: Drill
    tasks: Mapping[str, PracticeTask]
    told: Told
    curriculum: Curriculum = field(default_factory=Curriculum)
    history: list[dict[str, Any]] = field(default_factory=list)
    rows: int = 0

    async def run(self) -> Phase:
        """All steps, going on where a killed run was. Raises `LearnError` and `PracticeError`."""
        if not self.tasks:
            raise PracticeError(
                "there is no task to practise routing on", where="atlas train --recipe router",
                mend="name a suite with --suite, or collect episodes with `atlas eval SUITE --split practice --keep`",
            )  # fmt: skip
        options = self.learner.options
        steps = options.steps or STEPS
        trainer = self.learner.trainer(PHASE, settings(self.learner, steps))
        if trainer.restore():
            self._recall(trainer.extra)
        self.learner.folder.go_back("metrics.jsonl", PHASE, self.history)
        self.curriculum.seed, self.curriculum.group = options.seed, options.group
        while len(self.history) < steps:
            await self._step(trainer, len(self.history), steps)
        return Phase(PHASE, len(self.history), self.rows, "", self.history)

    async def _step(self, trainer: Trainer, number: int, steps: int) -> None:
        options = self.learner.options
        self.learner.serve(f"step {number}")
        names = self.curriculum.choose(list(self.tasks), options.tasks_per_step, number)
        runs = await self._practise(names, number, steps)
        rows, line = self._rewarded(trainer, runs)
        if rows:
            self.learner.remember(rows)
            self.learner.check_served(trainer, rows)
            line = self._learn(trainer, rows, number) | line
            self.rows += len(rows)
        self.history.append(plain(line | {"phase": PHASE, "step": number + 1}))
        self.learner.folder.append("metrics.jsonl", self.history[-1])
        trainer.extra |= {"history": self.history, "curriculum": self.curriculum.state(), "rows": self.rows}
        trainer.save()
        self.told("routing", number + 1, steps)
        await asyncio.sleep(0)

    async def _practise(self, names: Sequence[str], number: int, steps: int) -> list[Rollout]:
        options, runs = self.learner.options, list[Rollout]()
        seed = options.seed * 1_000_003 + number
        for name in names:
            await self.drill.scout(self.tasks[name])
            for member in range(options.group):
                runs.append(await self.drill.route(
                    self.learner.policy, self.tasks[name], member, seed=seed, version=f"route{number}"
                ))  # fmt: skip
                self.told(f"step {number + 1} of {steps}: runs", len(runs), len(names) * options.group)
        return runs

    def _rewarded(self, trainer: Trainer, runs: Sequence[Rollout]) -> tuple[list[Row], dict[str, Any]]:
        """The rows of all runs with values and advantages, and what the step's line says of them."""
        rows: list[Row] = []
        rewards: list[RouteReward] = []
        known = [one for one in runs if not one.unknown and one.known is not None]
        for one in known:
            reward = self._reward(one)
            rewards.append(reward)
            rows += self._rows_of(trainer, one, reward.total)
        for name in dict.fromkeys(one.name for one in known):
            self.curriculum.note(name, [one.known for one in known if one.name == name])
        return rows, self._line(runs, known, rewards, len(rows))

    def _reward(self, one: Rollout) -> RouteReward:
        options = self.learner.options
        return reward_of_route(
            one.record, one.known or 0.0, self.drill.tried[one.name], cost_weight=options.cost_weight,
            without=options.without,
        )  # fmt: skip

    def _rows_of(self, trainer: Trainer, one: Rollout, reward: float) -> list[Row]:
        from ..learn.gae import with_advantages

        options = self.learner.options
        try:
            found = [row for row in rows_of(one.record) if row.exact_sampling]
        except (NotTrainable, CorruptRow):
            return []
        return with_advantages(found, trainer.values(found), reward, gamma=options.gamma, lam=options.lam) if found else []

    def _learn(self, trainer: Trainer, rows: Sequence[Row], number: int) -> dict[str, Any]:
        options = self.learner.options
        taken: list[StepMetrics] = []
        explained = explained_variance(rows)
        for epoch in range(options.ppo_epochs):
            order = list(range(len(rows)))
            random.Random(f"{options.seed}:{number}:{epoch}").shuffle(order)
            for start in range(0, len(order), options.step_rows):
                taken.append(trainer.step([rows[place] for place in order[start : start + options.step_rows]]))
        lines = [one.to_json() for one in taken]
        means = {name: mean([line[name] for line in lines]) for name in _MEANS}
        return lines[0] | means | {"optimiser_steps": len(lines), "explained_variance": explained}

    def _line(
        self, runs: Sequence[Rollout], known: Sequence[Rollout], rewards: Sequence[RouteReward], rows: int
    ) -> dict[str, Any]:
        asked = [name for one in rewards for name in one.asked]
        shares = {name: asked.count(name) / max(1, len(asked)) for name in self.drill.crew.chooser.pool}
        rules = {rule: mean([float(one.rules[rule]) for one in rewards]) for rule in (rewards[0].rules if rewards else ())}
        return {
            "reward": mean([one.total for one in rewards]),
            **{f"reward_{part}": mean([one.parts[part] for one in rewards]) for part in PARTS},
            "success": mean([one.known for one in known]), "rollouts": len(runs), "unknown": len(runs) - len(known),
            "rows": rows, "usd": self.drill.usd(known), "calls": len(asked) / max(1, len(known)), "asked": shares,
            "rules": rules, "turns": mean([float(len(one.record.turns)) for one in known]),
            "reply_tokens": mean([float(one.record.episode.context.generated) for one in known]),
        }  # fmt: skip

    def _recall(self, state: dict[str, Any]) -> None:
        self.history = list(state.get("history", []))
        self.curriculum.restore(state.get("curriculum", {}))
        self.rows = int(state.get("rows", 0))


def explained_variance(rows: Sequence[Row]) -> float | None:
    """1 - var(return - value) / var(return): how much of what came of it the critic saw coming; None without variance."""
    chosen = [(row, place) for row in rows for place, own in enumerate(row.loss_mask) if own]
    advantage = np.asarray([row.advantage[place] for row, place in chosen])
    returns = advantage + np.asarray([row.value[place] for row, place in chosen])
    spread = float(returns.var()) if len(returns) else 0.0
    return None if spread < 1e-12 else 1 - float(advantage.var()) / spread


def settings(learner: Learner, steps: int) -> LearnSettings:
    """PPO as in the paper where it says so: symmetric clip, KL to the base, critic ten times the actor's rate."""
    from ..learn import LearnSettings

    options = learner.options
    return LearnSettings(
        seed=options.seed, learning_rate=options.learning_rate or RATE, steps=steps, kl_weight=options.kl_weight,
        clip_low=0.2, clip_high=0.2, value_weight=options.value_weight, whiten=True, precision=options.precision,
        gradient_checkpointing=options.gradient_checkpointing, step_rows=options.step_rows,
        max_row_tokens=max(8192, learner.policy.context_length),
    )  # fmt: skip


