"""Running tasks with a pool: the router chooses a model, another takes over where it fails, all within one purse.

A task is begun anew by the next model only while nothing that was done so far can have changed anything: after a call of
a tool that is not known to be read-only the task ends with what came of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ..errors import UsageError
from ..events import Event
from ..policies.errors import ModelError
from ..policies.pinning import pinned
from ..setup import Setup
from .asking import ASK, Ask
from .best_of import HOT, mark, steps_of
from .chooser import Chooser, servers_for
from .errors import NoRouter, PoolError, SpendingError
from .loading import load_member
from .spending import Metered, Purse
from .steps import Thinker, route_by_steps

if TYPE_CHECKING:
    from ...sandbox import Outcome
    from ..episodes.episode import Episode
    from ..options import RunOptions
    from ..policies.base import Policy
    from ..runtime import Runtime
    from .pool import Pool, PoolModel
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
        tell: Tell | None = None, load: Load = load_member, thinker: Thinker | None = None, purse: Purse | None = None,
    ) -> None:  # fmt: skip
        """`thinker` is the policy of the learned path; `learned` needs it, and `auto` goes without where there is none."""
        check_router(router, thinker)
        if not chooser.pool:
            raise UsageError("the pool of models is empty", where="[models.<name>]", mend="add a model to atlas.toml")
        self.purse = Purse(spend_limit) if purse is None else purse
        self.runtime, self._chooser, self._router, self._load, self._thinker = runtime, chooser, router, load, thinker
        self._tell = tell or (lambda line: None)
        self._policies: dict[str, Policy] = {}
        self._loading = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Team:
        if not self._chooser.loaded:
            self._chooser.load(self._tell)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def pool(self) -> Pool:
        """Its models."""
        return self._chooser.pool

    @property
    def scores(self) -> bool:
        """Whether the best of several answers can be told."""
        return self._chooser.whole.scorer is not None

    def tool_names(self) -> frozenset[str]:
        """Every server and tool that a model can be given."""
        return frozenset({*self.runtime.registry.cards, *(one.name for one in self.runtime.registry.servers)})

    async def run(
        self, task: str, *, on_event: Emit | None = None, split: str | None = None, **more: Any
    ) -> Episode:
        """Run a task with the model that the router chooses, then with others while it is unsolved and nothing was changed.

        What a model or the purse does is in the episode's status; raised is what else fails, and `ModelError` where not one
        model could be asked. `more` goes to `Runtime.run`.
        """
        servers = servers_for(task, self.runtime.registry)
        tried: list[Attempt] = []
        found: Episode | None = None
        problem: Exception | None = None
        if self._thinker is not None and self._goes_by_steps(task, servers):
            found = await self._by_steps(self._thinker, task, tried, on_event, split, more)
            if found is not None and (self._router == "learned" or found.solved or self._changed(found)):
                return self._with_costs(found, tried)
            tried = [replace(one, model=f"{one.model} (asked)") for one in tried]  # each may still do the whole task
        whole = len(tried) + len(self.pool)
        while len(tried) < whole:
            decision = self._chooser.decide(task, servers, without=frozenset(one.model for one in tried))
            try:
                episode = await self._attempt(task, decision, tried, on_event, split, more)
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

    async def ask(
        self, model: str, text: str, *, tools: frozenset[str] | None = None, asked_by: str | None = None,
        split: str | None = None, on_event: Emit | None = None, images: tuple[str, ...] = (),
        options: RunOptions | None = None, hidden: Collection[str] = (),
    ) -> Episode:  # fmt: skip
        """Have one model of the pool do a text, with all tools or with these servers and tools alone.

        `images` are files that the model is shown; `hidden` tools it has to search for, as in `Runtime.run`. Raises
        `PoolError` for a name that is not in the pool, `ModelError` and `SpendingError`.
        """
        member = self.pool.named([model])[model]
        metered = Metered(pinned(await self._policy(model)), model, member, self.purse)
        route: dict[str, Any] = {
            "router": "ask", "model": model, "tool": next(iter(sorted(tools)), None) if tools else None,
            "tools": None if tools is None else sorted(tools), "asked_by": asked_by,
        }  # fmt: skip
        episode = await self._metered_run(
            text, metered, member, route, [], on_event, split=split, hidden=hidden,
            setup=Setup(options, only=tools, images=images),
        )  # fmt: skip
        shown = "all tools" if tools is None else ", ".join(sorted(tools)) or "no tools"
        self._tell(f"{model} was asked with {shown}: {episode.status}, {metered.spent:.6f} USD")
        return replace(episode, route=route)

    async def ask_best(self, model: str, text: str, *, count: int, tools: frozenset[str] | None, **more: Any) -> Episode:
        """The best of `count` tries at a text, by the pool's scoring model; the tools are those that only read then.

        Raises what `ask` raises, and `PoolError` where the pool has no model that scores.
        """
        if count == 1:
            return await self.ask(model, text, tools=tools, **more)
        scorer = self._scorer()
        reading = frozenset(name for name in self._named(tools) if _reads(self.runtime.registry.cards, name))
        usual = self.runtime.options
        marked: list[tuple[float, int, Episode]] = []
        for number in range(count):
            hot = replace(usual, temperature=usual.temperature or HOT, seed=usual.seed + 1_009 * number)
            found = await self.ask(model, text, tools=reading, options=hot, **more)
            given = await self._mark(scorer, text, found) if found.status == "answered" else 0.0
            marked.append((given, -number, found))
        best = max(marked, key=lambda one: one[:2])
        cost = sum(float((one.route or {}).get("cost_usd", 0.0)) for *_, one in marked)
        marks = [{"episode": one.id, "mark": given} for given, _, one in marked]
        route = {**(best[2].route or {}), "best_of": marks, "scorer": scorer, "cost_usd": cost}
        return replace(best[2], route=route)

    def seeing(self, model: str) -> str:
        """The model itself where it takes pictures, else one of the pool that does. Raises `PoolError` where none does."""
        if model in self.pool and self.pool[model].vision:
            return model
        found = next((name for name, one in self.pool.items() if one.vision), None)
        if found is None:
            raise PoolError(
                f"{model} takes no pictures, and neither does any other model of the pool", where="[models.<name>] vision",
                mend="set vision = true for an endpoint that does",
            )  # fmt: skip
        self._tell(f"{model} takes no pictures: {found} is asked")
        return found

    def _scorer(self) -> str:
        scorer = self._chooser.whole.scorer
        if scorer is None:
            raise PoolError(
                "no model of the pool scores", where="[models.<name>] scores", mend="set scores = true for one that can"
            )
        return scorer

    async def _mark(self, scorer: str, text: str, episode: Episode) -> float:
        """What the scoring model gives an episode; 0 where it says nothing. Its cost is added to the episode's."""
        model = self._chooser.whole[scorer]
        metered = Metered(pinned(await self._policy(scorer)), scorer, model, self.purse)
        given = await mark(metered, text, steps_of(self.runtime.store.get(episode.id)))
        if given is None:
            self._tell(f"{scorer} gave no mark")
        if episode.route is not None:
            episode.route["cost_usd"] = float(episode.route.get("cost_usd", 0.0)) + metered.spent
        return given or 0.0

    def _named(self, tools: frozenset[str] | None) -> list[str]:
        """Every tool that these servers and tools are."""
        cards = self.runtime.registry.cards
        return [name for name in cards if tools is None or name in tools or name.partition(".")[0] in tools]

    async def execute(self, program: str) -> Outcome:
        """Run a program that may call `ask`, with no policy of its own; what it asks is logged."""
        return await self.runtime.execute(program, functions={ASK: Ask(self)})

    def _goes_by_steps(self, task: str, servers: list[str]) -> bool:
        """Whether the learned path takes a task: always, or where the clusters have no evidence."""
        if self._router == "auto":
            return not self._chooser.decide(task, servers).evidence
        return self._router == "learned"

    async def _by_steps(
        self, thinker: Thinker, task: str, tried: list[Attempt], on_event: Emit | None, split: str | None,
        more: dict[str, Any],
    ) -> Episode | None:  # fmt: skip
        """The learned path; what it asked is added to `tried`. None where its policy failed and the pool can go on."""
        why = "; the clusters have no evidence for this task" if self._router == "auto" else ""
        reason = f"the learned router, step by step ({thinker.name}){why}"
        self._tell(reason)
        try:
            episode, ask = await route_by_steps(
                self, thinker, task, reason, router=self._router, split=split, on_event=on_event, **more
            )
        except ModelError as problem:
            if self._router == "learned":
                raise
            self._tell(f"the router failed: {problem.message}")
            return None
        for one in ask.asked:
            step = one.route or {}
            tried.append(Attempt(str(step.get("model")), one.id, one.status, float(step.get("cost_usd", 0.0)), one.error))
        if (episode.route or {}).get("router_usd"):
            tried.append(Attempt(thinker.name, episode.id, episode.status, (episode.route or {})["router_usd"]))
        return episode

    async def _attempt(
        self, task: str, decision: Decision, tried: list[Attempt], on_event: Emit | None, split: str | None,
        more: dict[str, Any],
    ) -> Episode | None:  # fmt: skip
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
        try:
            episode = await self._metered_run(task, metered, model, route, begun, on_event, split=split, **more)
        except ModelError as problem:
            if not begun:
                tried.append(Attempt(name, None, "error", metered.spent, problem.message))
                raise
            self._tell(f"{name} failed: {problem.message}")
            episode = self.runtime.store.get(begun[-1]).as_episode()
        tried.append(Attempt(name, episode.id, episode.status, metered.spent, episode.error))
        return replace(episode, route=route)

    async def _metered_run(
        self, text: str, metered: Metered, member: PoolModel, route: dict[str, Any], begun: list[str], on_event: Emit | None,
        **more: Any,
    ) -> Episode:  # fmt: skip
        """Run a text with a model of the pool; `begun` gets its episode. However it ends, its cost is logged and learnt."""

        def follow(event: Event) -> None:
            begun.append(event.episode)
            if on_event is not None:
                on_event(event)

        try:
            return await self.runtime.run(
                text, on_event=follow, policy=metered, route=route,
                spec={"model_spec": member.model, "adapter_spec": member.adapter}, **more,
            )  # fmt: skip
        finally:
            route |= {"cost_usd": metered.spent, "unpaid": metered.unpaid}
            if begun:
                self.runtime.store.set_route(begun[-1], route)
                self._chooser.memory.learn(begun[-1])

    async def _policy(self, name: str) -> Policy:
        async with self._loading:
            if name not in self._policies:
                policy = await self._load(name, self._chooser.whole[name])
                self._policies[name] = policy
                self._stack.push_async_callback(policy.aclose)
            return self._policies[name]

    def _changed(self, episode: Episode) -> bool:
        """Whether a call may have changed something, so that the task cannot be begun anew."""
        cards = self.runtime.registry.cards
        store = self.runtime.store
        asked = [step["episode"] for step in (episode.route or {}).get("steps", [])]
        calls = [call for one in (episode.id, *asked) for call in store.get(one).calls if call.tool != ASK]
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
        self.runtime.store.set_route(episode.id, route)
        said = ", ".join(f"{one.model} ({one.status})" for one in tried) or "nobody was asked"
        limit = "" if self.purse.limit is None else f"; {self.purse.spent:.6f} of {self.purse.limit:g} USD are spent"
        self._tell(f"{said}: {cost:.6f} USD{limit}")
        return replace(episode, route=route)


def check_router(router: str, thinker: Thinker | None) -> None:
    """Raise `NoRouter` for the learned one where it has no policy."""
    if router == "learned" and thinker is None:
        raise NoRouter(
            "the learned router has no policy", where="--router learned",
            mend="train one with `atlas train --recipe router`, or name a model as router_model in atlas.toml",
        )  # fmt: skip


def _rank(episode: Episode) -> int:
    """Of several episodes of a task the later one with the highest rank is what came of it."""
    return 2 * (episode.status == "answered") + (episode.status == "gave_up")


def _reads(cards: Any, tool: str) -> bool:
    card = cards.get(tool)
    return bool(card is not None and card.read_only)
