"""Runs the trusted reference programs of a task in plain Python, and renders what a policy would read in between.

Only programs that this repository generated come here; a policy's own programs run in the sandbox.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import io
import itertools
import json
import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...runtime.prompt import call_text, found_text, result_message
from ...tools_registry.search import ToolIndex
from ...tools_registry.stubs import prompt_stub, summary_line
from .base import State, Task, World, WorldToolError

PROGRAM_FILE = "<reference>"
"""What programs are compiled as, so that their lines are known in a traceback."""
_MODULES = (json, re, math, datetime, statistics, collections, itertools)


class ReferenceError(Exception):
    """A reference program did something that a world's author did not intend."""


class ProgramToolError(Exception):
    """`ToolError` as reference programs see it."""

    def __init__(self, tool: str, message: str, kind: str) -> None:
        super().__init__(message)
        self.tool, self.message, self.kind = tool, message, kind


@dataclass(slots=True)
class Rehearsal:
    """What happened: the message after each program but the last, the answer, and the final state."""

    results: list[str] = field(default_factory=list)
    answer: Any = None
    answered: bool = False
    snapshot: dict[str, Any] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)
    effects: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Calls that succeeded and may have changed something."""


class _Server:
    def __init__(self, stage: Stage, name: str) -> None:
        self._stage, self._name = stage, name

    def __getattr__(self, tool: str) -> Any:
        full_name = f"{self._name}.{tool}"
        return lambda *args, **kwargs: self._stage.call(full_name, args, kwargs)


class Stage:
    """The names that a reference program sees, over one state of a world."""

    def __init__(self, world: World, state: State, index: ToolIndex | None) -> None:
        self.world, self.state, self.index = world, state, index
        self.tools = {tool.full_name: tool for tool in world.tools}
        self.loaded: list[str] = []
        self.effects: list[str] = []
        self.outcome = Rehearsal()
        self.names: dict[str, Any] = {module.__name__: module for module in _MODULES}
        self.names.update({tool.server: _Server(self, tool.server) for tool in world.tools})
        self.names.update(answer=self.answer, search_tools=self.search_tools, load_tools=self.load_tools,
                          ToolError=ProgramToolError)

    def call(self, full_name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tool = self.tools.get(full_name)
        if tool is None:
            raise ReferenceError(f"the reference calls {full_name}, which the world does not have")
        arguments = dict(zip(tool.parameters, args, strict=False)) | kwargs
        unknown = set(arguments) - set(tool.parameters)
        if unknown:
            raise ReferenceError(f"{full_name} has no parameter {sorted(unknown)}")
        self.outcome.called.append(full_name)
        try:
            value = self.state.call(full_name, arguments)
        except WorldToolError as error:
            raise ProgramToolError(full_name, error.message, error.kind) from None
        if not tool.read_only:
            self.effects.append(call_text(full_name, arguments))
            self.outcome.effects.append((full_name, arguments))
        return value

    def answer(self, value: Any) -> None:
        self.outcome.answer, self.outcome.answered = value, True

    def search_tools(self, query: str, k: int = 8) -> list[str]:
        if self.index is None:
            self.index = ToolIndex(self.world.tools)
        return [found_text(hit.tool.full_name, summary_line(hit.tool.description)) for hit in self.index.search(query, k)]

    def load_tools(self, *names: Any) -> None:
        for name in names:
            self.loaded.append(prompt_stub(self.tools[str(name).split()[0]]))


def rehearse(world: World, task: Task, *, index: ToolIndex | None = None) -> Rehearsal:
    """Run the reference programs of `task` in a fresh state of `world`.

    Raises `ReferenceError` when an earlier program answers, the last one does not, or one fails other than by a tool.
    """
    state = world.open()
    try:
        stage = Stage(world, state, index)
        for number, program in enumerate(task.programs):
            last = number == len(task.programs) - 1
            message = _perform(stage, program)
            if stage.outcome.answered != last:
                raise ReferenceError(f"program {number + 1} of {len(task.programs)}: answered={not last}: {program!r}")
            if not last:
                stage.outcome.results.append(message)
        stage.outcome.snapshot = state.snapshot()
        return stage.outcome
    finally:
        state.close()


def _perform(stage: Stage, program: str) -> str:
    stage.loaded, stage.effects = [], []
    printed = io.StringIO()
    error = None
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(program, PROGRAM_FILE, "exec"), stage.names)
        except ProgramToolError as failure:
            assert failure.__traceback__ is not None
            error = f"line {line_of(failure)}: ToolError: {failure.message}"
    return result_message(
        output=printed.getvalue(), error=error, calls=stage.effects if error else (), loaded=stage.loaded
    )


def line_of(failure: BaseException) -> int:
    """The last line of the program that a failure went through; 0 where it is none of the program's."""
    line, trace = 0, failure.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == PROGRAM_FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def verify(world: World, tasks: Sequence[Task] | None = None) -> list[str]:
    """Problems with the references of a world (empty when all is well); for tests of generators."""
    problems = []
    index = ToolIndex(world.tools)
    for task in world.tasks if tasks is None else tasks:
        try:
            done = rehearse(world, task, index=index)
        except Exception as error:
            problems.append(f"{task.family}: {task.text!r}: {type(error).__name__}: {error}")
            continue
        written = "\n".join(task.programs)  # a branch that did not run is needed all the same
        unused = {name for name in task.needed if f"{name}(" not in written}
        missing = unused | (set(done.called) - set(task.needed))
        if missing:
            problems.append(f"{task.family}: {task.text!r}: needed and called differ: {sorted(missing)}")
    return problems
