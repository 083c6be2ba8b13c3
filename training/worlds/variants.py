"""References in the variants of the paper's table (`--loading` x `--acting`; ATLAS, arXiv 2603.06713).

How a task is solved where its tools must be loaded first, by server or by name, where all are in view, and where one call is
made a reply. Nothing is played here: the runtime does that, and the world says whether the task was solved.
"""

from __future__ import annotations

import json
import re
from typing import Literal

from ...tools_registry.search import ToolIndex
from .base import Task, World
from .json_calls import json_calls

Loading = Literal["search", "tools", "servers", "eager"]
Acting = Literal["program", "json"]
_SEARCH = re.compile(r"load_tools\(\*search_tools\(.*\)\)")


def variant_replies(
    world: World, task: Task, *, loading: Loading, acting: Acting, index: ToolIndex | None = None
) -> tuple[str, ...]:
    """What a policy replies in a variant, turn by turn. Raises `ReferenceError` for a task without such a reference."""
    programs = loading_programs(world, task, loading, index)
    if acting == "program":
        return programs
    return tuple(one.reply for one in json_calls(world, programs, index=index))


def loading_programs(world: World, task: Task, loading: Loading, index: ToolIndex | None = None) -> tuple[str, ...]:
    """The programs of a task with what loads its tools in this way."""
    if loading == "search":
        return task.programs
    solving = tuple(program for program in task.programs if not _SEARCH.fullmatch(program.strip()))
    if loading == "eager":
        return solving
    names = list(task.needed) or _likely(world, task, index)
    servers = list(dict.fromkeys(name.partition(".")[0] for name in names))
    first = [_loads(servers)]
    if loading == "tools" and task.needed:
        first.append(_loads(names))
    return (*first, *solving)


def _likely(world: World, task: Task, index: ToolIndex | None) -> list[str]:
    """Where somebody looks who does not know yet that no tool can do it."""
    hits = (index or ToolIndex(world.tools)).search(task.text, 1)
    return [hit.tool.full_name for hit in hits] or [world.tools[0].full_name]


def _loads(names: list[str]) -> str:
    return f"load_tools({', '.join(json.dumps(name) for name in names)})"
