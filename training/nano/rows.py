"""From a world to token rows: tasks that share a view become the branches of one tree.

The texts are those of `runtime.prompt`; loss falls on what the policy writes and on nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer

from ...runtime.prompt import system_text, task_text, view_text
from ...tools_registry.search import ToolIndex
from ...tools_registry.stubs import prompt_stub
from ...tools_registry.tool import Tool
from ..worlds.base import Task, World
from ..worlds.mistakes import mistaken
from ..worlds.rehearse import rehearse
from .model import Tree
from .tokenizer import ASSISTANT, END, RESULT, SPECIAL_TOKENS, SYSTEM, USER

_ID = {token: number for number, token in enumerate(SPECIAL_TOKENS)}


def world_trees(
    world: World,
    tokenizer: Tokenizer,
    rng: random.Random,
    *,
    stubs: tuple[int, int],
    stub_tokens: int = 700,
    mistake_share: float = 0.0,
) -> list[Tree]:
    """All tasks of a world as trees; `stubs` bounds how many stubs a view holds.

    `mistake_share` of the tasks begin with a program that goes wrong, which carries no loss.
    """
    index = ToolIndex(world.tools)
    tools = {tool.full_name: tool for tool in world.tools}
    trees = []
    waiting = list(world.tasks)
    while waiting:
        size = rng.randint(*stubs)
        chosen, needed, waiting = _share_a_view(waiting, size)
        names = _view(chosen, needed, tools, index, size, rng)
        lines = _within([prompt_stub(tools[name]) for name in names], needed_count=len(needed),
                        tokenizer=tokenizer, stub_tokens=stub_tokens)
        rng.shuffle(lines)
        prefix = prefix_ids(tokenizer, view_text(server_index(world.tools), lines))
        branches, targets = [], []
        for task in chosen:
            ids, mask = _branch(world, task, names, tokenizer, index, rng, mistake_share)
            branches.append(ids)
            targets.append(mask)
        trees.append(Tree(prefix, branches, targets))
    return trees


def _branch(
    world: World, task: Task, view: Sequence[str], tokenizer: Tokenizer, index: ToolIndex, rng: random.Random,
    mistake_share: float,
) -> tuple[list[int], list[bool]]:  # fmt: skip
    slips = rng.random() < mistake_share * (2 if task.impossible else 1)  # to see that it does not work is half of it
    done = rehearse(world, task, index=index) if slips or len(task.programs) > 1 else None
    if slips and done is not None:
        made = mistaken(world, task, view, rng, expected=done, index=index)
        if made is not None:
            return branch_ids(tokenizer, task.text, made.programs, made.results, mistake=made.place)
    return branch_ids(tokenizer, task.text, task.programs, done.results if done is not None else ())


def server_index(tools: Iterable[Tool]) -> list[tuple[str, int]]:
    """Servers in order of appearance, with their number of tools."""
    counts: dict[str, int] = {}
    for tool in tools:
        counts[tool.server] = counts.get(tool.server, 0) + 1
    return list(counts.items())


def prefix_ids(tokenizer: Tokenizer, view: str) -> list[int]:
    """System text and the part of the first message before the task."""
    system = tokenizer.encode(system_text("compact")).ids
    return [_ID[SYSTEM], *system, _ID[END], _ID[USER], *tokenizer.encode(view).ids]


def branch_ids(
    tokenizer: Tokenizer, task: str, programs: Sequence[str], results: Sequence[str], *, mistake: int | None = None
) -> tuple[list[int], list[bool]]:
    """The task, then programs and results in turn; the mask is true on programs and the end marks behind them.

    The program at `mistake` is read, not learned.
    """
    ids = [*tokenizer.encode(task_text(task)).ids, _ID[END]]
    mask = [False] * len(ids)
    for number, program in enumerate(programs):
        reply = [*tokenizer.encode(program).ids, _ID[END]]
        ids += [_ID[ASSISTANT], *reply]
        mask += [False] + [number != mistake] * len(reply)
        if number < len(results):
            heard = [_ID[RESULT], *tokenizer.encode(results[number]).ids, _ID[END]]
            ids += heard
            mask += [False] * len(heard)
    return ids, mask


def _share_a_view(tasks: Sequence[Task], size: int) -> tuple[list[Task], list[str], list[Task]]:
    """Take tasks in order as long as their tools fit into one view and none hides what another needs."""
    chosen: list[Task] = []
    left: list[Task] = []
    needed: dict[str, None] = {}
    hidden: set[str] = set()
    for task in tasks:
        wanted = {name for name in task.needed if name not in task.hidden}
        clash = (wanted & hidden) or (set(task.hidden) & needed.keys())
        if chosen and (clash or len(needed.keys() | wanted) > size):
            left.append(task)
            continue
        chosen.append(task)
        needed.update(dict.fromkeys(sorted(wanted)))
        hidden |= set(task.hidden)
    return chosen, list(needed), left


def _view(
    chosen: Sequence[Task], needed: Sequence[str], tools: dict[str, Tool], index: ToolIndex, size: int, rng: random.Random
) -> list[str]:
    """What the tasks need, then what a search for them would also have shown, then chance."""
    hidden = {name for task in chosen for name in task.hidden}
    found = [hit.tool.full_name for task in chosen for hit in index.search(task.text, 5)]
    rng.shuffle(found)
    names = dict.fromkeys(needed)
    for name in [*found, *rng.sample(sorted(tools), min(len(tools), size))]:
        if len(names) >= size:
            break
        if name not in hidden:
            names[name] = None
    return list(names)


def _within(lines: list[str], *, needed_count: int, tokenizer: Tokenizer, stub_tokens: int) -> list[str]:
    kept, used = [], 0
    for number, line in enumerate(lines):
        used += len(tokenizer.encode(line).ids) + 1
        if used > stub_tokens and number >= needed_count:
            break
        kept.append(line)
    return kept
