"""Prints a generated world as a policy meets it: view, tasks, programs, results.

`python -m atlas.training.worlds.show composed --seed 1 --split practice`
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence

from ...runtime.prompt import first_message
from ...tools_registry.search import ToolIndex
from ...tools_registry.stubs import prompt_stub
from .base import Task, World
from .rehearse import rehearse


def show(world: World, task: Task, index: ToolIndex, *, view: bool) -> str:
    """One task with its programs and what the policy reads in between."""
    lines = [f"[{task.family}] {task.text}"]
    if view:
        tools = [tool for tool in index.first_view(task.text) if tool.full_name not in task.hidden]
        servers = Counter(tool.server for tool in world.tools)
        lines = [f"[{task.family}]", first_message(list(servers.items()), [prompt_stub(tool) for tool in tools], task.text)]
    done = rehearse(world, task, index=index)
    for number, program in enumerate(task.programs):
        lines += [f"    {line}" for line in program.splitlines()]
        if number < len(done.results):
            lines += [f"  < {line}" for line in done.results[number].splitlines()]
    lines.append(f"  = {done.answer!r}"[:300])
    return "\n".join(lines)


def make_world(kind: str, seed: int, split: str, families: Sequence[str] | None, hard: bool) -> World:
    """A world of one kind."""
    side = "heldout" if split == "heldout" else "practice"
    if kind == "composed":
        from .composed import composed_world

        return composed_world(seed, side, families=families, hard=hard)  # type: ignore[arg-type]
    from importlib import import_module

    maker: Callable[..., World] = import_module(".workspace", __package__).workspace_world
    return maker(seed, side)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="show", description=__doc__)
    parser.add_argument("kind", choices=("composed", "toolbox"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", choices=("practice", "heldout"), default="practice")
    parser.add_argument("--worlds", type=int, default=1)
    parser.add_argument("--family", action="append")
    parser.add_argument("--hard", action="store_true")
    parser.add_argument("--no-view", action="store_true")
    options = parser.parse_args(arguments)
    for seed in range(options.seed, options.seed + options.worlds):
        world = make_world(options.kind, seed, options.split, options.family, options.hard)
        index = ToolIndex(world.tools)
        for task in world.tasks:
            sys.stdout.write(show(world, task, index, view=not options.no_view) + "\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
