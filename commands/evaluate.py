"""`atlas eval`: scores a policy on a suite of tasks, with confidence intervals."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..runtime.home import atlas_home
from .report import DONE, note, print_json, safe
from .running import run_async
from .settings import resolve


def evaluate(
    suite: Annotated[str, typer.Argument(help="toolbox, worlds, worlds:hard, or a JSONL file of tasks.")],
    split: Annotated[Literal["heldout", "practice"], typer.Option(help="Which tasks of the suite.")] = "heldout",
    model: Annotated[str | None, typer.Option(metavar="SPEC", help="As in `atlas run`.")] = None,
    adapter: Annotated[str | None, typer.Option(metavar="PATH|latest|none", help="LoRA adapter of the model.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many tasks.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the tasks and the sampling.")] = 0,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy.")] = 0.0,
    keep: Annotated[bool, typer.Option("--keep", help="Log the episodes.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one line a task.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Score a policy on a suite of tasks, with a confidence interval."""
    found = resolve(atlas_home(), Path.cwd(), {"model": model, "adapter": adapter})
    for notice in found.notices:
        note(safe(notice))
    from ..training.evaluate import evaluate as score

    report = run_async(
        score(
            suite,
            split=split,
            model=found.settings.model,
            adapter=found.settings.adapter,
            limit=limit,
            seed=seed,
            temperature=temperature,
            keep=keep,
            out=out,
            progress=_progress,
        )
    )
    result = report.to_json()
    if as_json:
        print_json(result)
        return DONE
    low, high = result["interval"]
    print(f"{suite} ({split}): {result['success']:.1%} of {result['n']} solved, 95% interval {low:.1%} to {high:.1%}")
    for family, figures in result["families"].items():
        print(f"  {safe(family)}: {figures['success']:.1%} of {figures['n']}")
    print(f"  tokens: mean {result['tokens']['mean']:,.0f}, peak {result['tokens']['peak']:,}; turns {result['turns']}")
    return DONE


def _progress(done: int, total: int, solved: int) -> None:
    """A line on stderr that is written over where there is a terminal, else every fiftieth task."""
    line = f"{done}/{total} tasks, {solved} solved"
    if sys.stderr.isatty():
        print(f"\ratlas: {line}", end="\n" if done == total else "", file=sys.stderr, flush=True)
    elif done == total or done % 50 == 0:
        note(line)
