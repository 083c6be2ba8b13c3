"""A first program that goes wrong and the message that it gets, before the programs that solve the task.

A policy that has only seen programs which work says a failed one again. So some practice tasks begin with a mistake like
those that a small model makes: a neighbouring tool, a value taken from the wrong place, an argument or a bracket left out, a
field that is not there, a search for what is in view. The mistake carries no loss and changes nothing.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from ...runtime.prompt import result_message
from ...tools_registry.arguments import ArgumentValidator
from ...tools_registry.errors import ArgumentError
from ...tools_registry.search import ToolIndex
from ...tools_registry.tool import Tool
from .base import Task, World
from .program_text import written
from .rehearse import PROGRAM_FILE, ProgramToolError, Rehearsal, Stage, line_of

_SEARCHED = 4
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Mistaken:
    """Programs and the messages between them; the one at `place` is the mistake."""

    programs: tuple[str, ...]
    results: tuple[str, ...]
    place: int


def mistaken(
    world: World, task: Task, view: Collection[str], rng: random.Random, *, expected: Rehearsal, index: ToolIndex
) -> Mistaken | None:
    """The task with a mistake before one of its programs, or None where none was found that leaves no trace.

    `view` are the tools in view, `expected` what the references do.
    """
    last = len(task.programs) - 1
    place = last if task.impossible else rng.choice((0, last))
    tools = {tool.full_name: tool for tool in world.tools}
    found = {hit.tool.full_name for hit in index.search(task.text, _SEARCHED)} if task.impossible else set()
    near = [tools[name] for name in {*view, *task.needed, *found} if name in tools and name not in task.hidden]
    for _ in range(_TRIES):
        wrong = _wrong(task, task.programs[place], sorted(near, key=lambda tool: tool.full_name), rng)
        if wrong is None or wrong in task.programs:
            continue
        programs = (*task.programs[:place], wrong, *task.programs[place:])
        results = _results(world, programs, place, expected, index)
        if results is not None:
            return Mistaken(programs, results, place)
    return None


def _results(
    world: World, programs: tuple[str, ...], place: int, expected: Rehearsal, index: ToolIndex
) -> tuple[str, ...] | None:
    """The messages after all programs but the last; None where the mistake answers, or the end is not the expected one."""
    state = world.open()
    try:
        stage = CheckedStage(world, state, index)
        results = []
        for number, program in enumerate(programs):
            message = _tried(stage, program)
            if stage.outcome.answered and number < len(programs) - 1:
                return None
            if number == place and (stage.effects or not message):
                return None
            results.append(message)
        without = [*results[:place], *results[place + 1 : -1]]
        same = stage.outcome.answered and stage.outcome.answer == expected.answer and without == expected.results
        return tuple(results[:-1]) if same and state.snapshot() == expected.snapshot else None
    finally:
        state.close()


class CheckedStage(Stage):
    """A stage that refuses arguments as the runtime does."""

    _validator = ArgumentValidator()

    def call(self, full_name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Check and make a call."""
        tool = self.tools[full_name]
        given = dict(zip(tool.parameters, args, strict=False)) | kwargs
        for name in tool.parameters:
            if name in tool.required and name not in given:
                raise TypeError(f"{full_name}() is missing the required argument '{name}'; it takes {_signature(tool)}")
        try:
            self._validator.validate(tool, given)
        except ArgumentError as problem:
            raise ProgramToolError(full_name, problem.message, "invalid") from None
        return super().call(full_name, args, kwargs)


def _signature(tool: Tool) -> str:
    return f"({', '.join(name if name in tool.required else f'{name}=...' for name in tool.parameters)})"


def _tried(stage: Stage, program: str) -> str:
    """Run a program and return what a policy would read of it."""
    stage.loaded, stage.effects, stage.outcome.answered = [], [], False
    printed, error = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(program, PROGRAM_FILE, "exec"), stage.names)
        except SyntaxError as problem:
            line = program.splitlines()[(problem.lineno or 1) - 1].strip()
            error = f"line {problem.lineno}: SyntaxError: {problem.msg}: {line}"
        except Exception as problem:
            kind = "ToolError" if isinstance(problem, ProgramToolError) else type(problem).__name__
            error = f"line {line_of(problem)}: {kind}: {problem}"
    return result_message(
        output=printed.getvalue(), error=error, calls=stage.effects if error else (), loaded=stage.loaded
    )


def _wrong(task: Task, program: str, near: list[Tool], rng: random.Random) -> str | None:
    """`program` with one thing wrong."""
    way = rng.choices(list(WAYS), weights=list(WAYS.values()))[0]
    tree = ast.parse(program)
    made = way(task, tree, near, rng)
    return made if isinstance(made, str) or made is None else written(ast.fix_missing_locations(tree))


