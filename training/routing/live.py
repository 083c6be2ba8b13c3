"""A live pool of specialists: adapters of one base, each trained on the reference programs of one family of tasks.

Everything is kept in a folder and done once: what a killed study had finished is used again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...runtime.episodes import EpisodeStore, open_store
from ...runtime.routing.crew import Crew
from ...runtime.routing.pool import Pool, PoolModel
from ..adapters import AdapterStore
from ..practice.ledger import Ledger
from ..practice.references import show
from ..practice.rollouts import Manner, perform
from ..practice.tasks import PracticeTask, world_practice
from ..recipes import TrainOptions, train
from ..suites import tasks_of_family
from .practice import Drill

if TYPE_CHECKING:
    from ...runtime import Episode, Runtime
    from ...runtime.policies.llama import LlamaPolicy

Told = Callable[[str, int, int], None]
_DRAWS = 4_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one task went."""

    solved: float
    usd: float


@dataclass(slots=True)
class Results:
    """Outcomes by contestant, aligned over the tasks."""

    tasks: list[str] = field(default_factory=list)
    families: list[str] = field(default_factory=list)
    by: dict[str, list[Outcome]] = field(default_factory=dict)

    def add(self, task: PracticeTask, outcomes: Mapping[str, Outcome]) -> None:
        """One more task."""
        self.tasks.append(task.name)
        self.families.append(task.family)
        for name, one in outcomes.items():
            self.by.setdefault(name, []).append(one)

    def solved(self, name: str) -> np.ndarray:
        """Share solved, task by task."""
        return np.array([one.solved for one in self.by[name]])

    def row(self, name: str) -> dict[str, Any]:
        """Success with its interval (bootstrap over tasks), and USD a task."""
        values = self.solved(name)
        low, high = interval(values)
        usd = float(np.mean([one.usd for one in self.by[name]]))
        return {"success": float(values.mean()), "interval": [low, high], "usd": usd, "n": len(values)}

    def difference(self, name: str, other: str) -> tuple[float, float]:
        """The paired 95 % interval of success of one minus the other."""
        return interval(self.solved(name) - self.solved(other))


def interval(values: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a mean by bootstrap."""
    if not len(values):
        return -1.0, 1.0
    draws = np.random.default_rng(seed).integers(0, len(values), (_DRAWS, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return round(float(low), 4), round(float(high), 4)


def names_of(suite: str, split: Any, families: Sequence[str], each: int, seed: int) -> list[str]:
    """So many tasks of each family."""
    return [
        name for family in families for name in itertools.islice(tasks_of_family(suite, split, family, seed), each)
    ]  # fmt: skip


async def specialist(
    policy: LlamaPolicy, folder: Path, suite: str, family: str, *, tasks: int, seed: int, told: Told, **options: Any
) -> Path:
    """An adapter that imitates the reference programs of one family; made once in `folder`."""
    home = folder / "specialists" / f"{family}-{seed}"
    made = AdapterStore(home).list()
    if made:
        return made[0].gguf
    home.mkdir(parents=True, exist_ok=True)
    with open_store(home) as store:
        manner = Manner(policy, store, 0.0, Ledger(home / "references.jsonl"))
        for number, name in enumerate(names_of(suite, "practice", [family], tasks, 7_000 + seed), 1):
            await show(policy, world_practice(name), manner)
            told(f"references of {family}", number, tasks)
    await train(
        TrainOptions(recipe="sft", eval_limit=0, seed=seed, suite=suite, **options), home=home, out=None, told=told
    )  # fmt: skip
    return AdapterStore(home).list()[0].gguf


def pool_of(adapters: Mapping[str, Path], prices: Sequence[float], strengths: Mapping[str, str]) -> Pool:
    """One member for each family's adapter."""
    return Pool({
        family: PoolModel(model="nano", adapter=str(path), input_price=price, output_price=2 * price,
                          strengths=strengths.get(family, f"tasks of the kind {family}"))
        for (family, path), price in zip(adapters.items(), prices, strict=True)
    })  # fmt: skip


async def outcomes_alone(drill: Drill, tasks: Sequence[PracticeTask], told: Told) -> dict[str, dict[str, Outcome]]:
    """How every member does every task alone."""
    found: dict[str, dict[str, Outcome]] = {}
    for number, task in enumerate(tasks, 1):
        tried = await drill.scout(task)
        found[task.name] = {name: Outcome(one.solved, one.usd) for name, one in tried.items()}
        told("members alone", number, len(tasks))
    return found


async def outcome_routed(crew: Crew, manner: Manner, task: PracticeTask, name: str) -> Outcome:
    """How the pool does a task under the crew's router; `name` keeps its runs apart in the ledger."""

    async def work(runtime: Runtime, note: Any) -> Episode:
        async with crew.team(runtime) as team:
            return await team.run(task.text, split=manner.split, hidden=task.hidden, on_event=note)

    done = await perform(replace(manner, version=name), task, 0, work)
    route = done.record.episode.settings.get("route") or {}
    return Outcome(done.known or 0.0, float(route.get("total_usd", route.get("cost_usd", 0.0))))


def with_baselines(alone: Mapping[str, Outcome], best_single: str) -> dict[str, Outcome]:
    """The members' outcomes on a task as those of the best single one, of chance, and of one who knows."""
    knows = max(alone.values(), key=lambda one: (one.solved, -one.usd))
    solved, usd = ([getattr(one, part) for one in alone.values()] for part in ("solved", "usd"))
    mean = Outcome(float(np.mean(solved)), float(np.mean(usd)))
    return {"best_single": alone[best_single], "random": mean, "oracle": knows}


def best_of_practice(practice: Mapping[str, Mapping[str, Outcome]]) -> str:
    """The member that solved most practice tasks; of equal ones the cheaper."""
    names = list(next(iter(practice.values())))
    solved = {name: sum(one[name].solved for one in practice.values()) for name in names}
    usd = {name: sum(one[name].usd for one in practice.values()) for name in names}
    return max(names, key=lambda name: (solved[name], -usd[name]))


def opened(folder: Path, name: str) -> EpisodeStore:
    """A store of the study."""
    folder.mkdir(parents=True, exist_ok=True)
    return EpisodeStore(folder / f"{name}.db")
