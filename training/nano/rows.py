"""From a world to token rows: tasks that share a view become the branches of one tree.

The texts are those of `runtime.prompt`; loss falls on what the policy writes and on nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence

from tokenizers import Tokenizer

from ...runtime.json_acting import SYSTEM as JSON_SYSTEM
from ...runtime.prompt import system_text, task_text, view_text
from ...tools_registry.search import ToolIndex
from ...tools_registry.stubs import prompt_stub
from ...tools_registry.tool import Tool
from ..worlds.base import Task, World
from ..worlds.variants import Acting
from .model import Tree
from .replies import replies_of
from .tokenizer import ASSISTANT, END, RESULT, SPECIAL_TOKENS, SYSTEM, USER

_ID = {token: number for number, token in enumerate(SPECIAL_TOKENS)}
LONGEST = 1_200
"""Tokens of a task in single calls: a loop over twenty rows takes more, and an answer that nobody could work out."""


def world_trees(
    world: World,
    tokenizer: Tokenizer,
    rng: random.Random,
    *,
    stubs: tuple[int, int],
    stub_tokens: int = 700,
    mistake_share: float = 0.0,
    acting: Acting = "program",
) -> list[Tree]:
    """All tasks of a world as trees; `stubs` bounds how many stubs a view holds.

    `mistake_share` of the tasks begin with a program that goes wrong, which carries no loss. Tasks that take more than
    `LONGEST` tokens in single calls are left out.
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
        prefix = prefix_ids(tokenizer, view_text(server_index(world.tools), lines), acting)
        branches, targets = [], []
        for task in chosen:
            said = replies_of(world, task, names, index, rng, mistake_share, acting)
            ids, mask = branch_ids(tokenizer, task.text, said.replies, said.results, unlearned=said.unlearned)
            if acting == "program" or len(ids) <= LONGEST:
                branches.append(ids)
                targets.append(mask)
        if branches:
            trees.append(Tree(prefix, branches, targets))
    return trees


def server_index(tools: Iterable[Tool]) -> list[tuple[str, int]]:
    """Servers in order of appearance, with their number of tools."""
    counts: dict[str, int] = {}
    for tool in tools:
        counts[tool.server] = counts.get(tool.server, 0) + 1
    return list(counts.items())


def prefix_ids(tokenizer: Tokenizer, view: str, acting: Acting = "program") -> list[int]:
    """System text and the part of the first message before the task."""
    system = tokenizer.encode(JSON_SYSTEM if acting == "json" else system_text("compact")).ids
    return [_ID[SYSTEM], *system, _ID[END], _ID[USER], *tokenizer.encode(view).ids]


def branch_ids(
    tokenizer: Tokenizer, task: str, replies: Sequence[str], results: Sequence[str], *, unlearned: Collection[int] = ()
) -> tuple[list[int], list[bool]]:
    """The task, then replies and results in turn; the mask is true on replies and the end marks behind them.

    The replies at `unlearned` are read, not learned.
    """
    ids = [*tokenizer.encode(task_text(task)).ids, _ID[END]]
    mask = [False] * len(ids)
    for number, text in enumerate(replies):
        reply = [*tokenizer.encode(text).ids, _ID[END]]
        ids += [_ID[ASSISTANT], *reply]
        mask += [False] + [number not in unlearned] * len(reply)
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
