"""The learned path: a policy that thinks, asks models of the pool and answers, in a run like any other (`acting` route).

The policy is any that Atlas runs; it needs the habit of the format (`route_acting`), which `atlas train --recipe router`
gives to a small one. New members can be used without training: the prompt describes them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..episodes.episode import Episode
from ..policies.pinning import pinned
from ..route_acting import described, system_text
from ..setup import Setup
from .asking import ASK, Ask
from .pool import PoolModel
from .router import USUAL_USE
from .spending import Metered

if TYPE_CHECKING:
    from ..episodes.rows import EpisodeRow
    from ..events import Event
    from ..options import RunOptions
    from ..policies.base import Policy
    from .pool import Pool
    from .team import Team

STEPS = 4
"""Replies of the router at most, as in the paper."""


@dataclass(frozen=True, slots=True)
class Thinker:
    """The router's own policy: how it is loaded, and what it costs."""

    load: Callable[[], Awaitable[Policy]]
    name: str = "router"
    model: PoolModel = field(default_factory=lambda: PoolModel(model="nano"))
    """Its prices and limits; the default costs nothing."""
    steps: int = STEPS
    budget: int | None = None
    """Tokens of its prompt; None: as of any run with its policy."""
    temperature: float | None = None
    """Of its own replies; None: as of the models that it asks."""


def members(pool: Pool) -> dict[str, str]:
    """The pool as the router reads it."""
    return described((name, one.strengths, one.cost_usd(*USUAL_USE)) for name, one in pool.items())


def setup_for(
    policy: Policy, options: RunOptions, thinker: Thinker, pool: Pool, ask: Ask, *, scores: bool
) -> Setup:
    """A run of the router: its own system text, the steps of its format, and nothing to call but `ask`."""
    return Setup(
        options=replace(
            options, acting="route", loading="servers", max_turns=thinker.steps, constrain_names=False,
            budget=thinker.budget or options.budget,
            temperature=options.temperature if thinker.temperature is None else thinker.temperature,
        ),
        system=system_text(members(pool), compact=policy.profile == "compact", best_of=scores),
        functions={ASK: ask},
    )  # fmt: skip


async def route_by_steps(
    team: Team, thinker: Thinker, task: str, reason: str, *, router: str, split: str | None,
    on_event: Callable[[Event], None] | None = None, hidden: Collection[str] = (), **more: Any,
) -> tuple[Episode, Ask]:  # fmt: skip
    """Run a task with the router; its episode with what it asked. Raises what its policy raises."""
    policy = await thinker.load()
    metered = Metered(pinned(policy), thinker.name, thinker.model, team.purse)
    ask = Ask(team, split=split, hidden=hidden)
    route: dict[str, Any] = {"router": router, "model": None, "tool": None, "reason": reason, "fallback": None}
    runtime = team.runtime
    episode = await runtime.run(
        task, on_event=on_event, split=split, hidden=hidden, policy=metered, route=route,
        setup=setup_for(policy, runtime.options, thinker, team.pool, ask, scores=team.scores), **more,
    )  # fmt: skip
    return _noted(team, episode, route, metered, ask), ask


async def resume_steps(team: Team, thinker: Thinker, episode: str, **more: Any) -> Episode:
    """Go on with an interrupted run of a router: what its models were asked and answered is not asked again."""
    policy = await thinker.load()
    metered = Metered(pinned(policy), thinker.name, thinker.model, team.purse)
    record = team.runtime.store.get(episode)
    ask = Ask(team, split=record.episode.split)
    done = await team.runtime.resume(record.episode.id, policy=metered, setup=Setup(functions={ASK: ask}), **more)
    new = {one.id for one in ask.asked}
    earlier = [_kept_step(row) for row in team.runtime.store.asked_by(done.id) if row.id not in new]
    return _noted(team, done, dict(record.episode.settings.get("route") or {}), metered, ask, earlier)


def _noted(
    team: Team, episode: Episode, route: dict[str, Any], metered: Metered, ask: Ask,
    earlier: list[dict[str, Any]] | None = None,
) -> Episode:
    """The episode with what its steps came to, in its log, too."""
    steps = [*(earlier or []), *(asked_step(one) for one in ask.asked)]
    route |= {
        "steps": steps, "router_usd": metered.spent, "unpaid": metered.unpaid,
        "cost_usd": metered.spent + sum(one["cost_usd"] for one in steps),
    }  # fmt: skip
    team.runtime.store.set_route(episode.id, route)
    return replace(episode, route=route)


def _kept_step(row: EpisodeRow) -> dict[str, Any]:
    """A question that was asked before the run was interrupted."""
    route = row.settings.get("route") or {}
    return {
        "model": route.get("model"), "tools": route.get("tools"), "episode": row.id, "status": row.status,
        "cost_usd": route.get("cost_usd", 0.0),
    }  # fmt: skip


def asked_step(episode: Episode) -> dict[str, Any]:
    """One question of a router, as its episode's `route` holds it."""
    route = episode.route or {}
    return {
        "model": route.get("model"), "tools": route.get("tools"), "episode": episode.id, "status": episode.status,
        "cost_usd": route.get("cost_usd", 0.0),
    } | ({"best_of": route["best_of"]} if "best_of" in route else {})  # fmt: skip
