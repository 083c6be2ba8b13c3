"""A live pool of four nano specialists: the cluster router and the learned one against best single, random and oracle.

Each specialist is an adapter that imitates the reference programs of one family of a suite, and has a price of its own. Seen
families give the statistics and the practice; the others are left out of both. Says first how long it will take. What a
killed study had finished is used again: run the same command with the same --folder.

    .venv/bin/python benchmarks/routing_live.py --folder /tmp/live --estimate     # only says how long
    .venv/bin/python benchmarks/routing_live.py --folder /tmp/live --out docs/studies/routing-live.md
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas.runtime.policies import load_policy
from atlas.runtime.routing.chooser import Chooser
from atlas.runtime.routing.crew import Crew
from atlas.runtime.routing.loading import load_member
from atlas.runtime.routing.pool import Pool
from atlas.runtime.routing.steps import Thinker
from atlas.training.adapters import AdapterStore
from atlas.training.pace import span
from atlas.training.practice.ledger import Ledger
from atlas.training.practice.rollouts import Manner, perform
from atlas.training.practice.tasks import world_practice
from atlas.training.recipes import TrainOptions, train
from atlas.training.routing import live
from atlas.training.routing.practice import Drill

SPECIALISTS = ("single", "chain", "loop", "condition")
PRICES = (0.1, 0.2, 0.4, 0.8)
STRENGTHS = {
    "single": "one call of one tool", "chain": "the result of one tool given to the next", "loop": "the same for many files",
    "condition": "tasks with an if",
}
SECONDS_A_ROW = 0.9
"""Of learning, forward and backward, one pass; seen on two cores shared with other work (2026-11-21)."""


@dataclass(frozen=True)
class Variant:
    """One way of training the router."""

    name: str
    without: tuple[str, ...] = ()
    members: int = 4


VARIANTS = (
    Variant("learned"), Variant("without_format", ("format",)), Variant("without_selection", ("selection",)),
    Variant("member_added_later", members=3),
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--out", type=Path, help="write the study as Markdown here")
    parser.add_argument("--suite", default="toolbox")
    parser.add_argument("--unseen", nargs="+", default=["search", "trouble", "beyond"], help="families left out")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--references", type=int, default=48, help="tasks a specialist imitates")
    parser.add_argument("--practice", type=int, default=24, help="tasks of each seen family, for the statistics")
    parser.add_argument("--heldout", type=int, default=25, help="held-out tasks of each family")
    parser.add_argument("--steps", type=int, default=30, help="PPO steps of a router")
    parser.add_argument("--demonstrations", type=int, default=48)
    parser.add_argument("--group", type=int, default=4)
    parser.add_argument("--tasks", type=int, default=4)
    names = [one.name for one in VARIANTS]
    parser.add_argument("--variants", nargs="+", choices=names, default=names, help="which routers; `learned` among them")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--estimate", action="store_true", help="say how long it would take, and end")
    return parser.parse_args()


def chosen(given: argparse.Namespace) -> list[Variant]:
    """The routers of this study."""
    return [one for one in VARIANTS if one.name in given.variants]


def told(what: str, done: int, total: int) -> None:
    if not total or done == total or done % 25 == 0:
        print(f"live: {what} {done}/{total}" if total else f"live: {what}", file=sys.stderr, flush=True)


def plays(given: argparse.Namespace) -> dict[str, int]:
    """What is played for one seed."""
    families = len(SPECIALISTS) + len(given.unseen)
    routers = len(chosen(given))
    each = given.demonstrations * (len(SPECIALISTS) + 1) + given.steps * given.tasks * given.group
    return {
        "references": len(SPECIALISTS) * given.references,
        "members alone": len(SPECIALISTS) * (len(SPECIALISTS) * given.practice + families * given.heldout),
        "runs of routers that learn": routers * each,
        "held-out runs under routers": (routers + 1) * families * given.heldout,
    }


async def pace(given: argparse.Namespace, policy: Any) -> float:
    """Seconds that a play takes now, from two of them."""
    began = time.perf_counter()
    with live.opened(given.folder, f"pace-{time.time_ns()}") as store:
        manner = Manner(policy, store, 0.0, Ledger(None))
        for name in live.names_of(given.suite, "practice", SPECIALISTS[:2], 1, 99):
            task = world_practice(name)
            await perform(manner, task, 0, _plainly(task.text))
    return (time.perf_counter() - began) / 2


def _plainly(text: str) -> Any:
    async def work(runtime: Any, note: Any) -> Any:
        return await runtime.run(text, on_event=note)

    return work


async def announce(given: argparse.Namespace, policy: Any) -> None:
    each = await pace(given, policy)
    played = plays(given)
    rows = 3 * len(SPECIALISTS) * given.references * 2
    rows += len(chosen(given)) * (3 * given.demonstrations + 2 * given.steps * given.tasks * given.group)
    seconds = given.seeds * (sum(played.values()) * each + rows * SECONDS_A_ROW)
    listed = ", ".join(f"{count:,} {name}" for name, count in played.items())
    told(f"{given.seeds} seeds, for each {listed}; {each:.1f} s a play, {SECONDS_A_ROW} s a row that is learned", 0, 0)
    told(f"{span(seconds)} in all, if nothing is done yet", 0, 0)


async def one_seed(given: argparse.Namespace, policy: Any, seed: int) -> live.Results:
    """Specialists, statistics, routers, and everybody on the held-out tasks."""
    folder = given.folder / f"seed-{seed}"
    adapters = {
        family: await live.specialist(
            policy, given.folder, given.suite, family, tasks=given.references, seed=seed, told=told, threads=given.threads,
            rank=8,
        )
        for family in SPECIALISTS
    }  # fmt: skip
    pool = live.pool_of(adapters, PRICES, STRENGTHS)
    async with AsyncExitStack() as stack:
        practice, heldout = (stack.enter_context(live.opened(folder, name)) for name in ("practice", "heldout"))
        ledger = Ledger(folder / "plays.jsonl")
        chooser = Chooser(pool, practice, None)
        crew = await stack.enter_async_context(Crew(chooser, load=_load(given.folder)))
        drill = Drill(crew, Manner(policy, practice, 0.0, ledger, split="practice"))
        names = live.names_of(given.suite, "practice", SPECIALISTS, given.practice, 100 + seed)
        known = await live.outcomes_alone(drill, [world_practice(one) for one in names], told)
        best = live.best_of_practice(known)
        chooser.load()  # the statistics of the practice tasks
        routers = {one.name: await router_of(given, folder, pool, one, seed) for one in chosen(given)}
        manner = Manner(policy, heldout, 0.0, ledger, split="heldout")
        return await everybody(given, crew, manner, best, routers, seed)


def _load(home: Path) -> Any:
    async def load(name: str, model: Any) -> Any:
        return await load_member(name, model, home, quiet=True)

    return load


async def router_of(given: argparse.Namespace, folder: Path, pool: Pool, variant: Variant, seed: int) -> Path:
    """The adapter of a router that was trained with a part of the pool; made once."""
    home = folder / "routers" / variant.name
    if not AdapterStore(home).list():
        members = dict(list(pool.items())[: variant.members])
        options = TrainOptions(
            recipe="router", seed=seed, suite=given.suite, families=SPECIALISTS, eval_limit=0, steps=given.steps,
            demonstrations=given.demonstrations, group=given.group, tasks_per_step=given.tasks, threads=given.threads,
            without=variant.without, pool={name: one.model_dump() for name, one in members.items()},
            fresh_tasks=max(given.demonstrations, given.tasks),
        )  # fmt: skip
        unfinished = any(home.glob("training/*/run.json"))
        await train(None if unfinished else options, home=home, resume=unfinished, told=told)
    return AdapterStore(home).list()[0].gguf


async def everybody(
    given: argparse.Namespace, crew: Crew, manner: Manner, best: str, routers: dict[str, Path], seed: int
) -> live.Results:
    """All contestants on the held-out tasks."""
    results = live.Results()
    names = live.names_of(given.suite, "heldout", [*SPECIALISTS, *given.unseen], given.heldout, 200 + seed)
    drill = Drill(crew, manner)
    for number, name in enumerate(names, 1):
        task = world_practice(name)
        alone = (await live.outcomes_alone(drill, [task], lambda *_: None))[name]
        found = live.with_baselines(alone, best) | {f"{one} alone": outcome for one, outcome in alone.items()}
        crew.router = "cluster"
        found["cluster"] = await live.outcome_routed(crew, manner, task, "cluster")
        results.add(task, found)
        told("held-out tasks under the cluster router", number, len(names))
    for variant, adapter in routers.items():
        await _learned(crew, manner, variant, adapter, results, names)
    return results


async def _learned(
    crew: Crew, manner: Manner, variant: str, adapter: Path, results: live.Results, names: list[str]
) -> None:
    policy = await asyncio.to_thread(load_policy, "nano", adapter=adapter)

    async def load() -> Any:
        return policy

    try:
        crew.router, crew.thinker = "learned", Thinker(load)
        for number, name in enumerate(names, 1):
            outcome = await live.outcome_routed(crew, manner, world_practice(name), f"{variant} {adapter.parent.name}")
            results.by.setdefault(variant, []).append(outcome)
            told(f"held-out tasks under {variant}", number, len(names))
    finally:
        await policy.aclose()


def joined(parts: list[live.Results]) -> live.Results:
    """All seeds together."""
    whole = live.Results()
    for part in parts:
        whole.tasks += part.tasks
        whole.families += part.families
        for name, outcomes in part.by.items():
            whole.by.setdefault(name, []).extend(outcomes)
    return whole


def part_of(results: live.Results, families: set[str]) -> live.Results:
    """The tasks of some families."""
    kept = [place for place, family in enumerate(results.families) if family in families]
    return live.Results(
        [results.tasks[one] for one in kept], [results.families[one] for one in kept],
        {name: [outcomes[one] for one in kept] for name, outcomes in results.by.items()},
    )


def table(title: str, results: live.Results) -> list[str]:
    head = "| who | solved | 95 % interval | USD per 1,000 | minus best single, paired |"
    lines = [f"## {title}", "", f"{len(results.tasks)} tasks.", "", head, "|---|---|---|---|---|"]
    for name in results.by:
        row = results.row(name)
        low, high = results.difference(name, "best_single")
        bottom, top = row["interval"]
        lines.append(
            f"| {name} | {row['success']:.1%} | {bottom:.1%} to {top:.1%} | {1000 * row['usd']:.4f} |"
            f" {100 * low:+.1f} to {100 * high:+.1f} |"
        )
    low, high = results.difference("learned", "cluster")
    return [*lines, "", f"Learned minus cluster, paired: {100 * low:+.1f} to {100 * high:+.1f} points.", ""]


def report(given: argparse.Namespace, results: live.Results) -> str:
    settings = {name: str(value) for name, value in vars(given).items() if name not in ("folder", "out", "estimate")}
    made = f"Made by `benchmarks/routing_live.py` with {json.dumps(settings)}."
    lines = [
        "# A live pool of nano specialists", "", made, "",
        *table(f"Seen families: {', '.join(SPECIALISTS)}", part_of(results, set(SPECIALISTS))),
        *table(f"Families left out of the statistics: {', '.join(given.unseen)}", part_of(results, set(given.unseen))),
    ]  # fmt: skip
    return "\n".join(lines)


async def main() -> None:
    given = arguments()
    policy = load_policy("nano", threads=given.threads)
    try:
        await announce(given, policy)
        if given.estimate:
            return
        parts = [await one_seed(given, policy, seed) for seed in range(given.seeds)]
    finally:
        await policy.aclose()
    text = report(given, joined(parts))
    (given.out or given.folder / "study.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    asyncio.run(main())
