"""Programs that go wrong in a known way, made from the references of a world's tasks: what a judge has to tell apart.

Each way changes something that a policy really gets wrong: a value, a tool, a field, a condition, a step left out, an answer
invented, giving up, changing more than was asked. Whether the result still solves the task is decided by running it.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..worlds.base import CANNOT, Task, World
from ..worlds.program_text import written
from ..worlds.rehearse import Rehearsal

Programs = tuple[str, ...]
_SIGNS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.Gt, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}  # fmt: skip
_FUNCTIONS = {"sum": "max", "max": "min", "min": "max", "len": "sum", "sorted": "list", "any": "all", "all": "any"}


def spoiled(world: World, task: Task, expected: Rehearsal, rng: random.Random) -> Iterator[tuple[str, Programs]]:
    """Ways of going wrong that apply to a task, in random order, each with its name."""
    ways = list(WAYS.items())
    rng.shuffle(ways)
    for name, way in ways:
        try:
            made = way(world, task, expected, rng)
        except (SyntaxError, ValueError):
            continue
        if made is not None and made != task.programs:
            yield name, made


def _answers_without_a_call(world: World, task: Task, expected: Rehearsal, rng: random.Random) -> Programs | None:
    """The right answer, or one like it, out of thin air."""
    if task.impossible:
        return ('answer("done")',)
    value = expected.answer
    if task.answer_matters and rng.random() < 0.7:
        value = _other_value(value, world, rng)
    return (written(ast.parse(f"answer({value!r})")),)


def _wrong_value(world: World, task: Task, expected: Rehearsal, rng: random.Random) -> Programs | None:
    """Another value in a call."""
    tree = ast.parse(task.programs[-1])
    spots = [
        keyword for node in ast.walk(tree) if _is_tool_call(node) for keyword in node.keywords  # type: ignore[attr-defined]
        if isinstance(keyword.value, ast.Constant)
    ]  # fmt: skip
    if not spots:
        return None
    spot = rng.choice(spots)
    spot.value = ast.Constant(_other_value(spot.value.value, world, rng))
    return _with_last(task, tree)


def _step_left_out(world: World, task: Task, expected: Rehearsal, rng: random.Random) -> Programs | None:
    """One statement less; what is left still answers."""
    tree = ast.parse(task.programs[-1])
    steps = [node for node in tree.body if not _answers(node)]
    if not steps:
        return None
    tree.body.remove(rng.choice(steps))
    return _with_last(task, tree) if tree.body else None


def _wrong_tool(world: World, task: Task, expected: Rehearsal, rng: random.Random) -> Programs | None:
    """Another tool that takes the same first argument, most often of the same server."""
    tree = ast.parse(task.programs[-1])
    calls = [node for node in ast.walk(tree) if _is_tool_call(node)]
    if not calls:
        return None
    node = rng.choice(calls)
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    server, given = node.func.value.id, {keyword.arg for keyword in node.keywords}
    others = [
        tool for tool in world.tools
        if tool.full_name != f"{server}.{node.func.attr}" and given <= set(tool.parameters) and tool.required <= given
    ]  # fmt: skip
    near = [tool for tool in others if tool.server == server] or others
    if not near:
        return None
    tool = rng.choice(near)
    node.func = ast.Attribute(ast.Name(tool.server), tool.name)
    return _with_last(task, tree)


def _wrong_test(world: World, task: Task, expected: Rehearsal, rng: random.Random) -> Programs | None:
    """A condition turned round."""
    tree = ast.parse(task.programs[-1])
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.Compare) and type(node.ops[0]) in _SIGNS]
    if not tests:
        return None
    test = rng.choice(tests)
    test.ops[0] = _SIGNS[type(test.ops[0])]()
    return _with_last(task, tree)


def _wrong_sum(world: World, task: Task, expected: Rehearsal, rng: random.Random) -> Programs | None:
    """Another way of putting the results together, or another field of them."""
    tree = ast.parse(task.programs[-1])
    fields = [node for node in ast.walk(tree) if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            node.func.id = _FUNCTIONS[node.func.id]
            return _with_last(task, tree)
    if not fields:
        return None
    names = sorted({name for tool in world.tools for name in _output_fields(tool.output_schema)})
    if not names:
        return None
    rng.choice(fields).slice = ast.Constant(rng.choice(names))
    return _with_last(task, tree)


def _changes_more(world: World, task: Task, expected: Rehearsal, rng: random.Random) -> Programs | None:
    """One more call that changes something: taken from another task, or one of the own calls with another value."""
    changing = {tool.full_name for tool in world.tools if not tool.read_only}
    found = []
    for other in world.tasks:
        if other is not task and set(other.needed) & changing:
            for node in ast.parse(other.programs[-1]).body:
                if isinstance(node, ast.Expr) and _is_tool_call(node.value) and _name(node.value) in changing:
                    found.append(written(node))
    if not found:
        return None
    return (*task.programs[:-1], f"{rng.choice(found)}\n{task.programs[-1]}")


def _gives_up(world: World, task: Task, expected: Rehearsal, rng: random.Random) -> Programs | None:
    """Says that it cannot be done."""
    if task.impossible:
        return (f"answer({CANNOT!r})",)
    return (*task.programs[: rng.randint(0, len(task.programs) - 1)], f"answer({CANNOT!r})")


def _stops_early(world: World, task: Task, expected: Rehearsal, rng: random.Random) -> Programs | None:
    """Never answers."""
    if len(task.programs) > 1:
        return task.programs[: rng.randint(1, len(task.programs) - 1)]
    tree = ast.parse(task.programs[-1])
    tree.body = [node for node in tree.body if not _answers(node)]
    return (written(tree),) if tree.body else None


def _does_something_else(world: World, task: Task, expected: Rehearsal, rng: random.Random) -> Programs | None:
    """The programs of another task."""
    others = [other for other in world.tasks if other is not task and not other.impossible]
    return rng.choice(others).programs if others else None


Way = Callable[[World, Task, Rehearsal, random.Random], Programs | None]
WAYS: dict[str, Way] = {
    "answers without a call": _answers_without_a_call,
    "wrong value": _wrong_value,
    "step left out": _step_left_out,
    "wrong tool": _wrong_tool,
    "wrong test": _wrong_test,
    "wrong sum": _wrong_sum,
    "changes more": _changes_more,
    "gives up": _gives_up,
    "stops early": _stops_early,
    "does something else": _does_something_else,
}


def _with_last(task: Task, tree: ast.Module) -> Programs:
    return (*task.programs[:-1], written(ast.fix_missing_locations(copy.deepcopy(tree))))


def _is_tool_call(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (bool(node.keywords))
    )


def _name(node: ast.AST) -> str:
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    return f"{node.func.value.id}.{node.func.attr}"


def _answers(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "answer"
        for part in ast.walk(node)
    )


def _other_value(value: Any, world: World, rng: random.Random) -> Any:
    """A value of the same type that is another one; texts come from the references of the same world."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice([value + 1, max(0, value - 1), value * 10, value + rng.randint(2, 30)])
    if isinstance(value, float):
        return round(value * rng.choice((0.5, 1.1, 2.0)) + 1, 2)
    if isinstance(value, str):
        texts = [text for text in _texts(world.tasks) if text != value]
        same = [text for text in texts if text[-3:] == value[-3:] or text[:1] == value[:1]]
        return rng.choice(same or texts or [f"{value}s"])
    if isinstance(value, list):
        return value[:-1] if value else [0]
    if isinstance(value, dict):
        return {name: _other_value(item, world, rng) for name, item in value.items()} or {"count": 0}
    return 0


def _texts(tasks: Sequence[Task]) -> list[str]:
    found: dict[str, None] = {}
    for task in tasks:
        for node in ast.walk(ast.parse(task.programs[-1])):
            if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                found[node.value.value] = None
    return list(found)


def _output_fields(schema: dict[str, Any] | None) -> list[str]:
    if not isinstance(schema, dict):
        return []
    properties = schema.get("properties")
    names = list(properties) if isinstance(properties, dict) else []
    items = schema.get("items")
    inner = [
        name for part in (*(properties or {}).values(), items) if isinstance(part, dict) for name in _output_fields(part)
    ]
    return [name for name in [*names, *inner] if name != "result"]
