"""What the router recipe has besides the others: the pool as a crew, its tasks, and the trial of the router on a suite."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...runtime.routing.chooser import Chooser
from ...runtime.routing.crew import Crew
from ...runtime.routing.loading import load_member
from ...runtime.routing.pool import Pool, PoolModel
from ...runtime.routing.spending import Purse
from ...runtime.routing.steps import Thinker
from ..practice.ledger import Ledger
from ..practice.rollouts import Manner
from ..routing.practice import Drill
from .route import STEPS
from .trial import Score, score_crew

if TYPE_CHECKING:
    from ...runtime.episodes import EpisodeStore
    from ...runtime.policies.base import Policy
    from .folder import RunFolder
    from .learner import Learner
    from .options import TrainOptions
    from .supervised import Told


NANO_RATE = 3e-3
"""At the usual 5e-4 nano was far from the form after 24 steps (loss 5.5 a token), at this it was near after 36 (0.4)."""


def pool_of(options: TrainOptions) -> Pool:
    """The pool that a run was started with."""
    return Pool({name: PoolModel(**table) for name, table in options.pool.items()})


def router_plays(options: TrainOptions) -> str:
    """What a run will play at most, for people."""
    members, demonstrations = len(options.pool), min(options.demonstrations, options.fresh_tasks)
    steps = options.steps or STEPS
    plays = {
        f"tasks by each of {members} models alone": members * options.fresh_tasks, "demonstrations": demonstrations,
        "runs of the router": steps * options.tasks_per_step * options.group, "held-out tasks": 2 * options.eval_limit,
    }  # fmt: skip
    return ", ".join(f"{count:,} {what}" for what, count in plays.items() if count)


def for_demonstrations(options: TrainOptions, profile: str) -> TrainOptions:
    """How demonstrations are imitated: by epochs, and by a small policy at a rate at which it learns a new form."""
    rate = options.learning_rate or (NANO_RATE if profile == "compact" else None)
    return replace(options, steps=None, epochs=options.demonstration_epochs, learning_rate=rate)


class KeptPurse(Purse):
    """The purse of a run: what is spent is in its folder at once, so that a killed run goes on with what is left."""

    def __init__(self, limit: float | None, folder: RunFolder) -> None:
        super().__init__(limit)
        self._folder = folder
        self.spent = float(folder.state().get("spent_usd", 0.0))

    def settle(self, name: str, held: float, usd: float) -> None:
        """As any purse, and on disk."""
        super().settle(name, held, usd)
        if usd:
            self._folder.note(spent_usd=self.spent)


async def open_drill(
    options: TrainOptions, folder: RunFolder, home: Path, policy: Policy, practice: EpisodeStore, stack: AsyncExitStack
) -> Drill:
    """The pool ready to practise; what a killed run has spent counts."""
    async def load(name: str, model: PoolModel) -> Policy:
        return await load_member(name, model, home, quiet=True)

    chooser = Chooser(pool_of(options), practice, None, cost_weight=options.cost_weight)
    crew = Crew(chooser, "learned", thinker_of(policy), KeptPurse(options.spend_limit, folder), load=load)
    ledger = Ledger(folder.rollouts)
    manner = Manner(policy, practice, 0.0, ledger, options.max_turns)
    return Drill(await stack.enter_async_context(crew), manner, options.temperature)


def thinker_of(policy: Policy) -> Thinker:
    """The policy that is being trained, as a router."""

    async def load() -> Policy:
        return policy

    return Thinker(load)


async def try_router(
    learner: Learner, log: EpisodeStore, drill: Drill, when: str, suite: str, told: Told
) -> Score | None:
    """The pool on held-out tasks: before under the cluster router (as `auto` without a learned one), after under ours."""
    options, folder = learner.options, learner.folder
    limit = options.eval_limit
    if not limit:
        return None
    known = folder.lines(f"{when}.jsonl")
    if len(known) == limit and folder.state().get(f"scored_{when}"):
        return Score(tuple(known))
    chooser = Chooser(drill.crew.chooser.pool, log, None, cost_weight=options.cost_weight)
    crew = replace(
        drill.crew, chooser=chooser, router="cluster" if when == "before" else "learned", thinker=thinker_of(learner.policy)
    )
    chooser.load()
    found = await score_crew(
        crew, suite, limit=limit, seed=options.eval_seed, out=folder.path / f"{when}.jsonl",
        progress=lambda done, total, solved: told(f"{when}: held-out tasks, {solved} solved", done, total),
    )  # fmt: skip
    folder.note(**{f"scored_{when}": True})
    return found
