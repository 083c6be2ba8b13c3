"""A router practises: its members do tasks alone (what is right to ask), it is shown how, and it routes by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...runtime import Episode, Runtime
from ...runtime.routing.crew import Crew
from ...runtime.routing.steps import Thinker
from ..practice.rollouts import Manner, Rollout, perform, rollout_seed
from .demonstrations import demonstrating, plan_for
from .rewards import Tried

if TYPE_CHECKING:
    from ...runtime.events import Event
    from ...runtime.policies.base import Policy
    from ...runtime.policies.llama import LlamaPolicy
    from ..practice.tasks import PracticeTask

Note = Callable[["Event"], None]


@dataclass(slots=True)
class Drill:
    """The crew, where its episodes go, and how often each member was seen to do what."""

    crew: Crew
    manner: Manner
    """With temperature 0: members answer greedily; the router samples at `temperature`."""
    temperature: float = 1.0
    tried: dict[str, dict[str, Tried]] = field(default_factory=dict)
    """Task -> member -> how it did alone."""

    async def scout(self, task: PracticeTask) -> Mapping[str, Tried]:
        """Have every member do a task alone, once; kept in the ledger."""
        if task.name not in self.tried:
            self.tried[task.name] = {name: await self._alone(task, name) for name in self.crew.chooser.pool}
        return self.tried[task.name]

    async def demonstrate(self, policy: LlamaPolicy, task: PracticeTask, *, cost_weight: float, seed: int) -> Rollout:
        """A run of the router as it should be."""
        pool = self.crew.chooser.pool
        strengths = {name: one.strengths for name, one in pool.items()}
        plan = plan_for(task.name, await self.scout(task), strengths, cost_weight=cost_weight, seed=seed)
        manner = replace(self.manner, version="demonstration")
        return await perform(manner, task, seed, self._steps(demonstrating(policy, task.text, plan), task, None))

    async def route(self, policy: Policy, task: PracticeTask, member: int, *, seed: int, version: str) -> Rollout:
        """One run of the router, sampled at the temperature."""
        manner = replace(self.manner, policy=policy, version=version)
        own = rollout_seed(seed, task.name, member)
        return await perform(manner, task, own, self._steps(policy, task, self.temperature))

    def usd(self, rollouts: Sequence[Rollout]) -> float:
        """What the models that these runs asked cost, in USD for a run."""
        costs = [float((one.record.episode.settings.get("route") or {}).get("cost_usd", 0.0)) for one in rollouts]
        return sum(costs) / max(1, len(costs))

    async def _alone(self, task: PracticeTask, member: str) -> Tried:
        async def work(runtime: Runtime, note: Note) -> Episode:
            async with self.crew.team(runtime) as team:
                return await team.ask(
                    member, task.text, split=self.manner.split, hidden=task.hidden, on_event=note
                )

        model = self.crew.chooser.pool[member]
        version = f"alone {member} {model.model} {model.adapter}"
        done = await perform(replace(self.manner, version=version, adapted=False), task, 0, work)
        route = done.record.episode.settings.get("route") or {}
        called = [call.tool.partition(".")[0] for call in done.record.calls if call.sent_at is not None]
        return Tried(done.known or 0.0, float(route.get("cost_usd", 0.0)), tuple(sorted(set(called))))

    def _steps(self, policy: Any, task: PracticeTask, temperature: float | None) -> Any:
        async def load() -> Policy:
            return policy  # type: ignore[no-any-return]

        async def work(runtime: Runtime, note: Note) -> Episode:
            crew = replace(self.crew.thinker or Thinker(load), load=load, temperature=temperature)
            origin = task.name if task.world_task is not None else None
            async with self.crew.team(runtime, router="learned", thinker=crew) as team:
                return await team.run(
                    task.text, split=self.manner.split, hidden=task.hidden, origin=origin, on_event=note
                )

        return work
