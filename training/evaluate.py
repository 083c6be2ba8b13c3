"""Scores a policy on a suite: every task runs through the real runtime, and its world checks answer and final state."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import Episode, Runtime
from ..runtime.episodes.codec import clean
from ..runtime.options import RunOptions
from ..runtime.policies.base import PolicyIdentity
from .suites import SHARES, SuiteTask, suite_tasks
from .task_files import FileTask, file_tasks
from .worlds.base import Split, Task, World
from .worlds.check import passes, same_answer
from .worlds.rehearse import Rehearsal, rehearse

if TYPE_CHECKING:
    from ..runtime.policies.base import Policy
    from ..runtime.routing.crew import Crew

_APART = 1_000_003
"""Between the seeds of two attempts; turns take the seeds that follow theirs."""
Progress = Callable[[int, int, int], None]
"""Called with tasks done, tasks in all, tasks solved."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How one task of a suite went."""

    name: str
    family: str
    task: str
    success: bool
    status: str
    answer: Any
    why: str
    tokens: int
    turns: int
    seconds: float
    route: dict[str, Any] | None = None
    """Where a router chose the model: which, why and at what cost. Of several attempts that of the first one."""
    attempts: tuple[bool, ...] = ()
    """Success of each attempt, the first one included, where there were several."""
    routes: tuple[dict[str, Any], ...] = ()
    """`route` of each attempt, the first one included, where a router chose."""

    @property
    def cost_usd(self) -> float:
        """What the models of a pool cost, everything that was tried for the task together."""
        return sum(float(route.get("total_usd", 0.0)) for route in self.routes)

    def to_json(self) -> dict[str, Any]:
        """A line of `--out`."""
        more = {"route": self.route, "cost_usd": self.cost_usd} if self.route is not None else {}
        return more | ({"attempts": list(self.attempts)} if self.attempts else {}) | {
            "task": self.name, "family": self.family, "text": self.task, "success": self.success, "status": self.status,
            "answer": self.answer, "why": self.why, "tokens": self.tokens, "turns": self.turns,
            "seconds": round(self.seconds, 3),
        }  # fmt: skip


@dataclass(slots=True)
class EvalReport:
    """The scores of a suite."""

    suite: str
    split: str
    model: str
    adapter: str | None
    results: list[TaskResult] = field(default_factory=list)
    seconds: float = 0.0
    router: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that `atlas eval --json` prints."""
        tokens = [result.tokens for result in self.results]
        count = len(self.results)
        return {
            "suite": self.suite, "split": self.split, "model": self.model, "adapter": self.adapter, "n": count,
            "success": _share(self.results), "interval": list(wilson(sum(r.success for r in self.results), count)),
            "tokens": {"mean": round(sum(tokens) / max(1, count), 1), "peak": max(tokens, default=0)},
            "turns": round(sum(result.turns for result in self.results) / max(1, count), 2),
            "seconds": round(self.seconds, 1), "families": self._families(),
        } | self._routing() | self._passes()  # fmt: skip

    def _routing(self) -> dict[str, Any]:
        """What a router's choices cost a task, all its attempts together, and whom it asked how often."""
        if self.router is None:
            return {}
        total, count = sum(one.cost_usd for one in self.results), max(1, len(self.results))
        routes = [route for result in self.results for route in result.routes]
        asked = Counter(str(one["model"]) for route in routes for one in route.get("attempts", []))
        return {
            "router": self.router, "cost": {"mean_usd": total / count, "total_usd": total},
            "calls": round(sum(asked.values()) / count, 3), "asked": dict(asked.most_common()),
        }  # fmt: skip

    def _passes(self) -> dict[str, Any]:
        tried = [result.attempts for result in self.results if result.attempts]
        if not tried:
            return {}
        number = len(tried[0])
        sizes = [size for size in (1, 2, 4, 8, 16, 32, 64, 128) if size < number] + [number]
        return {"attempts": number, "pass": {str(size): pass_at(size, tried) for size in sizes}}

    def _families(self) -> dict[str, Any]:
        groups: dict[str, list[TaskResult]] = {}
        for result in self.results:
            groups.setdefault(result.family, []).append(result)
        return {name: {"n": len(group), "success": _share(group)} for name, group in sorted(groups.items())}


