"""What a router's run has spent, whatever it was doing when it died."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

from atlas.runtime.episodes.store import EpisodeStore
from atlas.runtime.policies import ScriptedPolicy
from atlas.runtime.routing.spending import Purse
from atlas.training.practice.tasks import world_practice
from atlas.training.recipes.folder import RunFolder
from atlas.training.recipes.options import TrainOptions
from atlas.training.recipes.routing import open_drill

TASK = "worlds/practice/0/12"
LIMIT = 2.0


def options_of(folder: Path) -> TrainOptions:
    """A pool of one paid model that answers at once."""
    script = folder / "a.json"
    script.write_text(json.dumps(["answer(1)"] * 20), encoding="utf-8")
    return TrainOptions(
        recipe="router", pool={"a": {"model": f"scripted:{script}", "input_price": 1.0}}, spend_limit=LIMIT
    )


def purse_after(folder: Path, *, scouting: bool) -> Purse:
    """The purse of a run that is begun or gone on with in this folder."""
    options, policy = options_of(folder), ScriptedPolicy([])

    async def go() -> Purse:
        with EpisodeStore(folder / "episodes.db") as practice:
            async with AsyncExitStack() as stack:
                drill = await open_drill(options, RunFolder(folder), folder, policy, practice, stack)
                if scouting:
                    await drill.scout(world_practice(TASK))
                return drill.crew.purse

    return asyncio.run(go())


def test_what_scouting_cost_is_not_forgotten_by_a_run_that_is_gone_on_with(tmp_path: Path):
    spent = purse_after(tmp_path, scouting=True).spent
    assert spent > 0
    again = purse_after(tmp_path, scouting=False)
    assert again.spent == spent and again.left("a", None) == LIMIT - spent