def _other_tool(task: Task, tree: ast.Module, near: list[Tool], rng: random.Random) -> bool | str | None:
    """A neighbouring tool, called with the values that the right one takes; any tool, where none can do it."""
    calls = list(_calls(tree))
    if not calls:
        return _any_tool(task, near, rng) if task.impossible else None
    node, server, name = rng.choice(calls)
    others = [tool for tool in near if (tool.server, tool.name) != (server, name)]
    same = [tool for tool in others if tool.server == server]
    if not others:
        return None
    tool = rng.choice(same if same and rng.random() < 0.8 else others)
    values = [keyword.value for keyword in node.keywords]
    texts = [ast.Constant(text) for text in _fragments(task, rng)]
    wanted = [one for one in tool.parameters if one in tool.required] or list(tool.parameters[:1])
    node.func = ast.Attribute(ast.Name(tool.server), tool.name)
    node.keywords = [
        ast.keyword(one, values[place] if place < len(values) else rng.choice(texts)) for place, one in enumerate(wanted)
    ]
    return True


def _any_tool(task: Task, near: list[Tool], rng: random.Random) -> str | None:
    tools = [tool for tool in near if tool.parameters]
    if not tools:
        return None
    tool = rng.choice(tools)
    wanted = [one for one in tool.parameters if one in tool.required] or list(tool.parameters[:1])
    values = (_fragments(task, rng)[0] for _ in wanted)
    given = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in zip(wanted, values, strict=True))
    call = f"{tool.full_name}({given})"
    return f"answer({call})" if tool.read_only else f'{call}\nanswer("done")'


def _other_value(task: Task, tree: ast.Module, near: list[Tool], rng: random.Random) -> bool | None:
    """A value from elsewhere in the task."""
    spots = [one for node, _, _ in _calls(tree) for one in node.keywords if isinstance(one.value, ast.Constant)]
    if not spots:
        return None
    rng.choice(spots).value = ast.Constant(rng.choice(_fragments(task, rng)))
    return True


def _argument_left_out(task: Task, tree: ast.Module, near: list[Tool], rng: random.Random) -> bool | None:
    spots = [node for node, _, _ in _calls(tree) if node.keywords]
    if not spots:
        return None
    node = rng.choice(spots)
    node.keywords.remove(rng.choice(node.keywords))
    return True


def _other_field(task: Task, tree: ast.Module, near: list[Tool], rng: random.Random) -> bool | None:
    """A field of a row that it does not have."""
    spots = [node for node in ast.walk(tree) if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)]
    fields = [name for tool in near for name in tool.parameters]
    if not fields:
        return None
    if spots:
        rng.choice(spots).slice = ast.Constant(rng.choice(fields))
        return True
    calls = [node for node in ast.walk(tree) if _is_answer(node) and _is_call(node.args[0])]  # type: ignore[attr-defined]
    if not calls:
        return None
    answer: Any = calls[0]
    answer.args[0] = ast.Subscript(answer.args[0], ast.Constant(rng.choice(fields)))
    return True


def _bracket_left_out(task: Task, tree: ast.Module, near: list[Tool], rng: random.Random) -> str | None:
    lines = written(tree).splitlines()
    place = next((number for number, line in enumerate(lines) if line.endswith(")")), None)
    if place is None:
        return None
    lines[place] = lines[place][:-1]
    return "\n".join(lines)


def _needless_search(task: Task, tree: ast.Module, near: list[Tool], rng: random.Random) -> str | None:
    """Looking for what is in view."""
    names = [name for _, _, name in _calls(tree)]
    words = [word for word in rng.choice(names).lower().split("_") if word] if names else []
    return f'load_tools(*search_tools("{" ".join(words)}", k={_SEARCHED}))' if words else None


Way = Callable[[Task, ast.Module, list[Tool], random.Random], bool | str | None]
WAYS: dict[Way, float] = {
    _other_tool: 4, _other_value: 3, _needless_search: 2, _other_field: 1.5, _argument_left_out: 1, _bracket_left_out: 0.5,
}  # fmt: skip
"""How often each is drawn, as nano's own mistakes are spread over them."""


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str, str]]:
    """Calls of tools, with server and name."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=server), attr=name)) if node.keywords or not node.args:
                yield node, server, name
            case _:
                pass


def _is_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


def _is_answer(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "answer" and bool(node.args)


def _fragments(task: Task, rng: random.Random) -> list[str]:
    """Some words of the task, one after another, as a careless reader takes them."""
    words = [word.strip(".,;:?!()\"'") for word in task.text.split()]
    start = rng.randrange(len(words))
    return [" ".join(words[start : start + length]) for length in (1, 2, 3)]
