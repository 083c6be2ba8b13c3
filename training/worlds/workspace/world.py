"""Puts a workspace world together: a folder, tools, tasks, and the state in which programs run."""

from __future__ import annotations

import functools
import importlib
import os
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ....tools_registry.search import ToolIndex, words
from ....tools_registry.tool import Tool
from ....tools_registry.toolbox import ToolboxError, toolbox_functions, toolbox_tools
from ..base import NOW, Split, State, Task, World, WorldToolError
from ..criteria import criteria_of
from . import beyond, chain, condition, loop, search, single_files, single_other, single_tables, single_text, trouble
from .draft import Desk, Draft, Intent, Unsuitable
from .folder import Draw, make_folder

FAMILIES: dict[str, float] = {
    "single": 0.34,
    "chain": 0.16,
    "loop": 0.14,
    "condition": 0.12,
    "search": 0.09,
    "trouble": 0.06,
    "beyond": 0.09,
}
"""The families and their shares where none are asked for."""

_SINGLE: tuple[tuple[float, tuple[Intent, ...]], ...] = (
    (0.34, single_text.INTENTS),
    (0.27, single_files.INTENTS),
    (0.24, single_tables.INTENTS),
    (0.09, single_other.CLOCK),
    (0.06, single_other.UNITS),
)
_OTHER = {"chain": chain.INTENTS, "loop": loop.INTENTS, "condition": condition.INTENTS, "trouble": trouble.INTENTS}
_TRIES = 200
_FOLDERS = 20
_CALLS = re.compile(r"\b(files|text|tables|clock|units)\.(\w+)\(")


def workspace_world(
    seed: int,
    split: Split,
    *,
    tasks: int = 8,
    families: Sequence[str] | None = None,
    tool_count: int = 64,
    wide: Sequence[str] = (),
    other: World | None = None,
) -> World:
    """A folder with tasks over the built-in servers, all from `seed`; other servers' tools fill up to `tool_count`.

    With a lexicon `wide`, names in the folder are made of its words. `other` is the world of these servers, if there is one.
    """
    other = other or _other_world(seed, split, tool_count)
    own = toolbox_tools()
    tools = (*own, *(other.tools[: max(0, tool_count - len(own))] if other else ()))
    index = ToolIndex(tools)
    for attempt in range(_FOLDERS):
        rng = random.Random(f"workspace/{split}/{seed}/{attempt}")
        draw = Draw(rng, split, wide)
        folder = make_folder(draw)
        maker = _Maker(Desk(draw, folder), index, own)
        try:
            made = tuple(maker.task(family) for family in _families(rng, tasks, families))
        except Unsuitable:
            continue
        files = folder.texts()
        return World(seed, split, tools, made, functools.partial(_open, files, other), files)
    raise RuntimeError(f"no folder of seed {seed} suits the families {families}")


def _families(rng: random.Random, tasks: int, families: Sequence[str] | None) -> list[str]:
    names = list(families) if families else list(FAMILIES)
    return rng.choices(names, [FAMILIES[name] for name in names], k=tasks)


def _other_world(seed: int, split: Split, tool_count: int) -> World | None:
    """Other servers: distractors, which answer from their own records if a program calls them all the same."""
    if tool_count <= 22:
        return None
    try:
        composed = importlib.import_module("..composed", __package__)
    except ModuleNotFoundError:
        return None
    world: World = composed.composed_world(seed, split, tasks=0)
    return world


class _Maker:
    """Makes tasks of a family until one suits the folder."""

    def __init__(self, desk: Desk, index: ToolIndex, own: Sequence[Tool]) -> None:
        self.desk, self.index = desk, index
        self.foreign = frozenset(
            word for tool in index.tools[len(own) :] for word in words(f"{tool.server} {tool.name} {tool.description}")
        )
        self.texts: set[str] = set()

    def task(self, family: str) -> Task:
        """One task that does not repeat another's text."""
        for _ in range(_TRIES):
            try:
                draft = self._draft(family)
                needed = _needed(draft)
                if family == "search":
                    draft = search.hide(draft, self.desk.rng, needed, self.index)
            except Unsuitable:
                continue
            if draft.text not in self.texts:
                self.texts.add(draft.text)
                return Task(
                    family,
                    draft.text,
                    draft.programs,
                    needed,
                    draft.hidden,
                    draft.answer_matters,
                    draft.ordered,
                    criteria_of(
                        draft.programs, needed=needed, hidden=draft.hidden, answer_matters=draft.answer_matters
                    ),
                )
        raise Unsuitable(f"no task of the family {family}")

    def _draft(self, family: str) -> Draft:
        if family == "beyond":
            return beyond.wish(self.desk, self.foreign)
        if family == "search":
            family = self.desk.rng.choices(("single", "chain", "loop"), (7, 2, 1))[0]
        if family == "single":
            lists = [intents for _, intents in _SINGLE]
            intents = self.desk.rng.choices(lists, [share for share, _ in _SINGLE])[0]
        else:
            intents = _OTHER[family]
        _, make = self.desk.rng.choices(intents, [weight for weight, _ in intents])[0]
        return make(self.desk)


def _needed(draft: Draft) -> tuple[str, ...]:
    if draft.needed is not None:
        return draft.needed
    code = re.sub(r'"(?:[^"\\]|\\.)*"', '""', "\n".join(re.sub(r"\{(?=\w+\.)", " ", program) for program in draft.programs))
    return tuple(dict.fromkeys(".".join(found) for found in _CALLS.findall(code)))


class _Run:
    """One run in a fresh folder on disk."""

    def __init__(self, files: dict[str, str], other: World | None) -> None:
        memory = Path("/dev/shm")
        self.root = Path(tempfile.mkdtemp(prefix="atlas-world-", dir=memory if os.access(memory, os.W_OK) else None))
        for path, text in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="")
        self._functions: dict[str, Callable[..., Any]] = dict(toolbox_functions(self.root, now=lambda: NOW, isolated=False))
        self.others = other.open() if other else None

    def call(self, full_name: str, arguments: dict[str, Any]) -> Any:
        """Run a tool of the toolbox, or of another server."""
        function = self._functions.get(full_name)
        if function is None and self.others is not None:
            return self.others.call(full_name, arguments)
        if function is None:
            raise WorldToolError(f"unknown tool: {full_name}")
        try:
            return function(**arguments)
        except ToolboxError as error:
            raise WorldToolError(error.message, error.kind) from None

    def snapshot(self) -> dict[str, Any]:
        """All files (folders end in a slash), and the records of the other servers."""
        found: dict[str, Any] = {}
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            found[name if path.is_file() else name + "/"] = path.read_text(encoding="utf-8") if path.is_file() else ""
        if self.others is not None:
            found["other servers"] = self.others.snapshot()
        return found

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.root, ignore_errors=True)
        if self.others is not None:
            self.others.close()


def _open(files: dict[str, str], other: World | None) -> State:
    return _Run(files, other)
