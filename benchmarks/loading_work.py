"""One adapter of study 3 and its scores: the part of `study_loading.py` that runs in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from atlas.runtime import Runtime
from atlas.runtime.policies import load_policy
from atlas.runtime.prompt import first_message
from atlas.runtime.prompting import system_for
from atlas.runtime.view import View
from atlas.training.evaluate import evaluate, servers_of
from atlas.training.recipes.options import TrainOptions
from atlas.training.recipes.tutoring import Lesson, tutor
from atlas.training.suites import TOOLSPACES, SuiteTask, suite_tasks
from atlas.training.worlds.variants import Acting, Loading

CONTEXT = 8_192
ACTINGS: tuple[Acting, ...] = ("program", "json")
LOADINGS: tuple[Loading, ...] = ("search", "servers", "tools", "eager")
PRACTICE = ("worlds:20", "worlds:250")
"""Toolspaces of the references, in turn; of `eager`, which has no room for 250 stubs, the first alone."""
STEP_ROWS = 8
_OPENINGS = 8
"""Tasks whose first prompt is measured where it does not fit."""


@dataclass(frozen=True)
class Plan:
    """How large the study is."""

    folder: Path
    seeds: tuple[int, ...] = (0, 1, 2)
    minutes: float = 60.0
    """Of pretraining, for each base."""
    references: int = 160
    steps: int = 160
    """Optimiser steps of each adapter, of `STEP_ROWS` rows."""
    tasks: int = 60
    """Held-out tasks of each toolspace and seed."""
    turns: int = 24
    output: int = 1_000
    """Tokens of a result that are shown: a policy that calls one tool at a time has no variables for the rest."""
    recipe: str = "cpu"
    workers: int = 2
    jobs: int = 2

    def base(self, acting: Acting) -> Path:
        """The GGUF of a base."""
        return self.folder / f"base-{acting}" / "nano.gguf"

    def to_json(self) -> dict[str, Any]:
        """As a job is told it."""
        return {one.name: getattr(self, one.name) for one in fields(self)} | {"folder": str(self.folder)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that a job was told."""
        return cls(**{**data, "folder": Path(data["folder"]), "seeds": tuple(data["seeds"])})


@dataclass(frozen=True)
class Variant:
    """One line of the paper's table."""

    acting: Acting
    loading: Loading

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{self.loading}, {self.acting}"

    def options(self, plan: Plan) -> dict[str, Any]:
        """Of the runtime; calls in JSON have no constraint of names, so programs have none either."""
        return {
            "loading": self.loading, "acting": self.acting, "budget": CONTEXT, "max_turns": plan.turns,
            "output_tokens": plan.output, "constrain_names": False,
        }  # fmt: skip

    def folder(self, plan: Plan, seed: int) -> Path:
        """Where the adapter and the scores of a seed are kept."""
        return plan.folder / f"{self.acting}-{self.loading}" / f"seed-{seed}"


def variants() -> Iterator[Variant]:
    """All of them."""
    for acting in ACTINGS:
        for loading in LOADINGS:
            yield Variant(acting, loading)


async def work(plan: Plan, variant: Variant, seed: int) -> None:
    """Teach the adapter of a variant and a seed, and score it in every toolspace; what is there is not done again."""
    folder = variant.folder(plan, seed)
    folder.mkdir(parents=True, exist_ok=True)
    adapter = await tutor(lesson_of(plan, variant, seed), folder / "training", _say)
    policy: Any = load_policy(str(plan.base(variant.acting)), adapter=adapter, threads=1)
    try:
        for suite in TOOLSPACES:
            await _score(plan, variant, seed, suite, policy)
    finally:
        await policy.aclose()


def lesson_of(plan: Plan, variant: Variant, seed: int) -> Lesson:
    """What the adapter of a variant and a seed is taught: as much, and for as long, as any other."""
    suites = PRACTICE[:1] if variant.loading == "eager" else PRACTICE
    return Lesson(suites, _taught(variant, plan), TrainOptions(
        recipe="sft", model=str(plan.base(variant.acting)), references=plan.references, steps=plan.steps,
        step_rows=STEP_ROWS, seed=seed, threads=1,
    ))  # fmt: skip


def _taught(variant: Variant, plan: Plan) -> dict[str, Any]:
    """The options of the runtime but for the turns, which references take as many of as they need."""
    return {name: value for name, value in variant.options(plan).items() if name != "max_turns"}


async def _score(plan: Plan, variant: Variant, seed: int, suite: str, policy: Any) -> None:
    file = variant.folder(plan, seed) / f"{suite.replace(':', '-')}.jsonl"
    if file.is_file():
        return
    if variant.loading == "eager":
        items = suite_tasks(suite, "heldout", _OPENINGS, seed)
        needed = [await opening_tokens(policy, variant.options(plan), item) for item in items]
        if min(needed) > variant_budget(policy):
            _keep(file, [{"needed": one} for one in needed])
            return
    draft = file.with_suffix(".part")
    await evaluate(
        suite, split="heldout", model=policy, limit=plan.tasks, seed=seed, out=draft, variant=variant.options(plan),
        progress=lambda done, total, solved: _say(f"{suite}, {solved} solved", done, total),
    )  # fmt: skip
    draft.replace(file)


def variant_budget(policy: Any) -> int:
    """Tokens that a prompt may have, so that a reply has room in the context, too."""
    from atlas.runtime.options import RunOptions

    return RunOptions(budget=CONTEXT).budget_tokens(policy)


async def opening_tokens(policy: Any, options: Mapping[str, Any], item: SuiteTask) -> int:
    """Tokens of a task's first prompt with every tool in it."""
    tools = servers_of(item.world, item.world.open())
    async with Runtime(
        policy, approve="auto", log=False, remember=False, toolbox=False, tools=tools, **options
    ) as runtime:
        view = View(runtime.registry, "eager")
        stubs = [view.stub(tool) for tool in runtime.registry.tools.values()]
        first = first_message(view.server_index(), stubs, item.task.text)
        return int(policy.conversation(system_for(policy, runtime.options)).size_with("user", first))


def _keep(file: Path, rows: list[dict[str, Any]]) -> None:
    draft = file.with_suffix(".part")
    draft.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    draft.replace(file)


def _say(what: str, done: int, total: int) -> None:
    if total and (done == total or done % 20 == 0):
        print(f"{what}: {done} of {total}", flush=True)
