"""Rollouts: the runtime itself runs a task in its safe place, sampled at a temperature, several times over.

Ids and exact log-probabilities come from the runtime's own log, as for any episode; `store` is the run's own log, apart
from the user's episodes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...runtime import Episode, Runtime
from ...sandbox import keep_warm
from .ledger import Entry, Ledger

if TYPE_CHECKING:
    from ...runtime.episodes.rows import Record
    from ...runtime.episodes.store import EpisodeStore
    from ...runtime.events import Event
    from ...runtime.policies.base import Policy
    from ..worlds.base import Task
    from .places import Scene
    from .tasks import PracticeTask

OnRollout = Callable[["Rollout"], None]
ROLLOUT_SECONDS = 600.0
"""A rollout that takes longer ends as unknown: nothing should wait for one program for ever."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One run of a task for practice."""

    record: Record
    name: str
    text: str
    task: Task | None
    known: float | None
    """1.0 or 0.0 where the place can tell, else None."""
    why: str = ""
    unknown: bool = False
    """It left the record: what would have come of it nobody knows."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How rollouts are run."""

    policy: Policy
    store: EpisodeStore
    temperature: float = 1.0
    ledger: Ledger | None = None
    max_turns: int = 12
    split: str = "practice"
    version: str = ""
    """Of the policy, where its own identity does not tell: part of the ledger's keys."""
    adapted: bool = True
    """False where others do the work: the policy's adapter, which changes while it learns, is no part of the keys then."""
    seconds: float = ROLLOUT_SECONDS
    variant: Mapping[str, Any] = field(default_factory=dict)
    """More options of the runtime, such as `loading` and `acting`; part of the ledger's keys for references alone."""


async def practise(
    policy: Policy,
    tasks: Sequence[PracticeTask],
    *,
    group: int,
    temperature: float = 1.0,
    seed: int = 0,
    store: EpisodeStore,
    ledger: Ledger | None = None,
    at_once: int | None = None,
    max_turns: int = 12,
    version: str = "",
    on_rollout: OnRollout | None = None,
) -> list[list[Rollout]]:
    """Run every task `group` times; one list of rollouts for each task, in order.

    Rollouts of one task follow each other, so that the policy's cache keeps their common prompt; `at_once` of them run
    together (by default as many as the policy says it can use).
    """
    manner = Manner(policy, store, temperature, ledger, max_turns, version=version)
    gate = asyncio.Semaphore(at_once or together(policy))

    async def one(task: PracticeTask, member: int) -> Rollout:
        async with gate:
            done = await roll(manner, task, rollout_seed(seed, task.name, member))
            if on_rollout is not None:
                on_rollout(done)
            return done

    with keep_warm():
        runs = [[one(task, member) for member in range(group)] for task in tasks]
        flat = await all_or_none([run for runs_of_task in runs for run in runs_of_task])
    return [flat[start : start + group] for start in range(0, len(flat), group)]


def together(policy: Policy) -> int:
    """How many rollouts the policy can use at once."""
    return max(1, int(getattr(policy, "at_once", 4 if policy.counting != "exact" else 1)))


def rollout_seed(seed: int, name: str, member: int) -> int:
    """A seed of its own for each rollout: turns take the seeds that follow it."""
    digest = hashlib.sha256(f"{seed}:{name}:{member}".encode()).digest()
    return int.from_bytes(digest[:4]) & 0x3FFFFFFF


async def roll(manner: Manner, task: PracticeTask, seed: int) -> Rollout:
    """One rollout, or the one that the ledger holds."""
    key = _key(manner, task.name, seed)
    return _kept(manner, task, key) or await _finish(manner, task, key, seed, _fresh(task, manner))


