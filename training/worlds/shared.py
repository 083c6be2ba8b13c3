"""Worlds in which servers stand beside the toolbox: tasks over the folder, over the servers, and from one into the other.

Real users have both in view. A policy that knows the toolbox by heart would else take it for everything.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Sequence
from dataclasses import replace

from ...tools_registry.toolbox import toolbox_tools
from .base import Split, Task, World
from .composed import composed_world
from .criteria import criteria_of
from .workspace import workspace_world
from .workspace.draft import q

SIZES = (3, 5, 8, 12, 20, 42)
"""How many tools the servers have in all."""
OWN = "app"
"""The server of a user's own functions."""
_SAVE = (
    "{text} and save the result as json in {file}",
    "{text} and write the answer to {file} as json",
    "{text}, then store that in {file} (json)",
    "{text} and put it into {file} as json",
    "{text}. Save it as {file}, in json",
    "{file} should hold this as json: {text}",
    "write to {file} as json: {text}",
    "create {file} with this in it, as json: {text}",
    "{text} -> {file}, json please",
    "{text}. I want that in a new json file {file}",
    "{text} and dump it as json to {file}",
    "find this out and write it to {file} in json: {text}",
)
_SAVED = 0.12
"""How often a task of a server is to end up in a file."""


def shared_world(seed: int, split: Split, *, tasks: int = 8, wide: Sequence[str] = ()) -> World:
    """Servers of a random size beside the toolbox and a folder, two of three tasks over the servers."""
    rng = random.Random(f"shared/{split}/{seed}")
    size = rng.choice(SIZES)
    names = (OWN,) if size < 10 and rng.random() < 0.5 else ()
    own = toolbox_tools()
    servers = composed_world(seed, split, tasks=tasks - tasks // 3, tool_count=size, wide=wide, beside=own, names=names)
    folder = workspace_world(seed, split, tasks=tasks // 3, wide=wide, other=servers)
    taken = set(folder.files)
    made = [_saved(task, rng, taken) if rng.random() < _SAVED else task for task in servers.tasks]
    mixed = [*made, *folder.tasks]
    rng.shuffle(mixed)
    tools = (*servers.tools, *own) if rng.random() < 0.5 else folder.tools
    return replace(folder, tasks=tuple(mixed), tools=tools)


def _saved(task: Task, rng: random.Random, taken: set[str]) -> Task:
    """The task with its answer going to a file; the task as it is where its last program does not just answer."""
    *before, last = task.programs[-1].splitlines()
    value = _answered(last)
    if value is None or not task.answer_matters or task.impossible:
        return task
    words = [word for word in task.text.lower().split() if word.isalpha() and len(word) > 3] or ["result"]
    file = rng.choice(("", "", "out/")) + f"{rng.choice(words)}{rng.choice(('', '', rng.randint(2, 99)))}.json"
    if file in taken:
        return task
    said = rng.choice(_SAVE)
    text = said.format(text=task.text.rstrip(".?!"), file=file)
    text = text if said.startswith("{file}") else text[0].upper() + text[1:]
    content = f"json.dumps({value})"
    program = "\n".join((*before, f"files.write(path={q(file)}, content={content})", 'answer("done")'))
    programs, needed = (*task.programs[:-1], program), (*task.needed, "files.write")
    return replace(
        task, text=text, programs=programs, needed=needed, answer_matters=False, ordered=False,
        criteria=criteria_of(programs, needed=needed, hidden=task.hidden, answer_matters=False),
    )  # fmt: skip


def _answered(line: str) -> str | None:
    """The expression that a line answers with."""
    try:
        body = ast.parse(line.strip()).body
    except SyntaxError:
        return None
    match body:
        case [ast.Expr(ast.Call(func=ast.Name(id="answer"), args=[value]))] if line == line.lstrip():
            return ast.get_source_segment(line, value)
        case _:
            return None