def wilson(successes: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson, 1927)."""
    if count == 0:
        return 0.0, 1.0
    share = successes / count
    centre = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return round((centre - spread) / scale, 4), round((centre + spread) / scale, 4)


def pass_at(size: int, tried: Sequence[Sequence[bool]]) -> float:
    """pass@k: the mean over tasks of 1 - C(n - c, k) / C(n, k), with c of n attempts solved (Chen et al., 2107.03374)."""
    found = [1 - math.comb(len(one) - sum(one), size) / math.comb(len(one), size) for one in tried]
    return round(sum(found) / max(1, len(found)), 4)


async def evaluate(
    suite: str,
    *,
    split: Split = "heldout",
    model: str | Policy = "nano",
    adapter: str | None = None,
    limit: int = 100,
    seed: int = 0,
    temperature: float = 0.0,
    keep: bool = False,
    out: Path | None = None,
    progress: Progress | None = None,
    crew: Crew | None = None,
    attempts: int = 1,
    variant: Mapping[str, Any] | None = None,
) -> EvalReport:
    """Run the first `limit` tasks of `suite` and check them. `keep` logs the episodes.

    A `crew` does the tasks by its router instead of one model. `attempts` above 1 tries each task so often; the report
    then has pass@k. `variant` are more options of the runtime, such as `loading` and `acting`. Raises `UsageError` for an
    unknown suite or a malformed file of tasks.
    """
    from ..sandbox import keep_warm

    RunOptions(seed=seed, temperature=temperature)  # a wrong value is told before anything is run
    _check_attempts(attempts, temperature)
    tasks = _tasks(suite, split, limit, seed)
    policy = await _loaded(model, adapter) if crew is None else None
    identity = policy.identity if policy else PolicyIdentity(f"pool of {', '.join(crew.chooser.pool) if crew else ''}")
    report = EvalReport(suite, split, identity.model, identity.adapter, router=crew.router if crew else None)
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="atlas-eval-") as scratch, keep_warm():
            for number, task in enumerate(tasks):
                tried = [
                    await _run_one(task, _How(
                        policy, crew, split, seed + number + _APART * attempt, temperature, keep,
                        Path(scratch) / f"{number}-{attempt}", variant or {},
                    )) for attempt in range(attempts)
                ]  # fmt: skip
                passed = tuple(one.success for one in tried) if attempts > 1 else ()
                routes = tuple(one.route for one in tried if one.route is not None)
                result = replace(tried[0], attempts=passed, routes=routes)
                report.results.append(result)
                _append(out, result, first=number == 0)
                if progress is not None:
                    progress(number + 1, limit, sum(one.success for one in report.results))
    finally:
        if policy is not None and isinstance(model, str):
            await policy.aclose()
    report.seconds = time.monotonic() - began
    return report


def _tasks(suite: str, split: Split, limit: int, seed: int) -> Iterator[SuiteTask | FileTask]:
    from ..runtime.errors import UsageError

    if suite in SHARES:
        return iter(suite_tasks(suite, split, limit, seed))
    if Path(suite).suffix == ".jsonl":
        return iter(file_tasks(Path(suite), limit))
    known = ", ".join(SHARES)
    raise UsageError(f"there is no suite {suite!r}", where="atlas eval", mend=f"one of {known}, or a .jsonl file of tasks")


async def _loaded(model: str | Policy, adapter: str | None) -> Policy:
    import asyncio

    from ..runtime.policies import load_policy

    if not isinstance(model, str):
        return model
    return await asyncio.to_thread(load_policy, model, adapter=adapter)


@dataclass(frozen=True, slots=True)
class _How:
    """What all tasks of an evaluation share, and a scratch folder for one of them."""

    policy: Policy | None
    """None where the crew does the tasks."""
    crew: Crew | None
    split: Split
    seed: int
    temperature: float
    keep: bool
    scratch: Path
    variant: Mapping[str, Any]

    def runtime(self, **options: Any) -> Runtime:
        """A runtime for one task."""
        model = self.policy if self.policy is not None else "nano"  # a crew never asks for it
        return Runtime(
            model, approve="auto", seed=self.seed, temperature=self.temperature, log=self.keep, remember=False,
            **options, **self.variant,
        )  # fmt: skip

    async def run(self, runtime: Runtime, text: str, **more: Any) -> Episode:
        """Do the task."""
        work = runtime.run(text, **more) if self.crew is None else self.crew.run(runtime, text, **more)
        return await work


async def _run_one(task: SuiteTask | FileTask, how: _How) -> TaskResult:
    return await (_run_world(task, how) if isinstance(task, SuiteTask) else _run_file(task, how))


def _check_attempts(attempts: int, temperature: float) -> None:
    from ..runtime.errors import UsageError

    if attempts > 1 and not temperature:
        raise UsageError(
            "at temperature 0 all attempts are the same", where="--attempts", mend="add --temperature 1, or leave it out"
        )


async def _run_world(item: SuiteTask, how: _How) -> TaskResult:
    world, task = item.world, item.task
    expected = rehearse(world, task)
    state = world.open()
    how.scratch.mkdir()
    try:
        runtime = how.runtime(
            workspace=getattr(state, "root", how.scratch), tools=servers_of(world, state), toolbox=bool(world.files),
            now=lambda: world.now,
        )  # fmt: skip
        async with runtime:
            episode = await how.run(runtime, task.text, split=how.split, hidden=task.hidden, origin=item.name)
            success, why = world_verdict(task, expected, episode, state.snapshot())
            runtime.store.set_outcome(episode.id, "known", 1.0 if success else 0.0, why)
        return _result(item.name, task.family, task.text, episode, success, why)
    finally:
        state.close()


def world_verdict(task: Task, expected: Rehearsal, episode: Episode, snapshot: dict[str, Any]) -> tuple[bool, str]:
    """Whether an episode solved a task of a world, whose state it left as `snapshot`, and why not."""
    said_no = episode.status == "gave_up" and episode.answer is not None
    success, why = passes(task, expected, answer=episode.answer, gave_up=said_no, snapshot=snapshot)
    if episode.status not in ("answered", "gave_up"):
        return False, f"{episode.status}: {episode.error or ''}".strip()
    if success and not task.impossible and episode.answer is None and task.answer_matters:
        return False, "no answer"
    return success, why


async def _run_file(task: FileTask, how: _How) -> TaskResult:
    if task.workspace is not None:
        shutil.copytree(task.workspace, how.scratch, symlinks=True)
    else:
        how.scratch.mkdir()
    async with how.runtime(workspace=how.scratch, check=task.check) as runtime:
        episode = await how.run(runtime, task.text, split=how.split)
        success, why = episode.solved, "" if episode.solved else str(episode.status)
        if success and task.has_answer and not same_answer(task.answer, episode.answer, ordered=task.ordered):
            success, why = False, f"answered {episode.answer!r}, expected {task.answer!r}"[:400]
        runtime.store.set_outcome(episode.id, "known", 1.0 if success else 0.0, why)
    return _result(task.name, task.family, task.text, episode, success, why)


def servers_of(world: World, state: Any) -> dict[str, object]:
    """The in-process MCP servers of a world, all over one state; the toolbox comes from the runtime itself."""
    from .worlds.composed_mcp import world_servers

    records = getattr(state, "others", state) if world.files else state
    return {} if records is None else dict(world_servers(records))


def _result(name: str, family: str, text: str, episode: Episode, success: bool, why: str) -> TaskResult:
    return TaskResult(
        name, family, text, success, episode.status, episode.answer, why, episode.context.peak, episode.turns,
        episode.seconds, episode.route,
    )  # fmt: skip


def _append(out: Path | None, result: TaskResult, *, first: bool) -> None:
    if out is not None:
        with out.open("w" if first else "a", encoding="utf-8") as file:
            file.write(clean(json.dumps(result.to_json(), ensure_ascii=False, default=str)) + "\n")


def _share(results: list[TaskResult]) -> float:
    return round(sum(result.success for result in results) / max(1, len(results)), 4)