async def go_on(manner: Manner, task: PracticeTask, parent: str, after_turn: int, seed: int) -> Rollout:
    """One continuation of an episode of the store from a turn boundary on; raises `ReplayMismatch` where it cannot be."""
    key = _key(manner, f"{task.name}@{parent}+{after_turn}", seed)

    async def fork(runtime: Runtime, note: Callable[[Event], None]) -> Episode:
        return await runtime.fork(
            parent, after_turn=after_turn, resend=True, seed=seed, temperature=manner.temperature, split=manner.split,
            on_event=note,
        )  # fmt: skip

    return _kept(manner, task, key) or await _finish(manner, task, key, seed, fork)


Work = Callable[[Runtime, Callable[["Event"], None]], Coroutine[Any, Any, Episode]]


async def perform(manner: Manner, task: PracticeTask, seed: int, work: Work) -> Rollout:
    """One rollout that `work` does in the task's place, or the one that the ledger holds under the manner's version."""
    key = _key(manner, task.name, seed)
    return _kept(manner, task, key) or await _finish(manner, task, key, seed, work)


def _fresh(task: PracticeTask, manner: Manner) -> Work:
    async def run(runtime: Runtime, note: Callable[[Event], None]) -> Episode:
        origin = task.name if task.world_task is not None else None
        return await runtime.run(task.text, split=manner.split, hidden=task.hidden, origin=origin, on_event=note)

    return run


def _key(manner: Manner, name: str, seed: int) -> str:
    identity = manner.policy.identity
    adapter = (identity.adapter_hash if manner.adapted else None) or "-"
    weights = f"{identity.base_hash[:16]}/{adapter[:16]}/{manner.version}"
    return f"{weights} {name} {seed} {manner.temperature:g}"


def _kept(manner: Manner, task: PracticeTask, key: str) -> Rollout | None:
    from ...runtime.errors import EpisodeError

    entry = manner.ledger.get(key) if manner.ledger else None
    if entry is None or manner.ledger is None:
        return None
    try:
        record = manner.store.get(entry.episode)
    except EpisodeError:
        return None
    manner.ledger.reused += 1
    return Rollout(record, task.name, task.text, task.world_task, entry.known, entry.why, entry.unknown)


async def _finish(manner: Manner, task: PracticeTask, key: str, seed: int, work: Work) -> Rollout:
    episode, known, why, unknown = await _perform(manner, task, seed, work)
    if unknown:
        manner.store.set_outcome(episode, "unknown", None, why)
    elif known is not None:
        manner.store.set_outcome(episode, "known", known, why)
    if manner.ledger is not None:
        manner.ledger.put(Entry(key, episode, known, why, unknown))
    return Rollout(manner.store.get(episode), task.name, task.text, task.world_task, known, why, unknown)


async def _perform(manner: Manner, task: PracticeTask, seed: int, work: Work) -> tuple[str, float | None, str, bool]:
    """The episode's id, how it ended and why, and whether it left the record."""
    async with task.place.scene() as scene:
        runtime = Runtime(
            manner.policy, approve="auto", seed=seed, temperature=manner.temperature, max_turns=manner.max_turns,
            store=manner.store, **scene.runtime_options, **manner.variant,
        )  # fmt: skip
        async with runtime:
            scene.opened(runtime.registry)
            begun: list[str] = []
            running = asyncio.ensure_future(work(runtime, lambda event: begun.append(event.episode)))
            episode = await _first_of(running, scene, manner.seconds)
            if episode is None:
                return begun[0], None, scene.unknown_call or "it took too long", True
            known, why = scene.verdict(episode)
            return episode.id, known, why, False


async def _first_of(work: asyncio.Future[Episode], scene: Scene, seconds: float) -> Episode | None:
    """The finished episode, or None where the rollout left the record or took too long and was ended."""
    left = asyncio.ensure_future(scene.left_record.wait())
    try:
        both: set[asyncio.Future[Any]] = {work, left}
        await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        left.cancel()
        if not work.done():
            work.cancel()
        await asyncio.gather(work, left, return_exceptions=True)


async def all_or_none(work: Sequence[Coroutine[Any, Any, Rollout]]) -> list[Rollout]:
    """Run all; the first failure ends the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(one) for one in work]
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return [one.result() for one in running]
