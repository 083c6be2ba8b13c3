"""The criteria of a task, read from its reference programs: what must be called, with which values, and what comes of it.

Nothing here is random, so that a world stays the same. Calls that a reference makes under a condition are no criteria:
whether they are due depends on the data (`training.rubrics` adds them where the reference was run).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .base import Criterion

_META = ("answer", "search_tools", "load_tools")
_VALUES_SHOWN = 6
_TEXT_SHOWN = 60


def criteria_of(
    programs: Sequence[str], *, needed: Sequence[str], hidden: Sequence[str] = (), answer_matters: bool = True
) -> tuple[Criterion, ...]:
    """Criteria of a task in the order of the four categories; without `needed` tools it is one that no tool can do."""
    if not needed:
        return _impossible()
    reading = _read(programs, frozenset(needed))
    found = [Criterion("fulfilment", _goal(answer_matters), 10)]
    found.append(Criterion("fulfilment", "Ends with an answer instead of giving up", 4, {"kind": "answered"}))
    found += [_loading(name) for name in needed if name in hidden]
    found += [_call(name) for name in needed if name in reading.certain]
    found.append(Criterion(
        "tool", "Changes nothing besides what was asked", 6, {"kind": "only", "tools": list(needed)}
    ))  # fmt: skip
    found.append(_grounding(answer_matters))
    found += [_parameter(*one) for one in reading.arguments][:_VALUES_SHOWN]
    found += [_each(*one) for one in reading.lists][:2]
    return tuple(found)


def _goal(answer_matters: bool) -> str:
    return "The answer is the value that was asked for" if answer_matters else "Everything that was asked for is done"


def _impossible() -> tuple[Criterion, ...]:
    return (
        Criterion("fulfilment", "Says that no tool can do this", 10, {"kind": "refused"}),
        Criterion("tool", "Changes nothing", 6, {"kind": "only", "tools": []}),
        Criterion("grounding", "Looks for a tool before it says so", 5, {"kind": "searched"}),
    )


def _loading(name: str) -> Criterion:
    return Criterion("tool", f"Finds and loads {name}", 6, {"kind": "loaded", "tools": [name]})


def _call(name: str) -> Criterion:
    return Criterion("tool", f"Calls {name}", 7, {"kind": "called", "tools": [name]})


def _grounding(answer_matters: bool) -> Criterion:
    if answer_matters:
        return Criterion("grounding", "The answer comes from what the tools returned", 6, {"kind": "grounded"})
    return Criterion("grounding", "Says that it is done only after the tools have done it", 6, {"kind": "grounded"})


def _parameter(tool: str, name: str, value: Any) -> Criterion:
    check = {"kind": "argument", "tool": tool, "name": name, "equals": value}
    return Criterion("parameter", f"Calls {tool} with {name}={_shown(value)}", 5, check)


def _each(tool: str, name: str, values: Sequence[Any]) -> Criterion:
    check = {"kind": "values", "tool": tool, "name": name, "values": list(values)}
    listed = ", ".join(_shown(value) for value in values[:_VALUES_SHOWN])
    return Criterion("parameter", f"Calls {tool} for each of {listed}", 5, check)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _TEXT_SHOWN else f"{text[: _TEXT_SHOWN - 4]}...{text[-1]}"


@dataclass(slots=True)
class _Reading:
    """What the reference programs show without being run."""

    certain: set[str] = field(default_factory=set)
    """Tools called on every path."""
    arguments: list[tuple[str, str, Any]] = field(default_factory=list)
    lists: list[tuple[str, str, list[Any]]] = field(default_factory=list)


def _read(programs: Sequence[str], needed: frozenset[str]) -> _Reading:
    reading = _Reading()
    trees = [ast.parse(program) for program in programs]
    last = {name: number for number, tree in enumerate(trees) for name, _ in _calls(tree, needed)}
    for number, tree in enumerate(trees):
        loops = {node.target.id: values for node in ast.walk(tree) if (values := _literal_loop(node)) is not None
                 and isinstance(node, ast.For) and isinstance(node.target, ast.Name)}  # fmt: skip
        unsure = {id(call) for branch in _branches(tree) for _, call in _calls(branch, needed)}
        for name, call in _calls(tree, needed):
            if id(call) in unsure:
                continue
            reading.certain.add(name)
            if last[name] == number:  # an earlier program with the same tool is the one that failed
                _take_arguments(reading, name, call, loops)
    return reading


def _take_arguments(reading: _Reading, tool: str, call: ast.Call, loops: Mapping[str, list[Any]]) -> None:
    for keyword in call.keywords:
        if keyword.arg is None:
            continue
        if isinstance(keyword.value, ast.Name) and keyword.value.id in loops:
            found = (tool, keyword.arg, loops[keyword.value.id])
            if found not in reading.lists:
                reading.lists.append(found)
            continue
        try:
            argument = (tool, keyword.arg, ast.literal_eval(keyword.value))
        except (ValueError, TypeError):
            continue
        if argument not in reading.arguments:
            reading.arguments.append(argument)


def _calls(tree: ast.AST, needed: frozenset[str]) -> Iterator[tuple[str, ast.Call]]:
    """Calls of needed tools, in the order of the text."""
    found = [
        (f"{node.func.value.id}.{node.func.attr}", node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    ]
    return iter(sorted(((name, node) for name, node in found if name in needed), key=lambda one: _place(one[1])))


def _place(node: ast.Call) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _branches(tree: ast.AST) -> Iterator[ast.AST]:
    """Parts that may or may not run: branches, handlers, the second half of `and` and `or`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If):
            yield from (*node.body, *node.orelse)
        elif isinstance(node, ast.IfExp):
            yield from (node.body, node.orelse)
        elif isinstance(node, ast.BoolOp):
            yield from node.values[1:]
        elif isinstance(node, ast.ExceptHandler | ast.While):
            yield from node.body
        elif isinstance(node, ast.For):  # over data, of which there may be none
            yield from node.body if _literal_loop(node) is None else ()
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            yield node.elt
        elif isinstance(node, ast.DictComp):
            yield from (node.key, node.value)


def _literal_loop(node: ast.AST) -> list[Any] | None:
    """The values of `for x in [...]` with literals only."""
    if not isinstance(node, ast.For) or not isinstance(node.iter, ast.List | ast.Tuple):
        return None
    try:
        return list(ast.literal_eval(node.iter))
    except (ValueError, TypeError):
        return None
