"""`atlas eval`: scores a policy on a suite of tasks, with confidence intervals."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .report import DONE, note, print_json, safe
from .run import thinker_of
from .running import run_async
from .settings import Router, Settings, resolve

if TYPE_CHECKING:
    from ..training.evaluate import EvalReport


def evaluate(
    suite: Annotated[str, typer.Argument(
        help="toolbox, worlds, worlds:hard, worlds:20 (250, 2500: so many tools), or a JSONL file of tasks."
    )],
    split: Annotated[Literal["heldout", "practice"], typer.Option(help="Which tasks of the suite.")] = "heldout",
    model: Annotated[str | None, typer.Option(metavar="SPEC", help="As in `atlas run`.")] = None,
    adapter: Annotated[str | None, typer.Option(metavar="PATH|latest|none", help="LoRA adapter of the model.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many tasks.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the tasks and the sampling.")] = 0,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy.")] = 0.0,
    keep: Annotated[bool, typer.Option("--keep", help="Log the episodes.")] = False,
    router: Annotated[
        Router | None, typer.Option(help="Have the pool of atlas.toml do the tasks; off (the default) takes --model.")
    ] = None,
    cost_weight: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, metavar="A", help="What cost counts for the router (0.02).")
    ] = None,
    spend_limit: Annotated[
        float | None, typer.Option(min=0.0, metavar="USD", help="With --router: all tasks together never cost more.")
    ] = None,
    attempts: Annotated[
        int, typer.Option(min=1, metavar="N", help="Try each task so often and report pass@k; needs a temperature.")
    ] = 1,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one line a task.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Score a policy on a suite of tasks, with a confidence interval."""
    flags = {
        "model": model, "adapter": adapter, "router": router or "off", "cost_weight": cost_weight,
        "spend_limit": spend_limit,
    }  # fmt: skip
    found = resolve(atlas_home(), Path.cwd(), flags)
    if found.settings.router != "off" and model is not None:
        raise UsageError("--model names one model, --router chooses one", where="atlas eval", mend="give one of them")
    if found.settings.router == "off" and spend_limit is not None:
        raise UsageError("prices stand in the pool of models", where="--spend-limit", mend="add --router cluster")
    for notice in found.notices:
        note(safe(notice))
    result = run_async(_scored(
        found.settings, suite, split=split, limit=limit, seed=seed, temperature=temperature, keep=keep, out=out,
        attempts=attempts, progress=_progress,
    )).to_json()  # fmt: skip
    if as_json:
        print_json(result)
        return DONE
    low, high = result["interval"]
    print(f"{suite} ({split}): {result['success']:.1%} of {result['n']} solved, 95% interval {low:.1%} to {high:.1%}")
    for family, figures in result["families"].items():
        print(f"  {safe(family)}: {figures['success']:.1%} of {figures['n']}")
    if "cost" in result:
        asked = ", ".join(f"{safe(name)} {count}" for name, count in result["asked"].items())
        print(f"  cost: {result['cost']['mean_usd']:.6f} USD a task, {result['calls']:.2f} models asked a task ({asked})")
    if "pass" in result:
        print("  " + ", ".join(f"pass@{size} {share:.1%}" for size, share in result["pass"].items()))
    print(f"  tokens: mean {result['tokens']['mean']:,.0f}, peak {result['tokens']['peak']:,}; turns {result['turns']}")
    return DONE


async def _scored(settings: Settings, suite: str, **options: Any) -> EvalReport:
    """The report of one model, or of the pool under its router."""
    from ..training.evaluate import evaluate as score

    if settings.router == "off":
        return await score(suite, model=settings.model, adapter=settings.adapter, **options)
    from ..runtime.episodes import open_store
    from ..runtime.routing.chooser import Chooser
    from ..runtime.routing.crew import Crew
    from ..runtime.routing.pool import Pool
    from ..runtime.routing.spending import Purse

    home = atlas_home()
    async with AsyncExitStack() as stack:
        store = stack.enter_context(open_store(home))
        pool = settings.models if settings.models is not None else Pool()
        chooser = Chooser(pool, store, home, encoder=settings.encoder, cost_weight=settings.cost_weight)
        thinker = thinker_of(settings, home, stack)
        crew = Crew(chooser, settings.router, thinker, Purse(settings.spend_limit))
        return await score(suite, crew=await stack.enter_async_context(crew), **options)


def _progress(done: int, total: int, solved: int) -> None:
    """A line on stderr that is written over where there is a terminal, else every fiftieth task."""
    line = f"{done}/{total} tasks, {solved} solved"
    if sys.stderr.isatty():
        print(f"\ratlas: {line}", end="\n" if done == total else "", file=sys.stderr, flush=True)
    elif done == total or done % 50 == 0:
        note(line)
