"""Running tasks with a pool: the router chooses a model, another takes over where it fails, all within one purse.

A task is begun anew by the next model only while nothing that was done so far can have changed anything: after a call of
a tool that is not known to be read-only the task ends with what came of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ..errors import UsageError
from ..events import Event
from ..policies.errors import ModelError
from ..policies.pinning import pinned
from .chooser import Chooser, servers_for
from .errors import NoRouter, SpendingError
from .loading import load_member
from .spending import Metered, Purse

if TYPE_CHECKING:
    from ..episodes.episode import Episode
    from ..policies.base import Policy
    from ..runtime import Runtime
    from .pool import PoolModel
    from .router import Decision

RouterName = Literal["off", "cluster", "learned", "auto"]
Load = Callable[[str, "PoolModel"], Awaitable["Policy"]]
Emit = Callable[[Event], None]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One model that was given the task."""

    model: str
    episode: str | None
    """None where the model could not be loaded."""
    status: str
    cost_usd: float
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the episode's `route` holds it."""
        return {
            "model": self.model, "episode": self.episode, "status": self.status, "cost_usd": self.cost_usd,
            "error": self.error,
        }  # fmt: skip


class Team:
    """The models of a pool over one open runtime. `tell` gets a line about each choice and each change of mind."""

    def __init__(
        self, runtime: Runtime, chooser: Chooser, *, router: RouterName = "cluster", spend_limit: float | None = None,
        tell: Tell | None = None, load: Load = load_member,
    ) -> None:  # fmt: skip
        check_router(router)
        if not chooser.pool:
            raise UsageError("the pool of models is empty", where="[models.<name>]", mend="add a model to atlas.toml")
        self.purse = Purse(spend_limit)
        self._runtime, self._chooser, self._router, self._load = runtime, chooser, router, load
        self._tell = tell or (lambda line: None)
        self._policies: dict[str, Policy] = {}
        self._loading = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Team:
        self._chooser.load(self._tell)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def run(self, task: str, *, on_event: Emit | None = None, split: str | None = None) -> Episode:
        """Run a task with the model that the router chooses, then with others while it is unsolved and nothing was changed.

        What a model or the purse does is in the episode's status; raised is what else fails, and `ModelError` where not one
        model could be asked.
        """
        servers = servers_for(task, self._runtime.registry)
        tried: list[Attempt] = []
        found: Episode | None = None
        problem: Exception | None = None
        while len(tried) < len(self._chooser.pool):
            decision = self._chooser.decide(task, servers, without=frozenset(one.model for one in tried))
            try:
                episode = await self._attempt(task, decision, tried, on_event, split)
            except (ModelError, SpendingError) as error:
                problem = error
                self._tell(f"{tried[-1].model} failed: {error.message}")
                episode = None
            if episode is not None and (found is None or _rank(episode) >= _rank(found)):
                found = episode
            if episode is not None and (episode.solved or self._changed(episode)):
                break
        if found is None:
            assert problem is not None
            raise problem
        return self._with_costs(found, tried)

    async def _attempt(
        self, task: str, decision: Decision, tried: list[Attempt], on_event: Emit | None, split: str | None
    ) -> Episode | None:
        """Give the task to the chosen model. Raises `ModelError` where it could not even begin."""
        row = decision.chosen
        name, model = row.pair.model, self._chooser.pool[row.pair.model]
        self._tell(f"{'routed to' if not tried else 'now'} {decision.reason}")
        try:
            policy = await self._policy(name)
        except ModelError as problem:
            tried.append(Attempt(name, None, "error", 0.0, problem.message))
            raise
        metered = Metered(pinned(policy), name, model, self.purse)
        route: dict[str, Any] = {
            "router": self._router, "model": name, "tool": row.pair.tool or None, "reason": decision.reason,
            "fallback": decision.fallback, "expected": row.to_json(), "attempts": [one.to_json() for one in tried],
        }  # fmt: skip
        begun: list[str] = []

        def follow(event: Event) -> None:
            begun.append(event.episode)
            if on_event is not None:
                on_event(event)

        try:
            episode = await self._runtime.run(
                task, on_event=follow, split=split, policy=metered, route=route,
                spec={"model_spec": model.model, "adapter_spec": model.adapter},
            )  # fmt: skip
        except ModelError as problem:
            if not begun:
                tried.append(Attempt(name, None, "error", metered.spent, problem.message))
                raise
            self._tell(f"{name} failed: {problem.message}")
            episode = self._runtime.store.get(begun[-1]).as_episode()
        tried.append(Attempt(name, episode.id, episode.status, metered.spent, episode.error))
        route |= {"cost_usd": metered.spent, "unpaid": metered.unpaid}
        self._runtime.store.set_route(episode.id, route)
        self._chooser.memory.learn(episode.id)
        return replace(episode, route=route)

    async def _policy(self, name: str) -> Policy:
        async with self._loading:
            if name not in self._policies:
                policy = await self._load(name, self._chooser.pool[name])
                self._policies[name] = policy
                self._stack.push_async_callback(policy.aclose)
            return self._policies[name]

    def _changed(self, episode: Episode) -> bool:
        """Whether a call may have changed something, so that the task cannot be begun anew."""
        cards = self._runtime.registry.cards
        calls = self._runtime.store.get(episode.id).calls
        changing = [call.tool for call in calls if call.sent_at is not None and not _reads(cards, call.tool)]
        if changing:
            self._tell(f"no other model is asked: {changing[0]} may have changed something already")
        return bool(changing)

    def _with_costs(self, episode: Episode, tried: list[Attempt]) -> Episode:
        """The episode with what all attempts cost, in its log, too."""
        cost = sum(one.cost_usd for one in tried)
        route: dict[str, Any] = {
            **(episode.route or {}), "attempts": [one.to_json() for one in tried], "total_usd": cost,
            "spent_usd": self.purse.spent, "spend_limit_usd": self.purse.limit,
        }  # fmt: skip
        self._runtime.store.set_route(episode.id, route)
        said = ", ".join(f"{one.model} ({one.status})" for one in tried)
        limit = "" if self.purse.limit is None else f"; {self.purse.spent:.6f} of {self.purse.limit:g} USD are spent"
        self._tell(f"{said}: {cost:.6f} USD{limit}")
        return replace(episode, route=route)


def check_router(router: str) -> None:
    """Raise `NoRouter` for one that does not exist yet."""
    if router == "learned":
        raise NoRouter("the learned router does not exist yet", where="--router learned", mend="take cluster, auto or off")


def _rank(episode: Episode) -> int:
    """Of several episodes of a task the later one with the highest rank is what came of it."""
    return 2 * (episode.status == "answered") + (episode.status == "gave_up")


def _reads(cards: Any, tool: str) -> bool:
    card = cards.get(tool)
    return bool(card is not None and card.read_only)
