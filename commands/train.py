"""`atlas train`: finetunes the policy on the collected episodes, and gives back an adapter that runs use at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..runtime.adapters import users_of
from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .extras import check_training
from .progress import Progress
from .report import DONE, note, print_json, safe
from .running import run_async
from .settings import Settings, resolve

if TYPE_CHECKING:
    from ..training.recipes import TrainOptions, TrainResult

RecipeName = Literal["sft", "critical", "rubric", "full", "router"]
SelectorName = Literal["model", "counterfactual", "random", "all", "data_flow"]
RewardName = Literal["rubric", "generic", "outcome", "paper"]


def train(
    recipe: Annotated[
        RecipeName | None,
        typer.Option(help="All replies, critical steps, reinforcement by rubrics, critical then rubric (full), or "
                     "the learned router over the pool of atlas.toml by PPO."),
    ] = None,
    selector: Annotated[SelectorName | None, typer.Option(help="Which steps are critical, and who says so.")] = None,
    reward: Annotated[RewardName | None, typer.Option(help="What rollouts are rewarded by.")] = None,
    episodes: Annotated[
        str | None, typer.Option(metavar="FILTER", help='Which logged episodes, e.g. "outcome=rated since=30d last=200".')
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="SPEC", help="What to train: nano, a .gguf, hf:owner/name.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run's folder, with a copy of the adapter.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps of each phase.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, else the newest open one.")] = False,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn.")] = None,
    share: Annotated[float | None, typer.Option(help="At most this share of an episode's steps is critical (0.3).")] = None,
    selector_model: Annotated[str | None, typer.Option(metavar="SPEC", help="Labels steps with --selector model.")] = None,
    continuations: Annotated[int | None, typer.Option(min=1, help="Forks at each turn (counterfactual selector).")] = None,
    judge: Annotated[str | None, typer.Option(metavar="SPEC", help="Scores criteria that no program can.")] = None,
    judge_adapter: Annotated[str | None, typer.Option(metavar="PATH", help="LoRA adapter of the judge.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Reinforce on the logged episodes alone, no rollouts.")] = False,
    practice_tool: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A server or server.tool that practice may call live; repeatable."),
    ] = None,
    group: Annotated[int | None, typer.Option(min=1, help="Rollouts of a task in a step.")] = None,
    tasks: Annotated[int | None, typer.Option(min=1, help="Tasks in a step of reinforcement.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Of rollouts.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of both phases.")] = None,
    rank: Annotated[int | None, typer.Option(min=1, help="Of the LoRA adapter.")] = None,
    kl_weight: Annotated[float | None, typer.Option(min=0.0, help="Weight of the KL divergence from the base.")] = None,
    patience: Annotated[
        int | None, typer.Option(min=0, help="Steps that go worse, or epochs without progress, that end a phase; 0 never.")
    ] = None,
    suite: Annotated[
        Literal["toolbox", "worlds", "worlds:hard"] | None, typer.Option(help="Whose held-out tasks decide.")
    ] = None,
    eval_limit: Annotated[int | None, typer.Option(min=0, help="Held-out tasks before and after; 0: no trial.")] = None,
    references: Annotated[
        int | None,
        typer.Option(min=0, help="Practice tasks of the suite imitated from their references, failed ones first (0)."),
    ] = None,
    demonstrations: Annotated[
        int | None, typer.Option(min=0, help="Router: runs as they should be, imitated before PPO; 0 for none (48).")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help="Router: leave `format` or `selection` out of the reward; repeatable."),
    ] = None,
    spend_limit: Annotated[
        float | None, typer.Option(min=0.0, metavar="USD", help="Router: what the models of the pool may cost.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, or cuda where there is one.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; 1 beside other work.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Finetune the policy on the collected episodes; the adapter is used by plain runs if held-out tasks did not suffer."""
    given = {
        "recipe": recipe, "selector": selector, "reward": reward, "episodes": episodes, "model": model, "steps": steps,
        "seed": seed, "share": share, "selector_model": selector_model, "continuations": continuations, "judge": judge,
        "judge_adapter": judge_adapter, "offline": offline or None, "practice_tools": tuple(practice_tool or ()) or None,
        "group": group, "tasks_per_step": tasks, "temperature": temperature, "learning_rate": learning_rate, "rank": rank,
        "kl_weight": kl_weight, "patience": patience, "suite": suite, "eval_limit": eval_limit, "device": device,
        "threads": threads, "references": references, "demonstrations": demonstrations,
        "without": tuple(without or ()) or None, "spend_limit": spend_limit,
    }  # fmt: skip
    named: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if resume and named:
        raise UsageError(
            f"--resume goes on with the options of the run, and {_flag(next(iter(named)))} was given as well",
            where="atlas train", mend="leave it out, or start a new run without --resume",
        )  # fmt: skip
    home = atlas_home()
    if not resume:
        found = resolve(home, Path.cwd(), {}, uses_servers=False)
        for notice in found.notices:
            note(safe(notice))
        named.setdefault("model", found.settings.model)
        if recipe == "router":
            named |= _of_the_pool(found.settings)
    check_training("atlas train")
    progress = Progress()
    try:
        result = run_async(_train(None if resume else _options(named), home, out, resume, progress))
    finally:
        progress.close()
    _print(result, as_json)
    return DONE


def _of_the_pool(settings: Settings) -> dict[str, Any]:
    """What the router recipe takes from the settings, as it is kept with the run."""
    pool = {name: one.model_dump() for name, one in settings.models.items()} if settings.models else {}
    return {"pool": pool, "cost_weight": settings.cost_weight}


def _options(named: dict[str, Any]) -> TrainOptions:
    from ..training.recipes import TrainOptions

    return TrainOptions(**named)


async def _train(
    options: TrainOptions | None, home: Path, out: Path | None, resume: bool, progress: Progress
) -> TrainResult:
    from ..training.recipes import train as run

    return await run(options, home=home, out=out, resume=resume, told=progress)


def _flag(name: str) -> str:
    return "--" + {"tasks_per_step": "tasks", "practice_tools": "practice-tool"}.get(name, name).replace("_", "-")


def _print(result: TrainResult, as_json: bool) -> None:
    for line in result.notes:
        note(safe(line))
    if as_json:
        print_json(result.to_json())
        return
    print(f"run {safe(result.run)}: {result.steps} steps on {result.rows} rows of {result.episodes} episodes")
    if result.before is not None and result.after is not None and result.interval is not None:
        before, after = result.before.to_json(), result.after.to_json()
        low, high = result.interval
        gain = 100 * (after["success"] - before["success"])
        print(
            f"{result.suite}, {after['n']} held-out tasks: {before['success']:.1%} before, {after['success']:.1%} after "
            f"({gain:+.1f} points, paired 95% interval {100 * low:+.1f} to {100 * high:+.1f})"
        )
    promoted = f"promoted, {users_of(result.recipe)} use it now"
    print(f"adapter {result.adapter}: {promoted if result.promoted else 'saved, not promoted'}")
    print(f"report {result.report}")
