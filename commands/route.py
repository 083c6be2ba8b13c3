"""`atlas route`: why a task would be given to which model, and how routers do on recorded outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .models import EMPTY_POOL
from .report import DONE, note, print_json, safe
from .running import run_async
from .settings import resolve
from .toolspace import McpFiles, WorkspaceFolder

if TYPE_CHECKING:
    from ..runtime.routing.router import Decision
    from .settings import Settings

app = typer.Typer(help="Look at how tasks are given to the models of the pool.", no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
CostWeight = Annotated[
    float | None,
    typer.Option(
        "--cost-weight", min=0.0, max=1.0, metavar="A",
        help="Utility is (1-A) x accuracy - A x cost, cost as a share of the dearest pair's in the same cluster.",
    ),
]  # fmt: skip
Encoder = Annotated[
    str | None, typer.Option("--encoder", metavar="SPEC", help="words (default), minilm, a .gguf file, or http://host:port/v1#name")
]


@app.command()
def explain(
    task: Annotated[str, typer.Argument(metavar="TASK", help="What would be done.")],
    mcp: McpFiles = None,
    workspace: WorkspaceFolder = None,
    cost_weight: CostWeight = None,
    encoder: Encoder = None,
    as_json: Json = False,
) -> int:
    """Show which pair of model and server a task would be given to: its cluster, the neighbours, all pairs, the reason."""
    flags = {
        "mcp": tuple(mcp or ()) or None, "workspace": workspace, "cost_weight": cost_weight, "encoder": encoder,
    }  # fmt: skip
    found = resolve(atlas_home(), Path.cwd(), flags)
    for notice in found.notices:
        note(safe(notice))
    if not found.settings.models:
        raise UsageError("the pool of models is empty", where="atlas.toml: [models.<name>]", mend=EMPTY_POOL)
    decision, clusters = run_async(_decided(found.settings, task))
    if as_json:
        print_json(_to_json(decision, clusters))
    else:
        for line in _told(decision, clusters):
            print(safe(line))
    return DONE


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, plain or .gz; see above.")],
    cost_weight: CostWeight = 0.0,
    encoder: Encoder = None,
    seed: Annotated[int, typer.Option(help="Of the clusters.")] = 0,
    as_json: Json = False,
) -> int:
    """Compare routers on recorded outcomes, fitted on the train half and measured on the test half.

    Each line: {"question", "task", "split": "train" or "test", "model", "score": 0 to 1, "cost": USD}, optionally "tool".
    Tasks without training lines are out of distribution ("out"). In the JSON "cost" is the mean USD for one question.
    """
    from ..runtime.routing.encoder import encoder_named
    from ..training.routing.recorded import read_recorded
    from ..training.routing.replay import replay as replayed

    data = read_recorded(file)
    note(f"{len(data.questions)} questions, {len(data.pairs)} pairs, {int(data.train.sum())} questions to learn from")
    found = replayed(data, cost_weight=cost_weight or 0.0, encoder=encoder_named(encoder or "words"), seed=seed).to_json()
    if as_json:
        print_json(found)
    else:
        for line in _table(found):
            print(safe(line))
    return DONE


def _table(found: dict[str, Any]) -> list[str]:
    """The routers for people."""
    lines = [
        f"{'router':13} accuracy     95% interval   USD/1,000     in    out  gap to oracle  saved at equal accuracy    AIQ"
    ]
    for name, one in found["routers"].items():
        low, high = one["interval"]
        saved, aiq = one.get("saved_at_equal_accuracy"), one.get("aiq")
        lines.append(
            f"{name:13} {one['accuracy']:8.2%}  {low:6.2%} - {high:6.2%}  {one['per_thousand']:10.4f}  {_share(one['in'])}"
            f"  {_share(one['out'])}  {one['gap']:13.2%}  {_share(saved):>23}  {'-' if aiq is None else f'{aiq:.3f}':>5}"
        )
    other = found["best_other"]
    low, high = found["routers"][other]["ours_minus_this"]
    lines.append(f"cluster minus {other} (the best other router), paired: {100 * low:+.2f} to {100 * high:+.2f} points")
    return [*lines, f"{found['clusters']} clusters, {found['milliseconds']:.2f} ms a decision after the encoding"]


def _share(value: float | None) -> str:
    return "    -" if value is None else f"{value:5.1%}"


async def _decided(settings: Settings, task: str) -> tuple[Decision, int]:
    from ..runtime import Runtime
    from ..runtime.routing.chooser import Chooser, servers_for
    from .run import runtime_options

    assert settings.models is not None
    async with Runtime(**runtime_options(settings), on_notice=note) as runtime:
        chooser = Chooser(
            settings.models, runtime.store, atlas_home(), encoder=settings.encoder, cost_weight=settings.cost_weight
        )
        chooser.load(note)
        known = chooser.memory.router.clusters
        return chooser.decide(task, servers_for(task, runtime.registry)), known.count if known else 1


def _to_json(decision: Decision, clusters: int) -> dict[str, Any]:
    near = decision.near
    places = [] if near is None else [
        {"cluster": int(one), "weight": round(float(weight), 4), "distance": round(float(distance), 4)}
        for one, weight, distance in zip(near.clusters, near.weights, near.distances, strict=True)
    ]  # fmt: skip
    return {
        "model": decision.chosen.pair.model, "tool": decision.chosen.pair.tool or None, "reason": decision.reason,
        "fallback": decision.fallback, "clusters": clusters, "near": places,
        "pairs": [row.to_json() for row in decision.rows],
    }  # fmt: skip


def _told(decision: Decision, clusters: int) -> list[str]:
    near, lines = decision.near, list[str]()
    if near is not None:
        places = zip(near.clusters, near.distances, near.weights, strict=True)
        said = [f"{one} (distance {distance:.2f}, weight {weight:.2f})" for one, distance, weight in places]
        lines.append(f"cluster {said[0]} of {clusters}" + (f"; neighbours {', '.join(said[1:])}" if said[1:] else ""))
    else:
        lines.append("one cluster: too few logged tasks for more")
    width = max(len(str(row.pair)) for row in decision.rows)
    lines.append(f"{'pair':{width}}  accuracy  USD a task  cost share  utility  seen here  seen")
    lines += [
        f"{row.pair!s:{width}}  {row.accuracy:8.1%}  {row.cost_usd:10.6f}  {row.cost:10.2f}  {row.utility:7.3f}"
        f"  {row.seen_here:9.1f}  {row.seen:4.0f}"
        for row in decision.rows
    ]
    return [*lines, decision.reason]
