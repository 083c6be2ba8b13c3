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
from .trial import Score, score_crew

if TYPE_CHECKING:
    from ...runtime.episodes import EpisodeStore
    from ...runtime.policies.base import Policy
    from .folder import RunFolder
    from .learner import Learner
    from .options import TrainOptions
    from .supervised import Told


def pool_of(options: TrainOptions) -> Pool:
    """The pool that a run was started with."""
    return Pool({name: PoolModel(**table) for name, table in options.pool.items()})


async def open_drill(
    options: TrainOptions, folder: RunFolder, home: Path, policy: Policy, practice: EpisodeStore, stack: AsyncExitStack
) -> Drill:
    """The pool ready to practise; what a killed run has spent counts."""
    purse = Purse(options.spend_limit)
    purse.spent = float(folder.state().get("spent_usd", 0.0))

    async def load(name: str, model: PoolModel) -> Policy:
        return await load_member(name, model, home, quiet=True)

    chooser = Chooser(pool_of(options), practice, None, cost_weight=options.cost_weight)
    crew = Crew(chooser, "learned", thinker_of(policy), purse, load=load)
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
