"""Reinforcement: groups of rollouts by the runtime itself, scored by a rubric, learned from by their relative advantage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import pstdev
from typing import TYPE_CHECKING, Any

from ..errors import CorruptRow, NotTrainable
from ..practice.curriculum import Curriculum
from ..practice.ledger import Ledger
from ..practice.rollouts import Rollout, practise
from ..rewards import on_one_scale
from ..rows import Row, rows_of, weigh
from .metrics import mean, plain
from .practising import check_practice
from .scoring import Scorer, merged
from .supervised import Phase, Told

if TYPE_CHECKING:
    from ...runtime.episodes.store import EpisodeStore
    from ..learn import LearnSettings, Trainer
    from ..practice.tasks import PracticeTask
    from .learner import Learner

STEPS = 30
RATE = 3e-4
_ERRORS = 2.0
"""Standard errors below: the tasks of a step differ so much that no smaller difference says anything."""


@dataclass(slots=True)
class Online:
    """Everything the steps of online reinforcement work with."""

    learner: Learner
    scorer: Scorer
    tasks: dict[str, PracticeTask]
    store: EpisodeStore
    ledger: Ledger
    told: Told
    curriculum: Curriculum = field(default_factory=Curriculum)
    history: list[dict[str, Any]] = field(default_factory=list)
    ended_early: str = ""
    rows: int = 0

    async def run(self) -> Phase:
        """All steps, going on where a killed run was. Raises `LearnError` and `PracticeError`."""
        check_practice(self.tasks)
        options = self.learner.options
        steps = options.steps or STEPS
        trainer = self.learner.trainer("reinforce", settings(self.learner, steps))
        if trainer.restore():
            self._recall(trainer.extra)
        self.learner.folder.go_back("metrics.jsonl", "reinforce", self.history)
        self.curriculum.seed, self.curriculum.group = options.seed, options.group
        while len(self.history) < steps and not self.ended_early:
            await self._step(trainer, len(self.history), steps)
        return Phase("reinforce", len(self.history), self.rows, self.ended_early, self.history)

    async def _step(self, trainer: Trainer, number: int, steps: int) -> None:
        options = self.learner.options
        self.learner.serve(f"step {number}")
        names = self.curriculum.choose(list(self.tasks), options.tasks_per_step, number)
        done = 0

        def count(_: Rollout) -> None:
            nonlocal done
            done += 1
            self.told(f"step {number + 1} of {steps}: rollouts", done, len(names) * options.group)

        groups = await practise(
            self.learner.policy, [self.tasks[name] for name in names], group=options.group, store=self.store,
            temperature=options.temperature, seed=options.seed * 1_000_003 + number, ledger=self.ledger,
            max_turns=options.max_turns, version=f"step{number}", on_rollout=count,
        )  # fmt: skip
        rows, line = await self._scored(names, groups)
        if rows:
            self.learner.remember(rows)
            self.learner.check_served(trainer, rows)
            line = trainer.step(rows).to_json() | line
            self.rows += len(rows)
        self.history.append(plain(line | {"phase": "reinforce", "step": number + 1}))
        self.learner.folder.append("metrics.jsonl", self.history[-1])
        self._look_for_an_end()
        trainer.extra |= self._state()
        trainer.save()
        self.told("reinforcement", number + 1, steps)

    async def _scored(self, names: Sequence[str], groups: Sequence[Sequence[Rollout]]) -> tuple[list[Row], dict[str, Any]]:
        figures, found, flat = [], [], 0
        for name, group in zip(names, groups, strict=True):
            rubric = self.scorer.rubric_of(self.tasks[name])
            scored = await self.scorer.group([None if one.unknown else one.record for one in group], rubric)
            figures.append(scored.figures())
            outcomes = [one.total if known.known is None else known.known for one, known in
                        zip(scored.rewards, group, strict=True)]  # fmt: skip
            self.curriculum.note(name, outcomes)
            flat += scored.flat
            found.append(scored.advantages)
        rows = [row for group, own in zip(groups, on_one_scale(found), strict=True) for row in weighted(group, own)]
        flown = [one for group in groups for one in group]
        known = [one.known for one in flown if one.known is not None]
        episodes = [one.record.episode for one in flown]
        return rows, merged(figures) | {
            "success": mean(known), "rollouts": len(flown), "unknown": sum(one.unknown for one in flown),
            "groups": len(groups), "flat_groups": flat, "rows": len(rows),
            "reply_tokens": mean([float(one.context.generated) for one in episodes]),
            "turns": mean([float(len(one.record.turns)) for one in flown]),
        }  # fmt: skip

    def _look_for_an_end(self) -> None:
        patience = self.learner.options.patience
        rewards = [line["reward"] for line in self.history if line.get("reward") is not None]
        if not patience or len(rewards) < 2 * patience:
            return
        late = sum(rewards[-patience:]) / patience
        early = max(
            sum(rewards[start : start + patience]) / patience for start in range(len(rewards) - 2 * patience + 1)
        )  # fmt: skip
        if late < early - _ERRORS * pstdev(rewards) * math.sqrt(2 / patience):
            self.ended_early = f"the mean reward of the last {patience} steps was clearly below that of earlier ones"

    def _state(self) -> dict[str, Any]:
        return {
            "history": self.history, "curriculum": self.curriculum.state(), "rows": self.rows,
            "ended_early": self.ended_early,
        }  # fmt: skip

    def _recall(self, state: dict[str, Any]) -> None:
        self.history = list(state.get("history", []))
        self.curriculum.restore(state.get("curriculum", {}))
        self.rows, self.ended_early = int(state.get("rows", 0)), str(state.get("ended_early", ""))


def weighted(group: Sequence[Rollout], advantages: Sequence[float]) -> list[Row]:
    """The rows of a group's rollouts with their advantages; those that say nothing are left out."""
    rows = []
    for one, advantage in zip(group, advantages, strict=True):
        if not advantage or one.unknown:
            continue
        try:
            found = rows_of(one.record)
        except (NotTrainable, CorruptRow):
            continue
        rows += [weigh(row, rl=1.0, advantage=advantage) for row in found if row.exact_sampling]
    return rows


def settings(learner: Learner, steps: int) -> LearnSettings:
    """How reinforcement learns: one step on each batch of fresh rollouts."""
    from ..learn import LearnSettings

    options = learner.options
    return LearnSettings(
        seed=options.seed, learning_rate=options.learning_rate or RATE, steps=steps, kl_weight=options.kl_weight,
        precision=options.precision, gradient_checkpointing=options.gradient_checkpointing, step_rows=options.step_rows,
        max_row_tokens=max(8192, learner.policy.context_length),
    )  # fmt: skip
