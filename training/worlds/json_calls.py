"""Reference programs as single calls in JSON (`--acting json`): one call a reply, each with the message that it gets.

The programs are rehearsed; what they called, in order, is what a policy that calls one tool at a time would have called.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...runtime.prompt import result_message
from ...tools_registry.search import ToolIndex
from .base import State, World
from .mistakes import CheckedStage
from .rehearse import PROGRAM_FILE, ProgramToolError, ReferenceError

_LOAD = "load_tools"


@dataclass(frozen=True, slots=True)
class Called:
    """One reply of a policy that acts by JSON calls."""

    reply: str
    heard: str
    """What it reads next; nothing after the answer."""
    failed: bool = False
    program: int = 0
    """The program that made the call."""


def call_reply(name: str, arguments: Mapping[str, Any]) -> str:
    """A call in the form that `runtime.json_acting` reads."""
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)


def json_calls(
    world: World, programs: Sequence[str], *, index: ToolIndex | None = None, wrong: int | None = None
) -> list[Called]:
    """The calls that the programs make in a fresh state of `world`, and the answer at the end.

    The program at `wrong` may fail in any way. Raises `ReferenceError` where the last program does not answer, or an earlier
    one does.
    """
    state = world.open()
    try:
        stage = _Noted(world, state, index)
        for number, program in enumerate(programs):
            stage.program = number
            with contextlib.suppress(Exception if number == wrong else ProgramToolError):  # its last call says so already
                _perform(stage, program)
            if stage.outcome.answered != (number == len(programs) - 1):
                raise ReferenceError(f"program {number + 1} of {len(programs)} answers at the wrong time: {program!r}")
        return [*stage.called, _answered(stage.outcome.answer, len(programs) - 1)]
    finally:
        state.close()


def drill_reply(program: str) -> str:
    """A program of one call or one value (`answer(crm.find(name="x"))`, `answer("x")`) as one JSON call."""
    statement = ast.parse(program).body[0]
    match statement:
        case ast.Expr(ast.Call(args=[ast.Call(func=ast.Attribute(value=ast.Name(id=server), attr=tool)) as call])):
            arguments = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
            return call_reply(f"{server}.{tool}", arguments)
        case ast.Expr(ast.Call(args=[value])):
            return call_reply("answer", {"value": ast.literal_eval(value)})
        case _:
            raise ReferenceError(f"not one call: {program!r}")


def _answered(value: Any, program: int) -> Called:
    return Called(call_reply("answer", {"value": value}), "", program=program)


def _perform(stage: _Noted, program: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(program, PROGRAM_FILE, "exec"), stage.names)


class _Noted(CheckedStage):
    """A stage that writes down every call as a reply of its own."""

    def __init__(self, world: World, state: State, index: ToolIndex | None) -> None:
        super().__init__(world, state, index)
        self.called: list[Called] = []
        self.program = 0

    def call(self, full_name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a call and note what would be read of it alone."""
        given = dict(zip(self.tools[full_name].parameters, args, strict=False)) | kwargs
        try:
            value = super().call(full_name, args, kwargs)
        except (ProgramToolError, TypeError) as problem:
            kind = "ToolError" if isinstance(problem, ProgramToolError) else "TypeError"
            heard = result_message(error=f"line 1: {kind}: {problem}")
            self.called.append(Called(call_reply(full_name, given), heard, failed=True, program=self.program))
            raise
        self._note(full_name, given, result_message(output=str(value)))
        return value

    def search_tools(self, query: str, k: int = 8) -> list[str]:
        """Search; the lines are printed."""
        found = super().search_tools(query, k)
        self._note("search_tools", {"query": query, "k": k}, result_message(output=str(found)))
        return found

    def load_tools(self, *names: Any) -> None:
        """Load; of whole servers, which only the runtime shows, the call alone is noted."""
        wanted = [str(name).split()[0] for name in names]
        self.loaded = []
        super().load_tools(*(name for name in wanted if name in self.tools))
        self._note(_LOAD, {"names": wanted}, result_message(output="None", loaded=self.loaded))

    def _note(self, name: str, arguments: Mapping[str, Any], heard: str) -> None:
        self.called.append(Called(call_reply(name, arguments), heard, program=self.program))
